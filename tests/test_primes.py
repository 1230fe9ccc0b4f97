"""The numbers, and the way to tell which are prime."""

import math

import pytest
from conftest import altered_copy, command, started
from cpu_tools import cpu_script, output_of
from hypothesis import given
from hypothesis import strategies as st

from primes import NUMBERS, PRIMALITY, is_prime

LIMIT = 20_000
SIEVE = [n > 1 for n in range(LIMIT)]
for n in range(2, math.isqrt(LIMIT) + 1):
    SIEVE[n * n :: n] = [False] * len(SIEVE[n * n :: n])

CARMICHAEL = [561, 1105, 1729, 2465, 2821, 6601, 8911, 41041, 825265]


def passes_fermat_tests(n: int) -> bool:
    """Tell by modular powers, not by division, whether n is very likely prime."""
    return n == 2 or all(pow(base, n - 1, n) == 1 for base in range(2, 40))


@given(st.integers(0, LIMIT - 1))
def test_is_prime_agrees_with_a_sieve(n: int) -> None:
    assert is_prime(n) == SIEVE[n]


@pytest.mark.parametrize('n', CARMICHAEL)
def test_carmichael_numbers_are_not_prime(n: int) -> None:
    assert not is_prime(n)


@given(st.sampled_from([n for n in range(LIMIT) if SIEVE[n]]))
def test_squares_of_primes_are_not_prime(n: int) -> None:
    assert not is_prime(n * n)


@given(st.integers(max_value=1))
def test_nothing_below_2_is_prime(n: int) -> None:
    assert not is_prime(n)


def test_table_has_20_numbers_and_9_primes() -> None:
    assert sorted(PRIMALITY) == NUMBERS
    assert (len(NUMBERS), sum(PRIMALITY.values())) == (20, 9)


@pytest.mark.parametrize('n', NUMBERS)
def test_table_agrees_with_fermat(n: int) -> None:
    assert passes_fermat_tests(n) == PRIMALITY[n]


def test_script_checks_and_prints_its_table() -> None:
    with cpu_script('primes.py', numbers=[2, 142702110479723]) as process:
        assert output_of(process) == [f'{2:16}  P', ' 142702110479723  P']


def test_script_fails_if_its_table_is_wrong() -> None:
    folder = altered_copy('primes.py', '2: True', '2: False')
    with started(command('primes.py', folder=folder)) as process:
        assert process.communicate()[1] == 'primes.py: wrong about 2 in PRIMALITY\n'
    assert process.returncode == 1
