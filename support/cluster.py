"""Work on a dask cluster: one that runs somewhere, or a private one on this machine."""

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from functools import partial

import cloudpickle
from distributed import Client, Future, KilledWorker, LocalCluster, rpc
from distributed.client import FutureCancelledError

import primes
from support import interrupts, processes
from support.executors import UnavailableError

TIMEOUT = 4.0  # seconds to wait for a scheduler, and then for its first worker


@contextmanager
def opened(scheduler: str | None, workers: int) -> Iterator[tuple[Executor, int]]:
    """Yield an executor on a scheduler's workers, or on so many local ones; and their number.

    Raise UnavailableError if there is no such scheduler, or if it or its workers are lost.
    """
    logging.disable()  # dask would explain every interruption and loss at length
    cloudpickle.register_pickle_by_value(primes)  # workers may run where they cannot import it
    with (
        connected(scheduler, workers) as client,
        interrupts.breakable(partial(cancel_all, client)),
        interrupts.stop_on_failure(),
        losses_explained(),
    ):
        yield client.get_executor(), len(client.nthreads())


@contextmanager
def connected(scheduler: str | None, workers: int) -> Iterator[Client]:
    """Yield a client of the scheduler at an address, or of a cluster of local processes."""
    if scheduler is None:
        processes.start_resource_tracker('spawn')  # dask's method
        with (
            processes.ending_together(),
            local_cluster(workers) as cluster,
            Client(cluster) as client,
        ):
            yield client
    else:
        asyncio.run(make_contact(scheduler))
        with Client(scheduler, timeout=TIMEOUT) as client:
            wait_for_worker(client)
            yield client


def local_cluster(workers: int) -> LocalCluster:
    """Start worker processes, and a scheduler that only this machine can reach."""
    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        dashboard_address='127.0.0.1:0',
        silence_logs=logging.CRITICAL,
    )


async def make_contact(scheduler: str) -> None:
    """Exchange greetings with a scheduler, which a client might wait for without end."""
    try:
        async with asyncio.timeout(TIMEOUT), rpc(scheduler) as remote:
            await remote.identity()
    except Exception as exc:  # there is no telling what a wrong address leads to
        raise UnavailableError(f'no dask scheduler answers at {scheduler!r}') from exc


def wait_for_worker(client: Client) -> None:
    """Raise UnavailableError if no worker is there, or comes within some seconds."""
    try:
        client.wait_for_workers(1, timeout=TIMEOUT)
    except TimeoutError as exc:
        raise UnavailableError('the dask scheduler has no workers') from exc


def cancel_all(client: Client) -> None:
    """Make whoever waits for a result get an exception instead."""
    client.cancel([Future(key, client) for key in list(client.futures)])


@contextmanager
def losses_explained() -> Iterator[None]:
    """Raise UnavailableError if the block fails because the cluster does."""
    try:
        yield
    except KilledWorker as exc:
        raise UnavailableError('dask workers died, too many to try again') from exc
    except FutureCancelledError as exc:
        raise UnavailableError('the dask scheduler is gone') from exc
