"""How scripts end, one line for what goes wrong, and files that appear whole or not at all."""

import io
import os
import signal
import ssl
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from support import interrupts


@contextmanager
def good_end() -> Iterator[None]:
    """Context manager: tell errors that a user can cause in one line, and exit with status 1.

    After a signal exit with 128 + its number; so too, silently, once stdout has no reader.
    """
    before = interrupts.handle_signals(f'{script_name()}: interrupted')
    threading.excepthook = _end_with_thread
    sys.stderr = sys.stderr or io.StringIO()  # it may have been closed from the start
    try:
        yield
        print(end='', flush=True)
    except BaseException as exc:
        discard_unwritable_output()
        if not interrupts.stop_signal:
            explain(exc)
            raise
        if interrupts.stop_signal != interrupts.SIGPIPE:
            complain('interrupted')
    finally:
        interrupts.last_words = ''
        if not interrupts.stop_signal:
            threading.excepthook = threading.__excepthook__
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if interrupts.stop_signal else handler)
    if interrupts.stop_signal:
        sys.exit(128 + interrupts.stop_signal)


def _end_with_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value and is_out_of_resources(args.exc_value):
        complain(reason(args.exc_value))
        os._exit(1)  # others may wait for that thread
    threading.__excepthook__(args)


def explain(exc: BaseException) -> None:
    """End the script with a line, or none, if exc is no error of the script itself."""
    while isinstance(exc, ExceptionGroup):
        exc = exc.exceptions[0]
    if isinstance(exc, RuntimeError) and exc.__context__:
        exc = exc.__context__  # what could not start cannot be shut down either
    if isinstance(exc, BrokenPipeError):
        sys.exit(128 + interrupts.SIGPIPE)
    if isinstance(exc, BrokenExecutor):
        fail('a worker died before its work was done')
    if is_out_of_resources(exc):
        fail(reason(exc))


def is_out_of_resources(exc: BaseException) -> bool:
    """Tell whether exc is about memory, threads, processes or files that are not to be had."""
    return isinstance(exc, MemoryError | OSError) or str(exc) == "can't start new thread"


def discard_unwritable_output() -> None:
    """Let go of what stdout cannot take, which would fail again at exit."""
    try:
        print(end='', flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def script_name() -> str:
    """Return the name of the script that runs, without its folder."""
    return Path(sys.argv[0]).name


def note(line: str) -> None:
    """Print a line on stderr, if anything can be printed there."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = io.StringIO()  # otherwise what is left would fail again at exit


def complain(message: str) -> None:
    """Print a line on stderr that begins with the name of the script."""
    note(f'{script_name()}: {message}')


def fail(message: str) -> NoReturn:
    """End the script with status 1 and a line on stderr."""
    complain(message)
    sys.exit(1)


def reason(exc: BaseException) -> str:
    """Return one line that says what went wrong, such as "Is a directory: BR.gif"."""
    text = printable(' '.join(str(exc).split()))
    if isinstance(exc, OSError):
        text = system_error(exc) or text
        return f'{text}: {exc.filename}' if exc.filename else text
    return f'{text} ({type(exc).__name__})' if text else type(exc).__name__


def system_error(exc: BaseException) -> str | None:
    """Return what the operating system calls the error that led to exc, if one did."""
    cause = exc.__cause__ or exc.__context__
    if isinstance(exc, ExceptionGroup):
        cause = exc.exceptions[0]
    if cause and (name := system_error(cause)):
        return name
    if isinstance(exc, OSError) and exc.errno and not isinstance(exc, ssl.SSLError):
        return os.strerror(exc.errno) if exc.errno > 0 else exc.strerror
    return None


def printable(text: str) -> str:
    """Return text with control characters escaped, as they could do things to a terminal."""
    return ''.join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def plural(number: int, noun: str) -> str:
    """Return the number with the noun in the right form, such as "2 processes"."""
    ending = 'es' if noun.endswith('s') else 's'
    return f'{number} {noun}{ending if number != 1 else ""}'


@contextmanager
def signals_blocked(*exceptions: int) -> Iterator[None]:
    """Context manager: put off signals, and let processes that start in the block do so too."""
    if sys.platform == 'win32':
        yield
        return
    blocked = {signal.SIGINT, signal.SIGHUP, signal.SIGTERM} - set(exceptions)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside path, then rename it; raise OSError if that cannot be done."""
    partial = path.with_name(f'.{path.name}.{os.getpid()}.{threading.get_ident()}')
    with signals_blocked():
        try:
            partial.write_bytes(content)
            partial.replace(path)
        except OSError as exc:
            exc.filename = str(path)  # the user has not heard of the other one
            raise
        finally:
            with suppress(OSError):  # it may never have existed
                partial.unlink()
