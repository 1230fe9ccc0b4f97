"""The numbers, and the way to tell which are prime."""

import math

from conftest import RunScript, altered_copy
from cpu_tools import cpu_script, output_of

from primes import NUMBERS, PRIMALITY, is_prime

LIMIT = 20_000
SIEVE = [n > 1 for n in range(LIMIT)]
for n in range(2, math.isqrt(LIMIT) + 1):
    SIEVE[n * n :: n] = [False] * len(SIEVE[n * n :: n])


def passes_fermat_tests(n: int) -> bool:
    """Tell by modular powers, not by division, whether n is very likely prime."""
    return n == 2 or all(pow(base, n - 1, n) == 1 for base in range(2, 40))


def test_is_prime_agrees_with_a_sieve_and_nothing_below_2_is_prime() -> None:
    assert [n for n in range(LIMIT) if is_prime(n) != SIEVE[n]] == []
    assert [n for n in (1, 0, -1, -7, -(10**20)) if is_prime(n)] == []


def test_table_has_20_numbers_and_9_primes_and_agrees_with_fermat() -> None:
    assert sorted(PRIMALITY) == NUMBERS
    assert (len(NUMBERS), sum(PRIMALITY.values())) == (20, 9)
    assert [n for n in NUMBERS if passes_fermat_tests(n) != PRIMALITY[n]] == []


def test_script_checks_and_prints_its_table() -> None:
    with cpu_script('primes.py', numbers=[2, 142702110479723]) as process:
        assert output_of(process) == [f'{2:16}  P', ' 142702110479723  P']


def test_script_fails_if_its_table_is_wrong(run_script: RunScript) -> None:
    run = run_script('primes.py', folder=altered_copy('primes.py', '2: True', '2: False'))
    assert (run.returncode, run.stderr) == (1, 'primes.py: wrong about 2 in PRIMALITY\n')
