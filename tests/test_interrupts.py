"""How programs end on signals, and when their output has no reader or no room."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from conftest import PATIENCE, StartScript, command, members, started, wait_until
from cpu_tools import METHODS
from raw_server import misbehaving

from support import interrupts
from support.exits import orderly_exit

JOBS = 'tests/jobs.py'
INTERRUPTED = 'jobs.py: interrupted\n'
MAX_TIME = 1.5  # seconds from a signal to the end, whatever is going on


def first_line(job: subprocess.Popen[str]) -> str:
    """Return the line that a job prints when it is ready."""
    assert job.stdout
    return job.stdout.readline().rstrip()


def has_no_members(session: int) -> bool:
    """Tell whether all processes of a session have ended."""
    return not members(session)


@pytest.mark.parametrize('times', [1, 2])
@pytest.mark.parametrize('kill', [os.kill, os.killpg])
@pytest.mark.parametrize('signum', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_all_waiting_workers_with_one_line(
    signum: signal.Signals, kill: Callable[[int, int], None], times: int, start_script: StartScript
) -> None:
    with misbehaving('never answers') as server:
        job = start_script(JOBS, 'wait_in_threads', server.url)
        wait_until(lambda: len(server.connections) == 3)
        start = time.monotonic()
        for _ in range(times):
            kill(job.pid, signum)
            time.sleep(0.01)
        assert job.communicate(timeout=PATIENCE) == ('', INTERRUPTED)
        assert time.monotonic() - start < interrupts.GRACE
    assert job.returncode == 128 + signum
    assert len(server.connections) == 3


@pytest.mark.parametrize('signum', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_main_thread_that_computes_gets_a_keyboard_interrupt(
    signum: signal.Signals, start_script: StartScript
) -> None:
    job = start_script(JOBS, 'compute')
    first_line(job)
    job.send_signal(signum)
    assert job.communicate(timeout=PATIENCE) == ('KeyboardInterrupt\n', INTERRUPTED)
    assert job.returncode == 128 + signum


@pytest.mark.parametrize('times', [1, 3])
def test_work_that_cannot_be_broken_off_does_not_delay_the_end(
    times: int, start_script: StartScript
) -> None:
    job = start_script(JOBS, 'sleep_in_threads')
    first_line(job)
    start = time.monotonic()
    for _ in range(times):
        job.send_signal(signal.SIGINT)
        time.sleep(0.1)
    assert job.communicate(timeout=PATIENCE) == ('', INTERRUPTED)
    assert job.returncode == 130
    assert time.monotonic() - start < MAX_TIME


@pytest.mark.parametrize('method', METHODS)
def test_processes_end_in_silence_at_random_moments_also_while_they_start(
    method: str, start_script: StartScript, rng: random.Random
) -> None:
    for _ in range(5):
        job = start_script(JOBS, 'sleep_in_processes', method)
        first_line(job)
        time.sleep(rng.uniform(0, 0.4))
        start = time.monotonic()
        os.killpg(job.pid, rng.choice([signal.SIGINT, signal.SIGHUP]))
        assert job.communicate(timeout=PATIENCE) == ('', INTERRUPTED)
        assert time.monotonic() - start < MAX_TIME
        assert job.returncode in (128 + signal.SIGINT, 128 + signal.SIGHUP)
        wait_until(partial(has_no_members, job.pid))


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='this system cannot fork')
@pytest.mark.parametrize('signum', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_to_a_forked_process_does_not_disturb_its_parent(
    signum: signal.Signals, start_script: StartScript
) -> None:
    job = start_script(JOBS, 'fork')
    child = int(first_line(job))
    os.kill(child, signum)
    assert job.communicate(timeout=PATIENCE) == (f'{128 + signum}\n', '')
    assert job.returncode == 0


@pytest.mark.parametrize('flush', ['flush', 'no flush'])
def test_reader_of_the_output_that_leaves_ends_it_in_silence(
    flush: str, start_script: StartScript
) -> None:
    job = start_script(JOBS, 'print_lines', 10**9, flush)
    assert job.stdout
    assert job.stderr
    first_line(job)
    job.stdout.close()
    assert job.wait(PATIENCE) == 128 + signal.SIGPIPE
    assert job.stderr.read() == ''


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('signum', [signal.SIGINT, signal.SIGKILL])
def test_worker_process_completes_a_file_before_it_ends(
    signum: int, method: str, start_script: StartScript
) -> None:
    job = start_script(JOBS, 'write_in_processes', method)
    assert first_line(job) == 'ready'
    job.send_signal(signum)
    wait_until(lambda: not members(job.pid))
    assert Path('whole').exists()


def test_ctrl_c_may_end_the_reader_of_the_output_too(start_script: StartScript) -> None:
    with misbehaving('never answers') as server:
        job = start_script(JOBS, 'wait_in_threads', server.url)
        wait_until(lambda: len(server.connections) == 3)
        assert job.stdout
        assert job.stderr
        job.stdout.close()
        job.send_signal(signal.SIGINT)
        assert job.wait(PATIENCE) == 130
        assert job.stderr.read() == INTERRUPTED


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='needs /dev/full')
@pytest.mark.parametrize('flush', ['flush', 'no flush'])
@pytest.mark.parametrize('count', [1, 10**6])
def test_output_without_room_is_told_in_one_line(count: int, flush: str) -> None:
    with (
        Path('/dev/full').open('w') as full,
        started(command(JOBS, 'print_lines', count, flush), stdout=full) as job,
    ):
        assert job.communicate(timeout=PATIENCE)[1] == 'jobs.py: No space left on device\n'
    assert job.returncode == 1


def test_signals_are_as_before_once_the_work_is_done() -> None:
    before = {number: signal.getsignal(number) for number in interrupts.SIGNALS}
    with orderly_exit():
        assert signal.getsignal(signal.SIGTERM) != before[signal.SIGTERM]
    assert {number: signal.getsignal(number) for number in interrupts.SIGNALS} == before
