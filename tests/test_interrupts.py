"""How a program that many workers carry out comes to its end."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from conftest import PATIENCE, ROOT, started

from support import interrupts

PREAMBLE = f"""
import os, signal, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
sys.path.insert(0, {str(ROOT)!r})
from support import interrupts

def wait():
    '''Wait, as for a server that does not answer.'''
    told = threading.Event()
    with interrupts.breakable(told.set):
        told.wait(60)

def ready():
    print('ready', flush=True)
"""

StartJob = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def start_job(tmp_path: Path) -> Iterator[StartJob]:
    """Start a script with some code in it; return when it has printed that it is ready."""
    with ExitStack() as stack:

        def start(code: str) -> subprocess.Popen[str]:
            path = tmp_path / 'job.py'
            path.write_text(PREAMBLE + textwrap.dedent(code))
            job = stack.enter_context(started([sys.executable, str(path)]))
            assert job.stdout
            assert job.stdout.readline() == 'ready\n'
            return job

        yield start


def rest(job: subprocess.Popen[str]) -> tuple[str, str]:
    """Wait for the end of a job; return the rest of its output, and its complaints."""
    job.wait(PATIENCE)
    assert job.stdout
    assert job.stderr
    return job.stdout.read(), job.stderr.read()


WAITING_WORKERS = """
    with interrupts.handled(), ThreadPoolExecutor(3) as executor:
        futures = [executor.submit(wait) for _ in range(100)]
        ready()
        for future in futures:
            future.result()
"""


def test_overdue_work_is_broken_off() -> None:
    told = threading.Event()
    with interrupts.breakable(told.set, seconds=0.1):
        assert told.wait(PATIENCE)


def test_work_in_time_is_left_alone() -> None:
    told = threading.Event()
    with interrupts.breakable(told.set, seconds=0.1):
        pass
    assert not told.wait(0.3)


def test_failure_outside_of_a_run_stops_nothing() -> None:
    with pytest.raises(ZeroDivisionError), interrupts.stop_on_failure():
        raise ZeroDivisionError
    interrupts.check()
    assert not interrupts.is_stopping()


@pytest.mark.parametrize('to_group', [False, True])
@pytest.mark.parametrize('times', [1, 2])
@pytest.mark.parametrize('signum', [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_all_workers_with_one_line(
    signum: signal.Signals, times: int, to_group: bool, start_job: StartJob
) -> None:
    job = start_job(WAITING_WORKERS)
    for _ in range(times):
        os.killpg(job.pid, signum) if to_group else os.kill(job.pid, signum)
        time.sleep(0.01)
    assert rest(job) == ('', 'job.py: interrupted\n')
    assert job.wait(PATIENCE) == 128 + signum


def test_ctrl_c_that_was_blocked_before_the_run_stops_it(start_job: StartJob) -> None:
    job = start_job("""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        os.kill(os.getpid(), signal.SIGINT)
        ready()
        with interrupts.handled():
            wait()
    """)
    assert rest(job) == ('', 'job.py: interrupted\n')


def test_no_signal_counts_while_the_interpreter_shuts_down(start_job: StartJob) -> None:
    job = start_job("""
        import atexit
        atexit.register(lambda: print(signal.getsignal(signal.SIGINT).name))
        with interrupts.handled():
            ready()
            wait()
    """)
    job.send_signal(signal.SIGINT)
    assert rest(job) == ('SIG_IGN\n', 'job.py: interrupted\n')


def test_signal_to_a_newborn_process_does_not_reach_its_parent(start_job: StartJob) -> None:
    job = start_job("""
        os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))
        del sys.modules['interrupts']
        from support import interrupts  # again, for its hooks to come after that one
        with interrupts.handled():
            child = os.fork()
            if not child:
                time.sleep(10)
                os._exit(0)
            ready()
            _, status = os.waitpid(child, 0)
            time.sleep(0.2)
            print(os.waitstatus_to_exitcode(status))
    """)
    assert rest(job) == (f'{-signal.SIGTERM}\n', '')


def test_work_that_cannot_be_broken_off_does_not_delay_the_end(start_job: StartJob) -> None:
    job = start_job("""
        with interrupts.handled(), ThreadPoolExecutor() as executor:
            future = executor.submit(time.sleep, 120)
            ready()
            future.result()
    """)
    job.send_signal(signal.SIGINT)
    assert rest(job) == ('', 'job.py: interrupted\n')
    assert job.wait(PATIENCE) == 130


def test_no_work_begins_after_a_signal(start_job: StartJob) -> None:
    job = start_job("""
        def work(number):
            with interrupts.breakable(lambda: None):
                print(number, flush=True)

        with interrupts.handled():
            ready()
            while not interrupts.is_stopping():
                time.sleep(0.01)
            work(1)
    """)
    job.send_signal(signal.SIGINT)
    assert rest(job) == ('', 'job.py: interrupted\n')


def test_first_failure_ends_all_workers_and_is_raised(start_job: StartJob) -> None:
    job = start_job("""
        @interrupts.stop_on_failure()
        def fail():
            raise ValueError('the cause')

        try:
            with interrupts.handled(), ThreadPoolExecutor(3) as executor:
                futures = [executor.submit(wait) for _ in range(2)]
                futures += [executor.submit(fail) for _ in range(2)]
                ready()
                for future in futures:
                    future.result()
        except ValueError as exc:
            print('raised', exc)
    """)
    assert rest(job) == ('raised the cause\n', '')
    assert job.wait(PATIENCE) == 0


def test_run_that_succeeds_leaves_signals_as_it_found_them(start_job: StartJob) -> None:
    job = start_job("""
        with interrupts.handled():
            ready()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            print('as usual')
    """)
    assert rest(job) == ('as usual\n', '')


def test_process_that_a_run_has_forked_has_no_last_words(start_job: StartJob) -> None:
    job = start_job("""
        with interrupts.handled():
            if os.fork() == 0:
                interrupts.start_run()
            ready()
            time.sleep(120)
    """)
    assert job.stdout
    assert job.stdout.readline() == 'ready\n'
    os.killpg(job.pid, signal.SIGINT)
    assert rest(job) == ('', 'job.py: interrupted\n')


def test_reader_of_stdout_that_leaves_ends_the_run_in_silence(start_job: StartJob) -> None:
    job = start_job("""
        with interrupts.handled():
            ready()
            while True:
                print('spam', flush=True)
                time.sleep(0.01)
    """)
    assert job.stdout
    assert job.stderr
    job.stdout.close()
    assert job.stderr.read() == ''
    assert job.wait(PATIENCE) == 128 + signal.SIGPIPE


def test_ctrl_c_may_end_the_reader_of_stdout_too(start_job: StartJob) -> None:
    job = start_job("""
        from console import say
        with interrupts.handled():
            ready()
            say('in the middle of a line', end=' ')
            wait()
    """)
    assert job.stdout
    assert job.stderr
    assert job.stdout.read(4) == 'in t'
    job.stdout.close()
    job.send_signal(signal.SIGINT)
    assert job.stderr.read() == 'job.py: interrupted\n'
    assert job.wait(PATIENCE) == 130


def test_signal_counts_more_than_an_earlier_failure(start_job: StartJob) -> None:
    """A process that has stopped for a failure must still obey whoever wants it to end."""
    job = start_job("""
        with interrupts.handled():
            interrupts.stop(ValueError('first'))
            ready()
            time.sleep(30)
    """)
    job.send_signal(signal.SIGTERM)
    assert job.wait(5) == 128 + signal.SIGTERM
