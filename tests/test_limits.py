"""What scripts do if they may not have as many open files, threads or processes as they want."""

import multiprocessing
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from conftest import (
    PATIENCE,
    RunScript,
    Script,
    Server,
    command,
    flag_files,
    needs_dask,
    needs_posix,
    with_sitecustomize,
)
from endings import FLAGS2, complaints, counts

pytestmark = needs_posix


def limited(limit: str, *args: str) -> Script:
    """Run a command under a limit of the shell."""
    return subprocess.run(
        ['bash', '-c', f'{limit}; exec "$@"', '-', *args],
        capture_output=True,
        encoding='utf-8',
        timeout=PATIENCE,
    )


@pytest.mark.parametrize(
    ('script', 'files', 'told'),
    [
        ('flags2_threadpool.py', 60, '10 requests'),
        ('flags2_asyncio.py', 60, '10 requests'),
        ('flags2_asyncio.py', 20, '1 request'),
    ],
)
def test_requests_are_as_many_as_files_may_be_open(
    script: str, files: int, told: str, fast_server: Server
) -> None:
    args = command(script, '-al', 30, '-m', 30, '-s', fast_server.url)
    run = limited(f'ulimit -n {files}', *args)
    assert complaints(run.stderr) == [
        f'{script}: no more than {told} at a time, as more files cannot be open'
    ]
    assert counts(run.stdout) == {'downloaded': 30}
    assert len(flag_files()) == 30
    assert run.returncode == 0


def test_limit_of_open_files_that_can_be_raised_does_not_matter(fast_server: Server) -> None:
    args = command('flags2_asyncio.py', '-al', 30, '-m', 30, '-s', fast_server.url)
    run = limited('ulimit -S -n 60', *args)
    assert complaints(run.stderr) == []
    assert '\n30 concurrent connections will be used.\n' in run.stdout
    assert counts(run.stdout) == {'downloaded': 30}


def as_user(capability: str) -> list[str]:
    """Return the start of a command that runs as a user who owns no process and no folder.

    With a capability, the user can read the project also in a folder that only root may enter.
    """
    user = 50_000 + time.monotonic_ns() % 1_000_000
    prefix = ['setpriv', f'--reuid={user}', '--clear-groups']
    prefix += [f'--inh-caps={capability}', f'--ambient-caps={capability}']
    if os.geteuid() or not shutil.which('setpriv'):
        pytest.skip('only root can become another user, by setpriv')
    probe = limited('ulimit -u 1', *prefix, *command('flags.py', '-h'))
    if probe.returncode:
        pytest.skip(f'cannot become another user: {probe.stderr.strip()}')
    return prefix


@pytest.fixture
def as_nobody() -> list[str]:
    """Return the start of a command that runs as another user, who may write anywhere."""
    Path.cwd().chmod(0o777)
    return as_user('+dac_override')


@pytest.mark.parametrize(
    ('script', 'is_there', 'told'),
    [
        ('flags.py', True, 'Permission denied: downloaded/BD.gif'),
        ('flags.py', False, 'Permission denied: downloaded'),
        ('flags2_asyncio.py', True, 'cannot write to downloaded'),
        ('flags2_asyncio.py', False, 'Permission denied: downloaded'),
    ],
)
def test_folder_that_cannot_be_written_to_is_told(
    script: str, is_there: bool, told: str, fast_server: Server
) -> None:
    if is_there:
        Path('downloaded').mkdir()
    args = command(script, '-s', fast_server.url)
    run = limited('umask 022', *as_user('+dac_read_search'), *args)
    assert (run.returncode, run.stderr.lstrip()) == (1, f'{script}: {told}\n')
    assert len(fast_server.requests()) <= 1


def test_log_that_cannot_be_written_is_told() -> None:
    Path('log').touch()
    args = command('slow_server.py', 0, '--log', 'log')
    run = limited('true', *as_user('+dac_read_search'), *args)
    assert (run.returncode, run.stdout) == (1, '')
    assert run.stderr == 'slow_server.py: cannot write log: Permission denied\n'


@pytest.mark.parametrize(
    ('script', 'threads'),
    [
        ('flags2_threadpool.py', 1),
        ('flags2_threadpool.py', 20),
        ('flags2_asyncio.py', 1),
        ('flags_threadpool.py', 1),
        ('flags_processpool.py', 1),
        ('flags_processpool.py', 8),
        ('flags_processpool.py', 20),
    ],
)
def test_downloads_end_in_good_order_without_more_threads(
    script: str, threads: int, as_nobody: list[str], fast_server: Server
) -> None:
    many = ['-a', '-m', 100] if script in FLAGS2 else []
    args = command(script, *many, '-s', fast_server.url)
    run = limited(f'ulimit -u {threads}', *as_nobody, *args)
    check_good_order(run)
    if script in FLAGS2:
        found = counts(run.stdout)
        assert found['downloaded'] == len(flag_files())
        assert 'error' not in found  # no flag is to blame
        assert sum(found.values()) == 194


@pytest.mark.parametrize('processes', [1, 20])
@pytest.mark.parametrize('script', ['proc_pool.py', 'procs.py'])
def test_work_that_computes_ends_in_good_order_without_more_processes(
    script: str, processes: int, as_nobody: list[str]
) -> None:
    run = limited(f'ulimit -u {processes}', *as_nobody, *command(script, 40))
    check_good_order(run)
    assert run.returncode == 1


@pytest.mark.parametrize(
    'words',
    [
        'flags_processpool.py -s URL',
        'proc_pool.py 2',
        'procs.py 2',
        pytest.param('prime_pools.py 1 -x dask', marks=needs_dask),
    ],
)
def test_processes_that_cannot_have_semaphores_are_told_in_one_line(
    words: str, fast_server: Server
) -> None:
    without_room = ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs -o ro none /dev/shm && exec "$@"']
    if not shutil.which('unshare') or limited('true', *without_room, 'sh', 'true').returncode:
        pytest.skip('only root can take away /dev/shm')
    script, *args = words.replace('URL', fast_server.url).split()
    run = limited('true', *without_room, 'sh', *command(script, *args))
    assert run.returncode == 1
    assert run.stderr.startswith(f'{script}: ')
    assert (run.stderr.count('\n'), 'Read-only file system' in run.stderr) == (1, True)


def check_good_order(run: Script) -> None:
    """Check that a script that could not have all it wanted says so in one line."""
    assert run.returncode in (0, 1)
    if multiprocessing.get_start_method() != 'forkserver':  # which prints tracebacks of its own
        assert len(complaints(run.stderr)) == run.returncode


def test_memory_that_is_not_to_be_had_is_told_in_one_line(run_script: RunScript) -> None:
    run = run_script('tests/jobs.py', 'take_all_memory')
    assert (run.returncode, run.stderr) == (1, 'jobs.py: MemoryError\n')


def test_missing_folder_for_temporary_files_is_told_in_pythons_words(run_script: RunScript) -> None:
    words = 'No usable temporary directory found in [...]'
    lines = ['import tempfile', 'def none():', f'    raise FileNotFoundError(2, {words!r})']
    environ = with_sitecustomize(*lines, 'tempfile._get_default_tempdir = none')
    run = run_script('flags.py', '-s', 'LOCAL', **environ)
    assert (run.returncode, run.stderr) == (1, f'flags.py: {words}\n')
