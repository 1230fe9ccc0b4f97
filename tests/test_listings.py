"""The chapter's programs as readers type them beside our helpers: with httpx itself."""

import itertools
import socket
import time
from functools import partial
from pathlib import Path

import pytest
from conftest import (
    RunScript,
    Server,
    StartScript,
    altered_copy,
    flag_files,
    needs_posix,
    press_ctrl_c,
    project_copy,
    wait_until,
)
from endings import FLAGS2, SOON, complaints, counts, ending_of
from raw_server import FLAG, answer, by_code, left, raw_server

IN_THE_BOOK = [  # script, what it has, and what the book has instead
    ('flags.py', 'from support import clients', 'import httpx\nfrom support import clients'),
    ('flags.py', 'clients.get(', 'httpx.get('),
    ('flags_processpool.py', 'mp_context=quiet_processes()', ''),
    ('flags2_sequential.py', 'clients.get(', 'httpx.get('),
    ('flags2_asyncio.py', 'clients.AsyncClient()', 'httpx.AsyncClient()'),
    *[(script, 'record_error(cc, error_msg)', 'pass') for script in FLAGS2],
]
FIRST_SERIES = ['flags_threadpool.py', 'flags_threadpool_futures.py', 'flags_processpool.py']


@pytest.fixture
def typed() -> Path:
    """Return a copy of the project whose scripts use httpx, and processes, as the book does."""
    copy = project_copy()
    for script, ours, theirs in IN_THE_BOOK:
        altered_copy(script, ours, theirs, copy)
    return copy


@pytest.mark.parametrize('script', FIRST_SERIES)
def test_listing_downloads_from_the_server_that_the_user_names(
    script: str, typed: Path, fast_server: Server, run_script: RunScript
) -> None:
    run = run_script(script, '-s', fast_server.url, folder=typed)
    assert (run.returncode, run.stderr) == (0, '')
    flags = 5 if 'futures' in script else 20
    assert f'\n{flags} downloads in ' in run.stdout
    assert len(flag_files()) == flags
    agents = {request['agent'] for request in fast_server.first_requests(flags)}
    assert [agent for agent in agents if not agent.startswith('python-httpx')] == []


@pytest.mark.parametrize('script', ['flags_threadpool.py', 'flags_processpool.py'])
def test_listing_may_import_the_base_url(
    script: str, typed: Path, fast_server: Server, run_script: RunScript
) -> None:
    altered_copy(script, 'import get_flag', 'import BASE_URL, get_flag', typed)
    altered_copy(script, "f'{cc} '", "f'{BASE_URL} '", typed)
    run = run_script(script, '-s', fast_server.url, folder=typed)
    assert run.stdout.split().count(fast_server.url) == 20


@pytest.mark.parametrize('script', FLAGS2)
def test_listing_reports_and_an_error_that_it_counts_makes_the_status_1(
    script: str, typed: Path, run_script: RunScript
) -> None:
    behaviors = {'BR': 'redirects once', 'US': 'answers 500', 'ZZ': 'answers 404'}
    behaviors |= {'CN': 'redirects once', 'EG': 'sends garbage'}
    with raw_server(partial(by_code, behaviors)) as server:
        run = run_script(script, '-s', server.url, *behaviors, folder=typed)
    assert counts(run.stdout) == {'downloaded': 2, 'found': 1, 'error': 2}
    assert flag_files() == ['BR.gif', 'CN.gif']
    assert run.returncode == 1


@needs_posix
@pytest.mark.parametrize('script', [*FIRST_SERIES, *FLAGS2])
def test_ctrl_c_ends_a_listing_at_once(script: str, typed: Path, start_script: StartScript) -> None:
    """Have it wait for a server that has sent three flags before."""
    numbers = itertools.count(1)

    def send_three(conn: socket.socket) -> None:
        if next(numbers) <= 3:
            answer(FLAG, conn)
        else:
            left(conn)

    with raw_server(send_three) as server:
        process = start_script(script, '-s', server.url, folder=typed)
        wait_until(lambda: len(server.connections) > 3)
        wait_until(lambda: len(flag_files()) == 3)
        time.sleep(0.3)  # until these are counted
        press_ctrl_c(process)
        ending = ending_of(process)
    assert ending.status == -2
    assert ending.seconds < SOON
    if script in FLAGS2:
        assert counts(ending.stdout) == {'downloaded': 3, 'cancelled': 17}
        assert len(flag_files()) == 3
        assert complaints(ending.stderr) == []
    else:
        assert ending.stderr == f'{script}: interrupted\n'


NEVER_AWAITED = """
import os, signal
async def nothing():
    pass
async def supervisor(*args):
    left = [nothing() for _ in range(5)]
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.sleep(5)
def download_many(*args):
    return asyncio.run(supervisor())
"""


@needs_posix
def test_coroutines_that_ctrl_c_leaves_undone_are_no_news(
    fast_server: Server, run_script: RunScript
) -> None:
    old = "\n\nif __name__ == '__main__':"
    folder = altered_copy('flags2_asyncio.py', old, NEVER_AWAITED + old)
    run = run_script('flags2_asyncio.py', '-s', fast_server.url, folder=folder)
    assert (run.returncode, run.stderr) == (-2, '')
    assert counts(run.stdout)['cancelled'] == 20
