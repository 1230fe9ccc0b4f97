#!/usr/bin/env python3
"""Check large numbers for primality with other executors than a pool of processes.

    $ python3 prime_pools.py -x thread
    Checking 20 numbers with 6 threads:
    9999999999999999     0.000012s
    ...

It differs from proc_pool.py in the executor only. Threads share one lock, the GIL, unless Python is
free-threaded. The kind serial is a single thread, as a baseline.
"""

import argparse
import sys
from concurrent import futures
from time import perf_counter
from typing import Any

from primes import NUMBERS
from proc_pool import check
from support.arguments import add_workers_argument, parse
from support.console import fail, plural
from support.exits import orderly_exit

NOUNS = {  # kind of executor: name of a worker
    'thread': 'thread',
    'serial': 'thread',
    'interpreter': 'interpreter',
    'dask': 'dask worker',
}
KINDS = [kind for kind in NOUNS if kind != 'interpreter' or sys.version_info >= (3, 14)]


def main() -> None:
    """Check the numbers with as many workers as the command line asks for."""
    args = process_args()
    with orderly_exit():
        executor = executor_of(args.executor, args.workers, args.scheduler)
        actual_workers = plural(executor._max_workers, NOUNS[args.executor])

        print(f'Checking {len(NUMBERS)} numbers with {actual_workers}:', flush=True)
        numbers = sorted(NUMBERS, reverse=True)
        t0 = perf_counter()
        with executor:
            for n, prime, elapsed in executor.map(check, numbers):
                label = 'P' if prime else ' '
                print(f'{n:16}  {label} {elapsed:9.6f}s', flush=True)
        time = perf_counter() - t0
        print(f'Total time: {time:.2f}s')


def executor_of(kind: str, workers: int | None, scheduler: str | None) -> Any:
    """Return an executor of a kind; fail if it is not available.

    The scheduler is the address of a running dask cluster, or None for a private one.
    """
    if kind == 'thread':
        return futures.ThreadPoolExecutor(workers)
    if kind == 'serial':
        return futures.ThreadPoolExecutor(1)
    if kind == 'interpreter':
        return futures.InterpreterPoolExecutor(workers)  # type: ignore[attr-defined]
    try:
        from dask_executor import DaskExecutor
    except ModuleNotFoundError:
        fail("dask.distributed is not installed; try: pip install '.[cluster]'")
    return DaskExecutor(workers, scheduler)


def process_args() -> argparse.Namespace:
    """Return the number of workers, the kind of executor and the scheduler's address."""
    parser = argparse.ArgumentParser(
        description='Check numbers for primality with other executors.'
    )
    add_workers_argument(parser)
    parser.add_argument(
        '-x',
        '--executor',
        choices=KINDS,
        default='thread',
        help='kind of executor (default: %(default)s; serial: a single thread; '
        'interpreter needs Python 3.14 or later)',
    )
    parser.add_argument(
        '--scheduler',
        metavar='ADDRESS',
        help='address of a dask scheduler whose workers to use; for -x dask',
    )
    args = parse(parser)
    if args.scheduler is not None and args.executor != 'dask':
        parser.error('--scheduler goes with -x dask')
    if args.workers and (args.scheduler is not None or args.executor == 'serial'):
        parser.error('workers: serial has one, and a scheduler has its own')
    return args


if __name__ == '__main__':
    main()
