"""How scripts end: with a status that says why, and one line instead of a traceback."""

import atexit
import io
import os
import sys
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager

from support import interrupts
from support.console import complain, fail, reason


@contextmanager
def orderly_exit(grace: float = interrupts.GRACE) -> Iterator[None]:
    """Context manager: tell errors that a user can cause in one line, and exit with status 1.

    After a signal exit with 128 + its number; so too, silently, once stdout has no reader.
    What has not ended within grace seconds after a signal is ended, without a traceback.
    """
    sys.stderr = sys.stderr or io.StringIO()  # it may have been closed from the start
    interrupts.set_last_words(lambda: complain('interrupted'))
    with interrupts.handling_signals(grace), one_line_for_errors():
        try:
            yield
            print(end='', flush=True)
        finally:
            interrupts.hold(orderly_exit)  # whatever is told now is told to its end
    if interrupts.stop_signal:
        status = 128 + interrupts.stop_signal
        atexit.register(end_process, status)
        sys.exit(status)


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
        if interrupts.stop_signal != interrupts.SIGPIPE:
            complain('interrupted')


def end_process(status: int) -> None:
    """Do what is registered for the exit, then end before Python freezes all other threads.

    A pool of processes takes a lock when it is deleted, which a frozen thread may hold.
    """
    atexit.unregister(end_process)
    atexit._run_exitfuncs()
    discard_unwritable_output()
    os._exit(status)


def explain(exc: BaseException) -> None:
    """End the script with a line, or none, if exc is no error of the script itself."""
    while isinstance(exc, ExceptionGroup):
        exc = exc.exceptions[0]
    if isinstance(exc, BrokenExecutor):
        fail('a worker died before its work was done')
    if isinstance(exc, RuntimeError) and exc.__context__:
        exc = exc.__context__  # a pool without threads cannot be shut down either
    if isinstance(exc, BrokenPipeError):
        sys.exit(128 + interrupts.SIGPIPE)
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
