"""The script with executors other than a pool of processes."""

import json
import re
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
from comparisons import scripts_of
from conftest import (
    PATIENCE,
    RunScript,
    StartScript,
    members,
    needs_dask,
    started,
    wait_until,
    with_sitecustomize,
    without,
)
from cpu_tools import LINE, SMALL, SMALL_ENDS, TWO_CPUS, answers, cpu_script, output_of

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
def start_dask(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Start a dask scheduler or worker, away from the scripts; return the scheduler's address."""
    contact = tmp_path / 'scheduler.json'
    common = ['--scheduler-file', str(contact), '--no-dashboard']
    with ExitStack() as stack, (tmp_path / 'dask.log').open('w', encoding='utf-8') as log:

        def start(*args: str) -> str:
            words = [sys.executable, '-m', 'dask', *args, *common]
            stack.enter_context(started(words, stdout=log, stderr=log, cwd=tmp_path))
            wait_until(lambda: contact.exists() and 'tcp://' in contact.read_text('utf-8'))
            return str(json.loads(contact.read_text('utf-8'))['address'])

        yield start


@pytest.fixture
def scheduler(start_dask: Callable[..., str]) -> str:
    """Start a dask scheduler without workers; return its address."""
    return start_dask('scheduler', '--host', '127.0.0.1', '--port', '0')


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
def test_dask_workers_are_by_default_as_many_as_cpus_for_this_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv('PYTHONPATH', with_sitecustomize(*TWO_CPUS)['PYTHONPATH'])
    with cpu_script('prime_pools.py', '-x', 'dask', numbers=[2, 3]) as process:
        assert output_of(process)[0] == 'Checking 2 numbers with 2 dask workers:'


@needs_dask
def test_scheduler_workers_get_the_code_they_need(
    scheduler: str, start_dask: Callable[..., str]
) -> None:
    start_dask('worker', '--nthreads', '1')
    wait_until(lambda: 'Registered to' in Path('dask.log').read_text('utf-8'))
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
        ('2 -x serial', 'serial has one'),
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
def test_schedulers_of_no_use_are_reported_in_one_line(
    start_script: StartScript, scheduler: str
) -> None:
    with socket.create_server(('127.0.0.1', 0)) as silent:
        addresses = ['127.0.0.1:1', 'nowhere', f'127.0.0.1:{silent.getsockname()[1]}']
        runs = [
            start_script('prime_pools.py', '-x', 'dask', '--scheduler', address)
            for address in [*addresses, scheduler]
        ]
        errors = [run.communicate(timeout=PATIENCE)[1] for run in runs]
    assert [run.returncode for run in runs] == [1] * 4
    assert errors == [
        *(f'prime_pools.py: no dask scheduler answers at {address!r}\n' for address in addresses),
        'prime_pools.py: the dask scheduler has no workers\n',
    ]


@pytest.fixture(scope='module')
def cluster(tmp_path_factory: pytest.TempPathFactory) -> tuple[set[str], int, str]:
    """Kill the worker of a private cluster; return where it listened, and how the script ended."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp('cluster'))
        patch.setenv('DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES', '0')  # not three in a row
        with cpu_script('prime_pools.py', 1, '-x', 'dask', numbers=SMALL_ENDS) as process:
            assert process.stdout
            process.stdout.readline()
            process.stdout.readline()  # of a small number; the worker is busy from now on
            listening = {
                connection.laddr.ip
                for pid in members(process.pid)
                for connection in psutil.Process(pid).net_connections()
                if connection.status == psutil.CONN_LISTEN
            }
            for worker in scripts_of(process, 'spawn_main'):
                psutil.Process(worker).kill()
            _, errors = process.communicate(timeout=PATIENCE)
    return listening, process.returncode, errors


@needs_dask
def test_private_cluster_listens_on_this_machine_only(cluster: tuple[set[str], int, str]) -> None:
    assert cluster[0] == {'127.0.0.1'}


@needs_dask
def test_dead_workers_are_reported_in_one_line(cluster: tuple[set[str], int, str]) -> None:
    told = 'prime_pools.py: a worker died before its work was done\n'
    assert cluster[1:] == (1, told)


def test_missing_dask_is_reported_with_what_to_install(run_script: RunScript) -> None:
    done = run_script('prime_pools.py', '-x', 'dask', **without('distributed'))
    assert (done.returncode, done.stdout) == (1, '')
    assert done.stderr.endswith("; try: pip install '.[cluster]'\n")
    assert done.stderr.count('\n') == 1
