"""How scripts end: with an exit status, and one line instead of a traceback."""

import io
import sys
import traceback
import warnings
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from typing import TextIO

from support import interrupts
from support.console import complain, description, discard_unwritable_output, fail
from support.sessions import at_prompt, in_session
from support.signals import SIGPIPE


def say_interrupted(_stdout: TextIO | None = None) -> None:
    """Say on stderr that the script was interrupted."""
    complain('interrupted')


@contextmanager
def orderly_exit(
    last_words: interrupts.LastWords = say_interrupted, grace: float = interrupts.GRACE
) -> Iterator[None]:
    """Context manager: report errors that a user can cause on one line, and exit with status 1.

    After a signal, the process dies of it within `grace` seconds; without a reader of standard
    output, it dies of SIGPIPE. At a prompt, Ctrl-C raises KeyboardInterrupt.
    """
    sys.stderr = sys.stderr or io.StringIO()  # None if it was closed when Python started
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
                run.left = exc  # keeps what the frames of the script refer to until the end
            if run.stop_signal:
                status = 128 + run.stop_signal
                raise KeyboardInterrupt if at_prompt() else SystemExit(status) from None
    except SystemExit:
        if not (at_prompt() or sys.flags.inspect):  # these would end, or show a traceback
            raise


def explain(exc: BaseException) -> None:
    """Exit with one line, or none, unless exc is a bug; then return."""
    while isinstance(exc, ExceptionGroup):
        exc = exc.exceptions[0]
    if str(exc).startswith('asyncio.run() cannot be called'):
        with warnings.catch_warnings(action='ignore'):  # the coroutine was never awaited
            traceback.clear_frames(exc.__traceback__)
        fail('an event loop runs here: import the script, and await its supervisor(...) in a cell')
    if isinstance(exc, BrokenExecutor) and 'Traceback' not in str(exc.__cause__):
        fail('a worker died before its work was done')
    if isinstance(exc, RuntimeError) and exc.__context__:
        exc = exc.__context__  # shutting down a pool without threads fails as well
    if isinstance(exc, BrokenPipeError):
        sys.exit(128 + SIGPIPE) if in_session() else interrupts.end(SIGPIPE)
    if is_out_of_resources(exc):
        fail(description(exc))


def is_out_of_resources(exc: BaseException) -> bool:
    """Return whether memory, threads, processes or files have run out, or the system failed."""
    return isinstance(exc, MemoryError | OSError) or str(exc) == "can't start new thread"
