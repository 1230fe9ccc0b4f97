"""Worker processes that end when their program does, however that happens."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

import interrupts

GRACE = 0.3  # seconds for a process to wind down, so that there are some left for the others


def hide_ctrl_c() -> None:
    """Keep Ctrl-C from processes to be started, if the calling thread has blocked it.

    multiprocessing starts its resource tracker when first needed, and unblocks Ctrl-C then.
    """
    if sys.platform != 'win32' and multiprocessing.get_start_method() != 'fork':
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextmanager
def ending_together() -> Iterator[None]:
    """Terminate all processes in the pool if the program has to stop.

    They have to be started before: executors fail when they lose some while starting others.
    """
    try:
        with interrupts.breakable(terminate_children):
            yield
    except interrupts.StoppedError:  # maybe before the block could begin
        terminate_children()
        raise


def terminate_children() -> None:
    """Send SIGTERM to all processes that multiprocessing has started here."""
    for child in multiprocessing.active_children():
        child.terminate()


def follow_parent() -> None:
    """End this process when its parent does: an initializer for executors.

    Otherwise a worker whose program was killed would wait for work for ever.
    """
    threading.Thread(target=_exit_after_parent, daemon=True).start()


def _exit_after_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)
