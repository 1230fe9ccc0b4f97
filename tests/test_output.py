"""Standard output that takes nothing: what every script does then."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PATIENCE, RunScript, Server, StartServer, command

ON_A_SERVER = [
    'flags.py',
    'flags_threadpool.py',
    'flags_threadpool_futures.py',
    'flags_processpool.py',
    'flags_asyncio.py',
    'flags2_sequential.py',
    'flags2_threadpool.py',
    'flags2_asyncio.py',
]
ALONE = ['primes.py', 'demo_executor_map.py', 'proc_pool.py', 'procs.py']


def with_full_output(*args: str) -> tuple[int, str]:
    """Return the exit status of a script whose output fits on no disk, and its complaints."""
    with Path('/dev/full').open('w') as full:
        run = subprocess.run(
            command(*args), stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE
        )
    return run.returncode, run.stderr


@pytest.mark.skipif(sys.platform != 'linux', reason='needs /dev/full')
@pytest.mark.parametrize('script', ALONE)
def test_output_that_cannot_be_written_is_told_in_one_line(script: str) -> None:
    assert with_full_output(script) == (1, f'{script}: No space left on device\n')


@pytest.mark.skipif(sys.platform != 'linux', reason='needs /dev/full')
@pytest.mark.parametrize('script', ON_A_SERVER)
def test_downloads_end_when_output_cannot_be_written(script: str, fast_server: Server) -> None:
    status, errors = with_full_output(script, '-s', fast_server.url)
    assert (status, errors) == (1, f'{script}: No space left on device\n')


@pytest.mark.parametrize('script', [name for name in ON_A_SERVER if 'flags2' in name])
def test_reader_who_leaves_ends_all_downloads(script: str, start_server: StartServer) -> None:
    """Have the first line that nobody reads be that of an error."""
    server = start_server('--min-delay', 0.02, '--max-delay', 0.04, '--error-rate', 1)
    shell = subprocess.run(
        [
            'sh',
            '-c',
            '"$@" | head -n 4 >/dev/null',
            'sh',
            *command(script, '-ev', '-s', server.url),
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (shell.stdout, shell.stderr) == ('', '')
    assert len(server.requests()) < 200


@pytest.mark.parametrize('script', ['flags.py', 'flags2_sequential.py'])
def test_proxy_without_support_is_told_in_one_line(script: str, run_script: RunScript) -> None:
    run = run_script(script, '-s', 'REMOTE', ALL_PROXY='socks5://localhost:1')
    assert run.returncode == 1
    assert run.stderr.startswith(f'{script}: proxy: ')
    assert run.stderr.count('\n') == 1
