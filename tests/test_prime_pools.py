"""The script with executors other than a pool of processes."""

import re
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from conftest import PATIENCE, RunScript, StartScript, needs_dask, started, wait_until, without
from cpu_tools import LINE, SMALL, answers, cpu_script, output_of

from primes import PRIMALITY

needs_interpreters = pytest.mark.skipif(sys.version_info < (3, 14), reason='Python is too old')
needs_older_python = pytest.mark.skipif(sys.version_info >= (3, 14), reason='this one has them')

KINDS = [
    pytest.param('thread', '2 threads', id='thread'),
    pytest.param('serial', '1 thread', id='serial'),
    pytest.param('interpreter', '2 interpreters', id='interpreter', marks=needs_interpreters),
    pytest.param('dask', '2 dask workers', id='dask', marks=needs_dask),
]


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """Start a dask scheduler and a worker, away from the scripts; yield its address."""
    contact = tmp_path / 'scheduler.json'
    dask = [sys.executable, '-m', 'dask']
    common = ['--scheduler-file', str(contact), '--no-dashboard']
    commands = [
        [*dask, 'scheduler', '--host', '127.0.0.1', '--port', '0', *common],
        [*dask, 'worker', '--nthreads', '1', *common],
    ]
    with ExitStack() as stack, (tmp_path / 'dask.log').open('w', encoding='utf-8') as log:
        for args in commands:
            stack.enter_context(started(args, stdout=log, stderr=log, cwd=tmp_path))
        wait_until(contact.exists)
        yield re.findall(r'tcp://[^"]+', contact.read_text('utf-8'))[0]


@pytest.mark.parametrize(('kind', 'means'), KINDS)
def test_every_kind_gives_the_same_answers_in_descending_order(kind: str, means: str) -> None:
    workers = [] if kind == 'serial' else ['2']
    with cpu_script('prime_pools.py', *workers, '-x', kind, numbers=SMALL) as process:
        lines = output_of(process)
    assert lines[0] == f'Checking 4 numbers with {means}:'
    assert list(answers(lines).items()) == [(n, PRIMALITY[n]) for n in sorted(SMALL)[::-1]]
    assert re.fullmatch(r'Total time: \d+\.\d\ds', lines[-1])
    assert all(LINE.fullmatch(line) for line in lines[1:-1])


@needs_dask
def test_scheduler_workers_get_the_code_they_need(scheduler: str) -> None:
    args = '-x', 'dask', '--scheduler', scheduler
    with cpu_script('prime_pools.py', *args, numbers=SMALL) as process:
        lines = output_of(process)
    assert lines[0] == 'Checking 4 numbers with 1 dask worker:'
    assert list(answers(lines).items()) == [(n, PRIMALITY[n]) for n in sorted(SMALL)[::-1]]


@pytest.mark.parametrize(
    ('args', 'told'),
    [
        ('--scheduler 127.0.0.1:1', '--scheduler goes with -x dask'),
        ('2 -x dask --scheduler 127.0.0.1:1', 'a scheduler has its own'),
        ('2 -x serial', 'serial is one'),
        pytest.param('-x interpreter', 'invalid choice', marks=needs_older_python),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(
    args: str, told: str, run_script: RunScript
) -> None:
    done = run_script('prime_pools.py', *args.split())
    assert (done.returncode, done.stdout) == (2, '')
    assert done.stderr.startswith('usage: prime_pools.py')
    assert told in done.stderr


@needs_dask
def test_unreachable_schedulers_are_reported_in_one_line(start_script: StartScript) -> None:
    with socket.create_server(('127.0.0.1', 0)) as silent:
        addresses = ['127.0.0.1:1', 'nowhere', f'127.0.0.1:{silent.getsockname()[1]}']
        start = time.monotonic()
        runs = [
            start_script('prime_pools.py', '-x', 'dask', '--scheduler', address)
            for address in addresses
        ]
        errors = [run.communicate(timeout=PATIENCE)[1] for run in runs]
    assert time.monotonic() - start < 10
    assert [run.returncode for run in runs] == [1, 1, 1]
    assert errors == [
        f'prime_pools.py: no dask scheduler answers at {address!r}\n' for address in addresses
    ]


def test_missing_dask_is_reported_with_what_to_install(run_script: RunScript) -> None:
    done = run_script('prime_pools.py', '-x', 'dask', **without('distributed'))
    assert (done.returncode, done.stdout) == (1, '')
    assert done.stderr.endswith("; try: pip install '.[cluster]'\n")
    assert done.stderr.count('\n') == 1
