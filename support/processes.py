"""Worker processes that end when their program does, however that happens."""

import argparse
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any, TypeVar

from support import interrupts

T = TypeVar('T')

_starting = threading.Lock()  # held while a pool starts processes: it takes losses badly then

GRACE = 0.3  # seconds for a process to wind down, so that there are some left for the others
MAX_WORKERS = 61 if sys.platform == 'win32' else 256  # Windows cannot wait for more


def default_workers() -> int:
    """Return how many processes a pool takes, but no more than there are CPUs for this one."""
    cpus = getattr(os, 'process_cpu_count', os.cpu_count)() or 1
    if sys.platform != 'win32' and sys.platform != 'darwin':
        cpus = min(cpus, len(os.sched_getaffinity(0)))
    return min(cpus, MAX_WORKERS)


def add_workers_argument(parser: argparse.ArgumentParser) -> None:
    """Let the user choose a number of workers."""
    parser.add_argument(
        'workers',
        nargs='?',
        type=worker_count,
        help=f'number of workers, {MAX_WORKERS} at most (default: depends on the CPUs)',
    )


def worker_count(text: str) -> int:
    """Return a number of workers: a type for argparse.

    >>> worker_count('12')
    12
    """
    if not (text.isdecimal() and 1 <= int(text) <= MAX_WORKERS):
        raise argparse.ArgumentTypeError(f'{text!r} is not a number from 1 to {MAX_WORKERS}')
    return int(text)


class Pool(ProcessPoolExecutor):
    """A pool whose processes can be terminated at any time, and all at once."""

    def map(self, fn: Callable[..., T], *iterables: Iterable[Any], **options: Any) -> Iterator[T]:
        """Return what the base class does, but keep the results for as long as the pool lives.

        If nobody held them, they would be cancelled as soon as the caller fails; a pool that
        breaks after that ends with a traceback before Python 3.12.
        """
        with _starting:
            self._results = super().map(fn, *iterables, **options)
        return self._results


@contextmanager
def pool(
    workers: int, initializer: Callable[..., object], *initargs: object
) -> Iterator[ProcessPoolExecutor]:
    """Open a pool of so many processes that end if the block fails or the program has to stop."""
    start_resource_tracker(multiprocessing.get_start_method())
    with (
        Pool(workers, initializer=initializer, initargs=initargs) as executor,
        ending_together(),
        interrupts.stop_on_failure(),
    ):
        yield executor


@contextmanager
def ending_together() -> Iterator[None]:
    """Have the block's processes terminated if the program has to stop."""
    start_resource_tracker(multiprocessing.get_start_method())
    with interrupts.ended(terminate_children):
        yield


def start_resource_tracker(method: str) -> None:
    """Start the process that most start methods need, without letting Ctrl-C through.

    Before Python 3.13, whatever thread starts it takes SIGINT again, and so do its children.
    """
    if sys.platform != 'win32' and method != 'fork':
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def terminate_children() -> None:
    """Send SIGTERM to all processes that multiprocessing has started here."""
    with _starting:
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
