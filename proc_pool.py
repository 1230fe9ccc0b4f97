#!/usr/bin/env python3
"""Check large numbers for primality with a pool of processes.

    $ python3 proc_pool.py 12
    Checking 20 numbers with 12 processes:
    9999999999999999     0.000039s
    9999999999999917  P 10.141609s
    7777777777777777     0.000031s
    ...
                   2  P  0.000001s
    Total time: 10.17s

Results come in the order of the numbers. The script seems to hang after the first result, until the
largest prime is done. By then the other results are ready.
"""

import argparse
from concurrent import futures
from time import perf_counter
from typing import NamedTuple

from primes import NUMBERS, is_prime
from support.arguments import add_workers_argument, parse
from support.console import plural
from support.exits import orderly_exit
from support.workers import quiet_processes


class PrimeResult(NamedTuple):
    """A number, whether it is prime, and how many seconds the check took."""

    n: int
    flag: bool
    elapsed: float


def check(n: int) -> PrimeResult:
    """Return whether n is prime, and how long the check took."""
    t0 = perf_counter()
    res = is_prime(n)
    return PrimeResult(n, res, perf_counter() - t0)


def main() -> None:
    """Check the numbers with as many processes as the command line asks for."""
    parser = argparse.ArgumentParser(description='Check numbers for primality in a pool.')
    add_workers_argument(parser)
    workers: int | None = parse(parser).workers
    with orderly_exit():
        executor = futures.ProcessPoolExecutor(workers, mp_context=quiet_processes())
        actual_workers = executor._max_workers

        print(
            f'Checking {len(NUMBERS)} numbers with {plural(actual_workers, "process")}:',
            flush=True,
        )
        numbers = sorted(NUMBERS, reverse=True)
        t0 = perf_counter()
        with executor:
            for n, prime, elapsed in executor.map(check, numbers):
                label = 'P' if prime else ' '
                print(f'{n:16}  {label} {elapsed:9.6f}s', flush=True)
        time = perf_counter() - t0
        print(f'Total time: {time:.2f}s')


if __name__ == '__main__':
    main()
