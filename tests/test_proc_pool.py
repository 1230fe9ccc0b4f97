"""Tests of proc_pool.py."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import PATIENCE, ROOT, RunScript, started, wait_until
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

needs_dask = pytest.mark.skipif(not find_spec('distributed'), reason='distributed is missing')
needs_interpreters = pytest.mark.skipif(sys.version_info < (3, 14), reason='Python is too old')

KINDS = [
    pytest.param('process', '2 processes', id='process'),
    pytest.param('thread', '2 threads', id='thread'),
    pytest.param('serial', '1 serial executor', id='serial'),
    pytest.param('interpreter', '2 interpreters', id='interpreter', marks=needs_interpreters),
    pytest.param('dask', '2 dask workers', id='dask', marks=needs_dask),
]
LINE = re.compile(r'[ \d]{16}  [P ] [ \d]\d\.\d{6}s')


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """Start a dask scheduler and two workers, away from the scripts; yield its address."""
    contact = tmp_path / 'scheduler.json'
    dask = [sys.executable, '-m', 'dask']
    common = ['--scheduler-file', str(contact), '--no-dashboard']
    commands = [
        [*dask, 'scheduler', '--host', '127.0.0.1', '--port', '0', *common],
        *[[*dask, 'worker', '--nthreads', '1', *common]] * 2,
    ]
    with ExitStack() as stack, (tmp_path / 'dask.log').open('w') as log:
        for args in commands:
            stack.enter_context(started(args, stdout=log, stderr=log, cwd=tmp_path))
        wait_until(contact.exists, PATIENCE)
        yield re.findall(r'tcp://[^"]+', contact.read_text())[0]


@pytest.mark.parametrize(('kind', 'means'), KINDS)
def test_every_kind_gives_the_same_answers_in_descending_order(kind: str, means: str) -> None:
    with cpu_script('proc_pool.py', 2, '-x', kind, numbers=SMALL) as process:
        lines = output_of(process)
    assert lines[0] == f'Checking 4 numbers with {means}:'
    assert list(answers(lines).items()) == [(n, PRIMALITY[n]) for n in sorted(SMALL)[::-1]]
    assert re.fullmatch(r'Total time: \d+\.\d\ds', lines[-1])
    assert all(LINE.fullmatch(line) for line in lines[1:-1])


@pytest.mark.parametrize('method', METHODS)
def test_works_with_every_start_method(method: str) -> None:
    with cpu_script('proc_pool.py', 2, numbers=SMALL, method=method) as process:
        lines = output_of(process)
    assert list(answers(lines)) == sorted(SMALL, reverse=True)


@pytest.mark.parametrize(('kind', 'means'), KINDS)
@pytest.mark.parametrize('kill', [os.kill, os.killpg])
def test_ctrl_c_ends_it_quietly(kind: str, means: str, kill: Callable[[int, int], None]) -> None:
    with cpu_script('proc_pool.py', 2, '-x', kind, numbers=[LARGE] * 20) as process:
        assert process.stdout
        assert means in process.stdout.readline()
        kill(process.pid, signal.SIGINT)
        assert_interrupted(process, 'proc_pool.py')


@pytest.mark.parametrize('method', METHODS)
def test_ctrl_c_ends_all_processes(method: str) -> None:
    with cpu_script('proc_pool.py', 2, numbers=[LARGE] * 20, method=method) as process:
        wait_until_busy(process)
        os.killpg(process.pid, signal.SIGINT)
        assert_interrupted(process, 'proc_pool.py')


@pytest.mark.parametrize('method', METHODS)
def test_workers_end_when_their_program_is_killed(method: str) -> None:
    with cpu_script('proc_pool.py', 2, numbers=[LARGE] * 20, method=method) as process:
        wait_until_busy(process)
        process.kill()
        wait_until(lambda: not members(process.pid))


def test_killed_worker_is_reported_in_one_line() -> None:
    with cpu_script('proc_pool.py', 2, numbers=[LARGE] * 20, method='fork') as process:
        wait_until_busy(process)
        os.kill(max(members(process.pid)), signal.SIGKILL)
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert errors == 'proc_pool.py: a worker died before its work was done\n'


@pytest.mark.parametrize(('kind', 'means'), KINDS)
def test_reader_may_leave_after_the_first_line(kind: str, means: str) -> None:
    numbers = [*SMALL, LARGE, LARGE, LARGE]
    with cpu_script('proc_pool.py', 2, '-x', kind, numbers=numbers) as process:
        assert_reader_may_leave(process)


@pytest.mark.parametrize('count', BAD_COUNTS)
def test_bad_number_of_workers_is_a_usage_error(run_script: RunScript, count: str) -> None:
    done = run_script('proc_pool.py', count)
    assert (done.returncode, done.stdout) == (2, '')
    assert done.stderr.startswith('usage: proc_pool.py')


@pytest.mark.skipif(sys.version_info >= (3, 14), reason='Python has interpreter pools')
def test_interpreters_need_a_newer_python(run_script: RunScript) -> None:
    done = run_script('proc_pool.py', '-x', 'interpreter')
    assert done.returncode == 2
    assert done.stderr.endswith('error: -x interpreter needs Python 3.14 or later\n')


def test_default_is_the_default_of_the_executor() -> None:
    workers = ProcessPoolExecutor()._max_workers  # type: ignore[attr-defined]
    with cpu_script('proc_pool.py', numbers=SMALL) as process:
        lines = output_of(process)
    assert lines[0].startswith(f'Checking 4 numbers with {workers} process')


def test_imports_nothing_that_it_does_not_need() -> None:
    code = 'import sys, proc_pool; print({"httpx", "tqdm", "dask", "distributed"} & {*sys.modules})'
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == 'set()\n'


@needs_dask
def test_scheduler_workers_get_the_code_they_need(scheduler: str) -> None:
    args = '-x', 'dask', '--scheduler', scheduler
    with cpu_script('proc_pool.py', *args, numbers=SMALL) as process:
        lines = output_of(process)
    assert re.fullmatch(r'Checking 4 numbers with [12] dask workers?:', lines[0])
    assert list(answers(lines).items()) == [(n, PRIMALITY[n]) for n in sorted(SMALL)[::-1]]


@pytest.mark.parametrize('args', [[], ['2', '-x', 'dask']])
def test_scheduler_goes_with_dask_and_its_own_workers(
    run_script: RunScript, args: list[str]
) -> None:
    done = run_script('proc_pool.py', '--scheduler', '127.0.0.1:1', *args)
    assert (done.returncode, done.stdout) == (2, '')
    assert done.stderr.startswith('usage: proc_pool.py')


@needs_dask
@pytest.mark.parametrize('address', ['127.0.0.1:1', 'nowhere', 'silent'])
def test_unreachable_scheduler_is_reported_in_one_line(run_script: RunScript, address: str) -> None:
    with socket.create_server(('127.0.0.1', 0)) as silent:
        if address == 'silent':
            address = f'127.0.0.1:{silent.getsockname()[1]}'
        start = time.monotonic()
        done = run_script('proc_pool.py', '-x', 'dask', '--scheduler', address)
    assert time.monotonic() - start < 10
    assert done.returncode == 1
    assert done.stderr == f'proc_pool.py: no dask scheduler answers at {address!r}\n'


def test_missing_dask_is_reported_with_what_to_install() -> None:
    with cpu_script('proc_pool.py', '-x', 'dask', numbers=SMALL, missing='distributed') as process:
        output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output) == (1, '')
    assert errors.endswith("; try: pip install '.[cluster]'\n")
    assert len(errors.splitlines()) == 1
