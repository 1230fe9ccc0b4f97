"""The chapter's programs as a reader may type them beside our modules, with httpx itself."""

import itertools
import socket
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from conftest import (
    ROOT,
    RunScript,
    Server,
    flag_files,
    press_ctrl_c,
    started,
    wait_until,
)
from endings import SOON, complaints, counts, ending_of
from raw_server import FLAG, answer, by_code, left, raw_server

MAPPED = """
from concurrent import futures

from flags import BASE_URL, get_flag, main, save_flag


def fetch(code):
    save_flag(get_flag(code), f'{code}.gif')
    print(code, end=' ', flush=True)
    return code


def fetch_all(codes):
    print(BASE_URL)
    with futures.ThreadPoolExecutor() as executor:
        fetched = executor.map(fetch, sorted(codes))
    return len(list(fetched))


if __name__ == '__main__':
    main(fetch_all)
"""

SUBMITTED = """
from concurrent import futures

from flags import main
from flags_threadpool import download_one


def fetch_some(codes):
    with futures.ThreadPoolExecutor(max_workers=3) as executor:
        pending = [executor.submit(download_one, code) for code in codes[:5]]
        for future in futures.as_completed(pending):
            print(future.result(), flush=True)
    return len(pending)


if __name__ == '__main__':
    main(fetch_some)
"""

ONE_BY_ONE = """
from collections import Counter

import httpx
from tqdm import tqdm

from flags2_common import DownloadStatus, main, save_flag


def get_flag(base_url, code):
    url = f'{base_url}/{code}/{code}.gif'.lower()
    answer = httpx.get(url, timeout=3.1, follow_redirects=True)
    answer.raise_for_status()
    return answer.content


def fetch(code, base_url, verbose):
    try:
        save_flag(get_flag(base_url, code), f'{code}.gif')
    except httpx.HTTPStatusError as exc:
        if exc.response.status_code != 404:
            raise
        return DownloadStatus.NOT_FOUND
    return DownloadStatus.OK


def fetch_all(codes, base_url, verbose, concur_req):
    tally = Counter()
    for code in tqdm(sorted(codes), disable=verbose):
        try:
            status = fetch(code, base_url, verbose)
        except httpx.HTTPError:
            status = DownloadStatus.ERROR
        except KeyboardInterrupt:
            break
        tally[status] += 1
    return tally


if __name__ == '__main__':
    main(fetch_all, 1, 1)
"""

WITH_THREADS = """
from collections import Counter
from concurrent import futures

import httpx
from tqdm import tqdm

from flags2_common import DownloadStatus, main
from one_by_one import fetch


def fetch_all(codes, base_url, verbose, concur_req):
    tally = Counter()
    with futures.ThreadPoolExecutor(max_workers=concur_req) as executor:
        pending = {executor.submit(fetch, code, base_url, verbose): code for code in codes}
        for future in tqdm(futures.as_completed(pending), total=len(codes), disable=verbose):
            try:
                status = future.result()
            except httpx.HTTPError:
                status = DownloadStatus.ERROR
            except KeyboardInterrupt:
                break
            tally[status] += 1
    return tally


if __name__ == '__main__':
    main(fetch_all, 30, 1000)
"""

COROUTINES = """
import asyncio
from collections import Counter

import httpx
from tqdm import tqdm

from flags2_common import DownloadStatus, main, save_flag


async def fetch(client, code, base_url, semaphore):
    async with semaphore:
        answer = await client.get(f'{base_url}/{code}/{code}.gif'.lower(), follow_redirects=True)
    if answer.status_code == 404:
        return DownloadStatus.NOT_FOUND
    answer.raise_for_status()
    save_flag(answer.content, f'{code}.gif')
    return DownloadStatus.OK


async def supervise(codes, base_url, verbose, concur_req):
    tally = Counter()
    semaphore = asyncio.Semaphore(concur_req)
    async with httpx.AsyncClient() as client:
        pending = [fetch(client, code, base_url, semaphore) for code in codes]
        for download in tqdm(asyncio.as_completed(pending), total=len(codes), disable=verbose):
            try:
                status = await download
            except httpx.HTTPError:
                status = DownloadStatus.ERROR
            except asyncio.CancelledError:
                break
            tally[status] += 1
    return tally


def fetch_all(*args):
    return asyncio.run(supervise(*args))


if __name__ == '__main__':
    main(fetch_all, 30, 1000)
"""

NEVER_AWAITED = """
import asyncio
import os
import signal
from collections import Counter

from flags2_common import main


async def nothing():
    pass


async def supervise():
    left = [nothing() for _ in range(5)]
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.sleep(5)


def fetch_all(*args):
    asyncio.run(supervise())
    return Counter()


if __name__ == '__main__':
    main(fetch_all, 30, 1000)
"""

LISTINGS = {
    'mapped': MAPPED,
    'in_processes': MAPPED.replace('ThreadPool', 'ProcessPool'),
    'submitted': SUBMITTED,
    'one_by_one': ONE_BY_ONE,
    'with_threads': WITH_THREADS,
    'coroutines': COROUTINES,
    'never_awaited': NEVER_AWAITED,
}


FIRST_SERIES = ['mapped', 'in_processes', 'submitted']
SECOND_SERIES = ['one_by_one', 'with_threads', 'coroutines']


@pytest.fixture(autouse=True)
def _typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the listings, with the project's modules at hand."""
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    for name, code in LISTINGS.items():
        Path(f'{name}.py').write_text(code, 'utf-8')


@pytest.mark.parametrize('listing', FIRST_SERIES)
def test_listing_downloads_from_the_server_that_the_user_names(
    listing: str, fast_server: Server, run_script: RunScript
) -> None:
    run = run_script(f'{listing}.py', '-s', fast_server.url, folder=Path.cwd())
    assert (run.returncode, run.stderr) == (0, '')
    flags = 5 if listing == 'submitted' else 20
    assert f'\n{flags} downloads in ' in run.stdout
    assert len(flag_files()) == flags
    if listing != 'submitted':
        assert run.stdout.startswith(f'{fast_server.url}\n')


@pytest.mark.parametrize('listing', SECOND_SERIES)
def test_listing_reports_and_an_error_that_it_counts_makes_the_status_1(
    listing: str, run_script: RunScript
) -> None:
    behaviors = {'BR': 'redirects once', 'US': 'answers 500', 'ZZ': 'answers 404'}
    behaviors |= {'CN': 'redirects once', 'EG': 'sends garbage'}
    with raw_server(partial(by_code, behaviors)) as server:
        run = run_script(f'{listing}.py', '-s', server.url, *behaviors, folder=Path.cwd())
    assert counts(run.stdout) == {'downloaded': 2, 'found': 1, 'error': 2}
    assert flag_files() == ['BR.gif', 'CN.gif']
    assert run.returncode == 1


@pytest.mark.parametrize('listing', [*FIRST_SERIES, *SECOND_SERIES])
def test_ctrl_c_ends_a_listing_at_once(listing: str) -> None:
    """Have it wait for a server that has sent three flags before."""
    numbers = itertools.count(1)

    def send_three(conn: socket.socket) -> None:
        if next(numbers) <= 3:
            answer(FLAG, conn)
        else:
            left(conn)

    with (
        raw_server(send_three) as server,
        started([sys.executable, f'{listing}.py', '-s', server.url]) as process,
    ):
        wait_until(lambda: len(server.connections) > 3)
        wait_until(lambda: len(flag_files()) == 3)
        time.sleep(0.3)  # until these are counted
        press_ctrl_c(process)
        ending = ending_of(process)
    assert ending.status == 130
    assert ending.seconds < SOON
    if listing in FIRST_SERIES:
        assert ending.stderr == f'{listing}.py: interrupted\n'
    else:
        assert counts(ending.stdout) == {'downloaded': 3, 'cancelled': 17}
        assert len(flag_files()) == 3
        assert complaints(ending.stderr) == []


def test_coroutines_that_ctrl_c_leaves_undone_are_no_news(
    fast_server: Server, run_script: RunScript
) -> None:
    run = run_script('never_awaited.py', '-s', fast_server.url, folder=Path.cwd())
    assert (run.returncode, run.stderr) == (130, '')
    assert counts(run.stdout)['cancelled'] == 20
