"""Worker processes that end when their program does, however that happens."""

import multiprocessing
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import interrupts


@contextmanager
def ending_together() -> Iterator[None]:
    """Terminate the processes started in the block if the program has to stop."""
    with interrupts.breakable(terminate_children):
        yield


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
