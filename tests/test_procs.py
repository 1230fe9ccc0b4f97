"""Tests of procs.py."""

import os
import signal
import time
from collections.abc import Callable

import pytest
from conftest import RunScript, wait_until
from cpu_tools import (
    BAD_COUNTS,
    LARGE,
    METHODS,
    SMALL,
    answers,
    assert_interrupted,
    assert_reader_may_leave,
    cpu_script,
    members,
    output_of,
    wait_until_busy,
)

from primes import PRIMALITY


@pytest.mark.parametrize('method', METHODS)
def test_results_come_in_the_order_of_completion(method: str) -> None:
    with cpu_script('procs.py', 2, numbers=[LARGE, *SMALL], method=method) as process:
        lines = output_of(process)
    found = answers(lines)
    assert lines[0] == 'Checking 5 numbers with 2 processes:'
    assert found == {n: PRIMALITY[n] for n in [LARGE, *SMALL]}
    assert list(found)[-1] == LARGE
    assert lines[-1].startswith('5 checks in ')


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('kill', [os.kill, os.killpg])
def test_ctrl_c_ends_all_processes(method: str, kill: Callable[[int, int], None]) -> None:
    with cpu_script('procs.py', 2, numbers=[LARGE] * 4, method=method) as process:
        wait_until_busy(process)
        kill(process.pid, signal.SIGINT)
        assert_interrupted(process, 'procs.py')


@pytest.mark.parametrize('method', METHODS)
def test_workers_end_when_their_program_is_killed(method: str) -> None:
    with cpu_script('procs.py', 2, numbers=[LARGE] * 4, method=method) as process:
        wait_until_busy(process)
        process.kill()
        wait_until(lambda: not members(process.pid))


def test_killed_worker_is_named() -> None:
    with cpu_script('procs.py', 2, numbers=[LARGE] * 4, method='fork') as process:
        wait_until_busy(process)
        victim = max(members(process.pid))
        os.kill(victim, signal.SIGKILL)
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 1
    assert errors == f'procs.py: worker 2 (process {victim}) died: exit code -9\n'


def test_many_killed_workers_never_make_it_hang() -> None:
    for delay in range(8):
        with cpu_script('procs.py', 4, numbers=[2] * 3000 + [LARGE] * 2, method='fork') as process:
            wait_until_busy(process)
            time.sleep(delay / 50)
            os.kill(max(members(process.pid)), signal.SIGKILL)
            process.communicate(timeout=20)
        assert process.returncode == 1


@pytest.mark.parametrize('count', BAD_COUNTS)
def test_bad_number_of_workers_is_a_usage_error(run_script: RunScript, count: str) -> None:
    done = run_script('procs.py', count)
    assert (done.returncode, done.stdout) == (2, '')
    assert done.stderr.startswith('usage: procs.py')


def test_reader_may_leave_after_the_first_line() -> None:
    with cpu_script('procs.py', 2, numbers=[2, LARGE, LARGE, LARGE]) as process:
        assert_reader_may_leave(process)
