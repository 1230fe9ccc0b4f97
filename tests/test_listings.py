"""The chapter's programs as a reader may type them beside our modules, with httpx or clients."""

import itertools
import re
import socket
import sys
import time
from pathlib import Path

import pytest
from conftest import (
    ROOT,
    RunScript,
    Server,
    StartServer,
    flag_files,
    press_ctrl_c,
    started,
    wait_until,
)
from endings import SOON, Ending, counts, ending_of
from raw_server import FLAG, answer, left, raw_server

MAPPED = """
from concurrent import futures

from flags import get_flag, main, save_flag


def fetch(code):
    save_flag(get_flag(code), f'{code}.gif')
    print(code, end=' ', flush=True)
    return code


def fetch_all(codes):
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
from support import clients


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
from support import clients


async def fetch(client, code, base_url, semaphore):
    async with semaphore:
        answer = await client.get(f'{base_url}/{code}/{code}.gif'.lower(), timeout=6)
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

WITH_THE_NAME = """
from flags import BASE_URL, main


def ask(codes):
    print(BASE_URL)
    return len(codes)


if __name__ == '__main__':
    main(ask)
"""

PRIMES = """
from concurrent import futures

from primes import NUMBERS, is_prime


def main():
    numbers = sorted(NUMBERS)[:3]
    with futures.ProcessPoolExecutor(2) as executor:
        for n, prime in zip(numbers, executor.map(is_prime, numbers)):
            print(n, prime)


if __name__ == '__main__':
    main()
"""

LISTINGS = {
    'mapped': MAPPED,
    'in_processes': MAPPED.replace('ThreadPool', 'ProcessPool'),
    'submitted': SUBMITTED,
    'one_by_one': ONE_BY_ONE,
    'with_threads': WITH_THREADS,
    'coroutines': COROUTINES,
    'with_the_name': WITH_THE_NAME,
    'never_awaited': NEVER_AWAITED,
    'primes_listing': PRIMES,
}


@pytest.fixture(params=['httpx', 'clients'])
def getter(request: pytest.FixtureRequest) -> str:
    """Run a test with listings that use either library."""
    name: str = request.param
    return name


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Write the listings, with the project's modules at hand."""
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    getter = request.getfixturevalue('getter') if 'getter' in request.fixturenames else ''
    for name, code in LISTINGS.items():
        for function in ('get(', 'AsyncClient('):
            code = code.replace(f'httpx.{function}', f'{getter or "httpx"}.{function}')
        Path(f'{name}.py').write_text(code, 'utf-8')


@pytest.mark.usefixtures('typed')
@pytest.mark.parametrize(
    ('listing', 'flags'), [('mapped', 20), ('in_processes', 20), ('submitted', 5)]
)
def test_listing_downloads(
    listing: str, flags: int, fast_server: Server, run_script: RunScript
) -> None:
    run = run_script(Path(f'{listing}.py').resolve(), '-s', fast_server.url)
    assert (run.returncode, run.stderr) == (0, '')
    assert f'\n{flags} downloads in ' in run.stdout
    assert len(flag_files()) == flags


@pytest.mark.usefixtures('typed')
@pytest.mark.parametrize('listing', ['one_by_one', 'with_threads', 'coroutines'])
def test_listing_reports(
    listing: str, getter: str, fast_server: Server, run_script: RunScript
) -> None:
    run = run_script(Path(f'{listing}.py').resolve(), 'a', '-s', fast_server.url)
    assert run.returncode == 0
    assert counts(run.stdout)['downloaded'] == len(flag_files()) == 11
    assert counts(run.stdout)['found'] == 26 - 11


@pytest.mark.usefixtures('typed')
@pytest.mark.parametrize('listing', ['one_by_one', 'with_threads', 'coroutines'])
def test_errors_that_a_listing_counts_make_the_status_1(
    listing: str, start_server: StartServer, run_script: RunScript
) -> None:
    server = start_server('--max-delay', 0, '--error-rate', 1)
    run = run_script(Path(f'{listing}.py').resolve(), 'br', 'us', '-s', server.url)
    assert counts(run.stdout)['error'] == 2
    assert run.returncode == 1


@pytest.mark.usefixtures('typed')
def test_listing_computes(run_script: RunScript) -> None:
    run = run_script(Path('primes_listing.py').resolve())
    assert (run.returncode, run.stderr) == (0, '')
    assert len(run.stdout.splitlines()) == 3


def interrupted(listing: str) -> Ending:
    """Type Ctrl-C while a listing waits for a server that has sent three flags before."""
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
        time.sleep(0.3)
        press_ctrl_c(process)
        ending = ending_of(process)
    assert ending.status == 130
    assert ending.seconds < SOON
    return ending


@pytest.mark.usefixtures('typed')
@pytest.mark.parametrize('listing', ['mapped', 'in_processes', 'submitted'])
def test_ctrl_c_ends_a_listing_of_the_first_series(listing: str) -> None:
    assert interrupted(listing).stderr == f'{listing}.py: interrupted\n'


@pytest.mark.usefixtures('typed')
@pytest.mark.parametrize('listing', ['one_by_one', 'with_threads', 'coroutines'])
def test_ctrl_c_ends_a_listing_of_the_second_series(listing: str, getter: str) -> None:
    run = interrupted(listing)
    assert counts(run.stdout)['downloaded'] == len(flag_files()) == 3
    assert counts(run.stdout)['cancelled'] == 17
    assert re.search(r'\d+%\|[^\n]*\n\Z|\A\Z', run.stderr.split('\r')[-1])


@pytest.mark.usefixtures('typed')
def test_name_that_a_listing_imports_is_the_server_that_the_user_names(
    fast_server: Server, run_script: RunScript
) -> None:
    run = run_script(Path('with_the_name.py').resolve(), '-s', fast_server.url)
    assert run.stdout.startswith(f'{fast_server.url}\n')


@pytest.mark.usefixtures('typed')
def test_coroutines_that_ctrl_c_leaves_undone_are_no_news(
    fast_server: Server, run_script: RunScript
) -> None:
    run = run_script(Path('never_awaited.py').resolve(), '-s', fast_server.url)
    assert (run.returncode, run.stderr) == (130, '')
    assert counts(run.stdout)['cancelled'] == 20
