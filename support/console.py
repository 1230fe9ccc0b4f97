"""Words for people at a terminal: complaints on stderr, reasons, and numbers with their nouns."""

import io
import os
import socket
import ssl
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from support.sessions import at_prompt


def script_name() -> str:
    """Return the name that the user has called the script by, if there is one."""
    if at_prompt():
        return 'Python session'
    name = Path(sys.argv[0]).name
    return '<stdin>' if name in ('', '-') else name


def tell(line: str) -> None:
    """Print a whole line on stderr, if anything can be printed there."""
    try:
        sys.stderr.write(f'{line}\n')  # by one call, as threads may print at the same time
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):  # stderr, or its reader, may be gone
        sys.stderr = io.StringIO()  # otherwise what is left would fail again at exit


def complain(message: str) -> None:
    """Print a line on stderr that begins with the name of the script."""
    tell(f'{script_name()}: {message}')


def fail(message: str) -> NoReturn:
    """End the script with status 1 and a line on stderr."""
    complain(message)
    sys.exit(1)


def reason(exc: BaseException) -> str:
    """Return one line that says what went wrong, such as "Is a directory: BR.gif"."""
    text = printable(' '.join(str(exc).split()))
    words = system_error(exc)
    if words and not text.startswith(words):  # it may say more, such as where that was
        text = words
    if isinstance(exc, OSError):
        return f'{text}: {exc.filename}' if exc.filename else text
    return f'{text} ({type(exc).__name__})' if text else type(exc).__name__


def system_error(exc: BaseException) -> str | None:
    """Return what the system calls the error that led to exc, if it was one of the system."""
    cause = exc.__cause__ or exc.__context__
    if isinstance(exc, ExceptionGroup):
        cause = exc.exceptions[0]
    if cause and (name := system_error(cause)):
        return name
    if isinstance(exc, TimeoutError) and not exc.errno:
        return 'timed out'
    if isinstance(exc, FileExistsError):
        return 'File exists, and is no folder'
    if isinstance(exc, FileNotFoundError) and not exc.filename:
        return exc.strerror  # such as "No usable temporary directory found in ..."
    if isinstance(exc, OSError) and exc.errno and not isinstance(exc, ssl.SSLError):
        # asyncio changes the words on POSIX, where look-ups have numbers of their own
        is_posix = sys.platform != 'win32' and not isinstance(exc, socket.gaierror)
        return os.strerror(exc.errno) if is_posix else exc.strerror
    return None


def discard_unwritable_output() -> None:
    """Let go of what stdout cannot take, which would fail again at exit."""
    try:
        if sys.stdout:
            sys.stdout.flush()  # to print nothing would fail, too, where it is unbuffered
    except OSError:
        with suppress(OSError):  # a stream of a session is no file
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def printable(text: str) -> str:
    """Return text with control characters escaped, as they could do things to a terminal."""
    return ''.join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def plural(number: int, noun: str) -> str:
    """Return the number with the noun in the right form, such as "2 processes"."""
    ending = 'es' if noun.endswith('s') else 's'
    return f'{number} {noun}{ending if number != 1 else ""}'
