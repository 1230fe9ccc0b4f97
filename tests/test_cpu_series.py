"""What proc_pool.py and procs.py both promise."""

import argparse
import signal

import pytest
from conftest import RunScript, members, press_ctrl_c, wait_until
from cpu_tools import (
    LARGE,
    METHODS,
    SMALL,
    SMALL_ENDS,
    answers,
    assert_interrupted,
    assert_reader_may_leave,
    cpu_script,
    output_of,
    wait_until_busy,
)

from primes import PRIMALITY
from support.arguments import MAX_WORKERS, worker_count


@pytest.fixture(params=['proc_pool.py', 'procs.py'])
def script(request: pytest.FixtureRequest) -> str:
    """Run a test with each script in turn."""
    name: str = request.param
    return name


@pytest.mark.parametrize('method', METHODS)
def test_answers_are_right_however_processes_start(script: str, method: str) -> None:
    with cpu_script(script, 2, numbers=SMALL, method=method) as process:
        lines = output_of(process)
    assert lines[0] == 'Checking 4 numbers with 2 processes:'
    assert answers(lines) == {n: PRIMALITY[n] for n in SMALL}


@pytest.mark.parametrize('method', METHODS)
def test_ctrl_c_ends_all_processes(script: str, method: str) -> None:
    with cpu_script(script, 2, numbers=[LARGE] * 20, method=method) as process:
        wait_until_busy(process)
        press_ctrl_c(process)
        assert_interrupted(process, script)


@pytest.mark.parametrize('method', METHODS)
def test_signal_to_the_main_process_alone_ends_all(script: str, method: str) -> None:
    with cpu_script(script, 2, numbers=[LARGE] * 20, method=method) as process:
        wait_until_busy(process)
        process.send_signal(signal.SIGINT)
        assert_interrupted(process, script)


@pytest.mark.parametrize('method', METHODS)
def test_workers_end_when_their_program_is_killed(script: str, method: str) -> None:
    with cpu_script(script, 2, numbers=[LARGE] * 20, method=method) as process:
        wait_until_busy(process)
        process.kill()
        wait_until(lambda: not members(process.pid))


def test_reader_may_leave_after_the_first_line(script: str) -> None:
    with cpu_script(script, 2, numbers=SMALL_ENDS) as process:
        assert_reader_may_leave(process)


def test_bad_number_of_workers_is_a_usage_error(script: str, run_script: RunScript) -> None:
    done = run_script(script, '0')
    assert (done.returncode, done.stdout) == (2, '')
    assert done.stderr.startswith(f'usage: {script}')
    assert f"'0' is not a number from 1 to {MAX_WORKERS}" in done.stderr


@pytest.mark.parametrize('count', ['0', '-1', 'x', '1e9', str(MAX_WORKERS + 1), '', '²'])
def test_other_numbers_of_workers_are_refused(count: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        worker_count(count)
    assert worker_count(str(MAX_WORKERS)) == MAX_WORKERS
