"""Executors of several kinds behind the one interface of concurrent.futures.

An opener is a context manager: it yields an executor and the words for what that uses, as in
'12 processes', and stops all workers when the block fails or the program is interrupted.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

from support import interrupts, processes
from support.console import plural

KINDS = ['process', 'thread', 'serial', 'interpreter', 'dask']

T = TypeVar('T')
Opener = Callable[[int | None, str | None], AbstractContextManager[tuple[Executor, str]]]


class UnavailableError(Exception):
    """There is nothing that could do the work, or no longer."""


class SerialExecutor(Executor):
    """No pool: each call is made in the current thread, when its result is asked for."""

    def map(self, fn: Callable[..., T], *iterables: Iterable[Any], **_options: Any) -> Iterator[T]:
        """Return what the built-in map does."""
        return map(fn, *iterables)


@contextmanager
def process_pool(workers: int | None, _scheduler: str | None) -> Iterator[tuple[Executor, str]]:
    """Open a pool of processes, by default one per CPU."""
    count = workers or processes.default_workers()
    with processes.pool(count, processes.follow_parent) as executor:
        yield executor, plural(count, 'process', 'processes')


@contextmanager
def thread_pool(workers: int | None, _scheduler: str | None) -> Iterator[tuple[Executor, str]]:
    """Open a pool of threads."""
    with ThreadPoolExecutor(workers) as executor, interrupts.stop_on_failure():
        yield executor, plural(executor._max_workers, 'thread')


@contextmanager
def no_pool(_workers: int | None, _scheduler: str | None) -> Iterator[tuple[Executor, str]]:
    """Open nothing: the baseline."""
    yield SerialExecutor(), 'no pool'


@contextmanager
def dask_cluster(workers: int | None, scheduler: str | None) -> Iterator[tuple[Executor, str]]:
    """Open the executor of a dask cluster: the scheduler's, or one of local processes."""
    try:
        from support import cluster
    except ModuleNotFoundError as exc:
        advice = 'pip install distributed'
        raise UnavailableError(f'dask.distributed is not installed; try: {advice}') from exc
    local_workers = workers or processes.default_workers()
    with cluster.opened(scheduler, local_workers) as (executor, count):
        yield executor, plural(count, 'dask worker')


OPENERS: dict[str, Opener] = {
    'process': process_pool,
    'thread': thread_pool,
    'serial': no_pool,
    'dask': dask_cluster,
}

if sys.version_info >= (3, 14):
    from concurrent.futures import InterpreterPoolExecutor

    @contextmanager
    def interpreter_pool(
        workers: int | None, _scheduler: str | None
    ) -> Iterator[tuple[Executor, str]]:
        """Open a pool of threads, each with an interpreter and therefore a lock of its own."""
        with InterpreterPoolExecutor(workers) as executor, interrupts.stop_on_failure():
            yield executor, plural(executor._max_workers, 'interpreter')

    OPENERS['interpreter'] = interpreter_pool
