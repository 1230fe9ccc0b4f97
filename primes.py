#!/usr/bin/env python3
"""Numbers that keep a CPU busy, and a slow test of which of them are prime.

    $ python3 primes.py
                   2  P
     142702110479723  P
    ...
    9999999999999917  P
    9999999999999999

Most of the large numbers are prime, or squares of primes: the slowest cases for trial division.
"""

import argparse
import math

from support.arguments import parse
from support.console import fail
from support.exits import orderly_exit

PRIMALITY = {
    2: True,
    142702110479723: True,
    299593572317531: True,
    3333333333333301: True,
    3333333333333333: False,
    3333335652092209: False,
    4444444444444423: True,
    4444444444444444: False,
    4444444488888889: False,
    5555553133149889: False,
    5555555555555503: True,
    5555555555555555: False,
    6666666666666666: False,
    6666666666666719: True,
    6666667141414921: False,
    7777777536340681: False,
    7777777777777753: True,
    7777777777777777: False,
    9999999999999917: True,
    9999999999999999: False,
}

NUMBERS = list(PRIMALITY)


def is_prime(n: int) -> bool:
    """Return whether n is prime, by trial division, which is slow on purpose.

    >>> [n for n in range(20) if is_prime(n)]
    [2, 3, 5, 7, 11, 13, 17, 19]
    """
    if n < 3 or n % 2 == 0:
        return n == 2
    odd_divisors = range(3, math.isqrt(n) + 1, 2)
    return all(n % divisor for divisor in odd_divisors)


def main() -> None:
    """Print the numbers, and mark the primes; fail if the table is wrong."""
    parse(argparse.ArgumentParser(description='Check the table of large numbers.'))
    with orderly_exit():
        for n in NUMBERS:
            prime = is_prime(n)
            print(f'{n:16}  P' if prime else f'{n:16}', flush=True)
            if prime != PRIMALITY[n]:
                fail(f'wrong about {n} in PRIMALITY')


if __name__ == '__main__':
    main()
