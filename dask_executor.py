"""An executor on a dask cluster: a running one, or a private one on this machine."""

import asyncio
import logging
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor, Executor
from pathlib import Path
from typing import Any

import cloudpickle
from distributed import Client, KilledWorker, LocalCluster, rpc
from distributed.client import FutureCancelledError

from support import interrupts, signals
from support.arguments import cpu_count
from support.console import description, fail
from support.workers import prepare_spawning

ROOT = Path(__file__).resolve().parent
TIMEOUT = 4.0  # seconds to wait for a scheduler, and for its first worker


class DaskExecutor(Executor):
    """An executor that runs calls on a dask cluster, and closes a private cluster at the end."""

    def __init__(self, workers: int | None, scheduler: str | None) -> None:
        """Connect to the scheduler at an address, or start local workers."""
        logging.disable()  # dask logs every interruption and lost worker at length
        self.cluster = None
        if scheduler:
            asyncio.run(make_contact(scheduler))
        else:
            prepare_spawning()
            try:
                self.cluster = local_cluster(workers or cpu_count())
            except RuntimeError as exc:
                fail(f'dask cannot start its workers: {description(exc)}')
            interrupts.run.others |= signals.children()  # which dask would replace after a signal
        self.client = Client(scheduler or self.cluster, timeout=TIMEOUT)
        try:
            self.client.wait_for_workers(1, timeout=TIMEOUT)
        except TimeoutError:
            self.shutdown()
            fail('the dask scheduler has no workers')
        threads: Any = self.client.nthreads()
        self._max_workers = len(threads)

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], **options: Any) -> Any:
        """Yield the results of the client's own executor; raise BrokenExecutor if workers die."""
        for module in list(sys.modules.values()):
            if Path(getattr(module, '__file__', None) or '/').parent == ROOT:
                cloudpickle.register_pickle_by_value(module)  # workers may not have it

        def call(*args: Any) -> Any:  # an inner function is pickled by value
            return fn(*args)

        try:
            yield from self.client.get_executor().map(call, *iterables, **options)
        except (KilledWorker, FutureCancelledError) as exc:
            raise BrokenExecutor from exc

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Close the client, and the cluster if it is private."""
        self.client.close()
        if self.cluster:
            self.cluster.close()


def local_cluster(workers: int) -> LocalCluster:
    """Return a cluster of this many workers, which only this machine can reach."""
    with signals.blocked():  # otherwise workers print tracebacks on Ctrl-C
        return LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address='127.0.0.1:0',  # by default it listens on all interfaces
            silence_logs=logging.CRITICAL,
        )


async def make_contact(scheduler: str) -> None:
    """Ask a scheduler who it is: a client might wait for it forever."""
    try:
        async with asyncio.timeout(TIMEOUT), rpc(scheduler) as remote:
            await remote.identity()
    except Exception:  # anything may answer at a wrong address
        fail(f'no dask scheduler answers at {scheduler!r}')
