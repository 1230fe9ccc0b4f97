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
from concurrent.futures import BrokenExecutor, Executor
from contextlib import AbstractContextManager
from time import perf_counter

from primes import NUMBERS, PrimeResult, is_prime
from support import executors, interrupts, processes
from support.console import fail, reason, say
from support.measures import hand_over


def check(n: int) -> PrimeResult:
    """Find out whether n is prime."""
    start = perf_counter()
    flag = is_prime(n)
    return PrimeResult(n, flag, perf_counter() - start)


def main() -> None:
    """Check the numbers with the executor that the command line asks for."""
    args = process_args()
    try:
        with interrupts.handled():
            check_many(NUMBERS, executors.OPENERS[args.executor](args.workers, args.scheduler))
    except BrokenExecutor:
        fail('a worker died before its work was done')
    except executors.UnavailableError as exc:
        fail(str(exc))
    except OSError as exc:
        fail(reason(exc))


def check_many(numbers: list[int], opener: AbstractContextManager[tuple[Executor, str]]) -> None:
    """Check numbers with an executor; report the results in descending order."""
    with opener as (executor, means):
        say(f'Checking {len(numbers)} numbers with {means}:')
        start = perf_counter()
        for result in executor.map(check, sorted(numbers, reverse=True)):
            say(format_result(result))
        elapsed = perf_counter() - start
        say(f'Total time: {elapsed:.2f}s')
        hand_over(elapsed)


def format_result(result: PrimeResult) -> str:
    """Return a line of the report.

    >>> format_result(PrimeResult(2, True, 0.000001))
    '               2  P  0.000001s'
    """
    mark = 'P' if result.flag else ' '
    return f'{result.n:16}  {mark} {result.elapsed:9.6f}s'


def process_args() -> argparse.Namespace:
    """Return the number of workers, the kind of executor and the scheduler's address."""
    parser = argparse.ArgumentParser(description='Check numbers for primality concurrently.')
    processes.add_workers_argument(parser)
    parser.add_argument(
        '-x',
        '--executor',
        choices=executors.KINDS,
        default='process',
        help='kind of executor (default: %(default)s)',
    )
    parser.add_argument(
        '--scheduler', metavar='ADDRESS', help="use this dask scheduler's workers; for -x dask"
    )
    args = parser.parse_args()
    if args.executor not in executors.OPENERS:
        parser.error(f'-x {args.executor} needs Python 3.14 or later')
    if args.scheduler is not None and args.executor != 'dask':
        parser.error('--scheduler goes with -x dask')
    if args.scheduler is not None and args.workers:
        parser.error('workers: the scheduler has its own')
    return args


if __name__ == '__main__':
    main()
