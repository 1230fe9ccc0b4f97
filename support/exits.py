"""How scripts end: with a status that says why, and one line instead of a traceback."""

import io
import sys
import traceback
import warnings
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from typing import TextIO

from support import interrupts
from support.console import complain, discard_unwritable_output, fail, reason
from support.sessions import at_prompt, in_session
from support.signals import SIGPIPE, reader_has_left


def say_interrupted(_stdout: TextIO | None = None) -> None:
    """Say on stderr that the script was interrupted."""
    complain('interrupted')


@contextmanager
def orderly_exit(
    last_words: interrupts.LastWords = say_interrupted, grace: float = interrupts.GRACE
) -> Iterator[None]:
    """Context manager: report errors that a user can cause on one line, and exit with status 1.

    After a signal, the process dies of it, at the latest grace seconds later; also of SIGPIPE, once
    standard output has no reader. At a prompt, Ctrl-C raises KeyboardInterrupt.
    """
    sys.stderr = sys.stderr or io.StringIO()  # it may have been closed from the start
    try:
        with interrupts.handling_signals(last_words, grace) as run:
            try:
                yield
                print(end='', flush=True)
            except BaseException as exc:
                discard_unwritable_output()
                with run.reporting() as is_first:
                    if not run.stop_signal:
                        explain(exc)
                        raise
                    if is_first:
                        last_words(sys.stdout)
                run.left = exc  # nothing that is half-done is deleted before the process ends
            if run.stop_signal:
                raise KeyboardInterrupt if at_prompt() else SystemExit(128 + run.stop_signal)
    except SystemExit:
        if not (at_prompt() or sys.flags.inspect):  # which would end, or show a traceback
            raise


def explain(exc: BaseException) -> None:
    """End the script with a line, or none, if exc is no error of the script itself."""
    while isinstance(exc, ExceptionGroup):
        exc = exc.exceptions[0]
    if str(exc).startswith('asyncio.run() cannot be called'):
        with warnings.catch_warnings(action='ignore'):  # of the coroutine that has not run
            traceback.clear_frames(exc.__traceback__)
        fail('an event loop runs here: import the script, and await its supervisor(...) in a cell')
    if isinstance(exc, BrokenExecutor) and 'Traceback' not in str(exc.__cause__):
        if reader_has_left():
            interrupts.end(SIGPIPE)
        fail('a worker died before its work was done')
    if isinstance(exc, RuntimeError) and exc.__context__:
        exc = exc.__context__  # a pool without threads cannot be shut down either
    if isinstance(exc, BrokenPipeError):
        sys.exit(128 + SIGPIPE) if in_session() else interrupts.end(SIGPIPE)
    if is_out_of_resources(exc):
        fail(reason(exc))


def is_out_of_resources(exc: BaseException) -> bool:
    """Tell whether exc is about memory, threads, processes or files that are not to be had."""
    return isinstance(exc, MemoryError | OSError) or str(exc) == "can't start new thread"
