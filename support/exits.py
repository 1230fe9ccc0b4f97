"""How scripts end: with a status that says why, and one line instead of a traceback."""

import atexit
import io
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from typing import NoReturn

from support import interrupts
from support.console import complain, discard_unwritable_output, fail, reason
from support.sessions import at_prompt, in_session
from support.signals import SIGPIPE, end_by


def say_interrupted() -> None:
    """Say on stderr that the script was interrupted."""
    complain('interrupted')


@contextmanager
def orderly_exit(
    last_words: Callable[[], object] = say_interrupted, grace: float = interrupts.GRACE
) -> Iterator[None]:
    """Context manager: tell errors that a user can cause in one line, and exit with status 1.

    After a signal, end by that signal; so too, silently, once stdout has no reader. What has not
    ended within grace seconds says its last words, and is ended without a traceback. At the
    prompt of a session an error is just told, and a signal becomes KeyboardInterrupt.
    """
    sys.stderr = sys.stderr or io.StringIO()  # it may have been closed from the start
    try:
        with interrupts.handling_signals(last_words, grace):
            with one_line_for_errors():
                try:
                    yield
                    print(end='', flush=True)
                finally:
                    interrupts.hold(orderly_exit)  # whatever is told now is told to its end
            if number := interrupts.stop_signal:
                leave_by(number)
    except SystemExit:
        if not (at_prompt() or sys.flags.inspect):  # which would end, or show a traceback
            raise


@contextmanager
def one_line_for_errors() -> Iterator[None]:
    """Context manager: say in one line what ends the block, or nothing if nobody reads it."""
    try:
        yield
    except BaseException as exc:
        discard_unwritable_output()
        if not interrupts.stop_signal:
            explain(exc)
            raise
        if interrupts.stop_signal != SIGPIPE:
            say_interrupted()


def leave_by(number: int) -> NoReturn:
    """Leave the script after a signal; the process ends by it unless it is a session."""
    if at_prompt():
        raise KeyboardInterrupt
    if not in_session():
        atexit.register(end_process, number)
    sys.exit(128 + number)


def end_process(number: int) -> None:
    """Do what is registered for the exit, then end before Python freezes all other threads.

    A pool of processes takes a lock when it is deleted, which a frozen thread may hold.
    """
    atexit.unregister(end_process)
    atexit._run_exitfuncs()
    discard_unwritable_output()
    end_by(number)


def explain(exc: BaseException) -> None:
    """End the script with a line, or none, if exc is no error of the script itself."""
    while isinstance(exc, ExceptionGroup):
        exc = exc.exceptions[0]
    if str(exc).startswith('asyncio.run() cannot be called'):
        with warnings.catch_warnings(action='ignore'):  # of the coroutine that has not run
            traceback.clear_frames(exc.__traceback__)
        fail('an event loop runs here: import the script, and await its supervisor(...) in a cell')
    if isinstance(exc, BrokenExecutor):
        fail('a worker died before its work was done')
    if isinstance(exc, RuntimeError) and exc.__context__:
        exc = exc.__context__  # a pool without threads cannot be shut down either
    if isinstance(exc, BrokenPipeError):
        sys.exit(128 + SIGPIPE)
    if is_out_of_resources(exc):
        fail(reason(exc))


def is_out_of_resources(exc: BaseException) -> bool:
    """Tell whether exc is about memory, threads, processes or files that are not to be had."""
    return isinstance(exc, MemoryError | OSError) or str(exc) == "can't start new thread"
