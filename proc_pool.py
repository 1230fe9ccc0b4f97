#!/usr/bin/env python3
"""Check large numbers for primality with a pool of processes, or with another executor.

    $ python3 proc_pool.py 12
    Checking 20 numbers with 12 processes:
    9999999999999999     0.000039s
    9999999999999917  P 10.141609s
    7777777777777777     0.000031s
    ...
                   2  P  0.000001s
    Total time: 10.17s

Results come in the order of the numbers: it appears stuck after the first, until the largest
prime is done; by then the others are ready too.
"""

import argparse
from concurrent import futures
from time import perf_counter
from typing import Any, NamedTuple

from primes import NUMBERS, is_prime
from support.console import good_end, plural
from support.workers import (
    KINDS,
    NOUNS,
    add_workers_argument,
    other_executor,
    quiet_processes,
)


class PrimeResult(NamedTuple):
    """A number, whether it is prime, and how many seconds it took to find out."""

    n: int
    flag: bool
    elapsed: float


def check(n: int) -> PrimeResult:
    """Find out whether n is prime."""
    t0 = perf_counter()
    res = is_prime(n)
    return PrimeResult(n, res, perf_counter() - t0)


def main() -> None:
    """Check the numbers with as many workers as the command line asks for."""
    args = process_args()
    workers: int | None = args.workers
    with good_end():
        executor: Any
        if args.executor == 'process':
            executor = futures.ProcessPoolExecutor(workers, mp_context=quiet_processes())
        else:
            executor = other_executor(args.executor, workers, args.scheduler)
        actual_workers = plural(executor._max_workers, args.noun)

        print(f'Checking {len(NUMBERS)} numbers with {actual_workers}:', flush=True)
        numbers = sorted(NUMBERS, reverse=True)
        t0 = perf_counter()
        with executor:
            for n, prime, elapsed in executor.map(check, numbers):
                label = 'P' if prime else ' '
                print(f'{n:16}  {label} {elapsed:9.6f}s', flush=True)
        elapsed = perf_counter() - t0
        print(f'Total time: {elapsed:.2f}s')


def process_args() -> argparse.Namespace:
    """Return the number of workers, the kind of executor and the scheduler's address."""
    parser = argparse.ArgumentParser(description='Check numbers for primality concurrently.')
    add_workers_argument(parser)
    parser.add_argument(
        '-x',
        '--executor',
        choices=KINDS,
        default='process',
        help='kind of executor (default: %(default)s; interpreter needs Python 3.14 or later)',
    )
    parser.add_argument(
        '--scheduler', metavar='ADDRESS', help="use this dask scheduler's workers; for -x dask"
    )
    args = parser.parse_args()
    if args.scheduler is not None and args.executor != 'dask':
        parser.error('--scheduler goes with -x dask')
    if args.scheduler is not None and args.workers:
        parser.error('workers: the scheduler has its own')
    args.noun = NOUNS.get(args.executor, args.executor)
    return args


if __name__ == '__main__':
    main()
