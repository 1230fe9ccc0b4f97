#!/usr/bin/env python3
"""Measure the flags2 scripts against the naive way, and against bare httpx.

    $ python3 benchmarks/downloads.py
    676 codes, no delays             seconds  times as fast
    naive, 30 threads                  15.29
    ...

The naive way calls httpx.get for each flag on a pool of 30 threads. Bare httpx has a client per
worker, and does nothing that a script would do beyond saving flags: it is the floor. Every
figure stands beside the one it is compared with, from the same minute on the same machine.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import httpx  # noqa: E402

import flags2_common  # noqa: E402
from comparing.report import MEGABYTE  # noqa: E402
from comparing.runs import Run, run_command  # noqa: E402
from support import servers  # noqa: E402
from support.arguments import positive  # noqa: E402

EVERY_CC = flags2_common.expand_cc_args(True, False, [], 676)
CONCURRENT = ['flags2_threadpool.py', 'flags2_asyncio.py']
WORKERS = 30
TIMEOUT = 6.1  # seconds


def run(script: str, *options: object) -> Run:
    """Run a script with some options."""
    return run_command([sys.executable, str(ROOT / script), *map(str, options)])


def run_every(script: str, concurrent: int, url: str) -> Run:
    """Run a script for all possible codes, this many at a time."""
    return run(script, '-e', '-l', len(EVERY_CC), '-m', concurrent, '-s', url)


def flag_url(base_url: str, cc: str) -> str:
    """Return the URL of a flag."""
    return f'{base_url}/{cc}/{cc}.gif'.lower()


def naive(url: str) -> None:
    """Download all codes with a client per request, on 30 threads."""

    def download(cc: str) -> bytes:
        return httpx.get(flag_url(url, cc), follow_redirects=True, timeout=TIMEOUT).content

    with ThreadPoolExecutor(max_workers=WORKERS) as executor:
        list(executor.map(download, EVERY_CC))


def save(cc: str, response: httpx.Response, folder: Path) -> None:
    """Save what a response brings, if it is a flag."""
    if response.is_success:
        (folder / f'{cc}.gif').write_bytes(response.content)


def bare_threads(url: str, folder: Path) -> None:
    """Download all codes with a client per thread."""
    codes = iter(EVERY_CC)
    context = httpx.create_ssl_context()

    def work() -> None:
        with httpx.Client(verify=context, trust_env=False, timeout=TIMEOUT) as client:
            for cc in codes:
                save(cc, client.get(flag_url(url, cc), follow_redirects=True), folder)

    with ThreadPoolExecutor(max_workers=WORKERS) as executor:
        list(executor.map(lambda _: work(), range(WORKERS)))


def bare_coroutines(url: str, folder: Path) -> None:
    """Download all codes with a client per coroutine."""
    codes = iter(EVERY_CC)
    context = httpx.create_ssl_context()

    async def work() -> None:
        async with httpx.AsyncClient(verify=context, trust_env=False, timeout=TIMEOUT) as client:
            for cc in codes:
                save(cc, await client.get(flag_url(url, cc), follow_redirects=True), folder)

    async def supervisor() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(work())

    asyncio.run(supervisor())


def seconds(download: Callable[..., None], *args: object) -> float:
    """Return how long a download takes."""
    start = time.perf_counter()
    download(*args)
    return time.perf_counter() - start


def compare_with_naive(url: str) -> None:
    """Print how many times as fast as the naive way the scripts are."""
    baseline = seconds(naive, url)
    print(f'{len(EVERY_CC)} codes, no delays             seconds  times as fast')
    print(f'{"naive, 30 threads":30}{baseline:10.2f}')
    for script, concurrent in [
        ('flags2_sequential.py', 1),
        *((name, WORKERS) for name in CONCURRENT),
    ]:
        elapsed = run_every(script, concurrent, url).elapsed
        print(f'{script + f" -m {concurrent}":30}{elapsed:10.2f}{baseline / elapsed:15.1f}')


def compare_with_bare_httpx(url: str, rounds: int) -> None:
    """Print how much longer than bare httpx the scripts take, by the medians of some rounds."""
    print(
        f'\nThe same, {WORKERS} at once            script  bare httpx  ratio (medians of {rounds})'
    )
    for script, bare in zip(CONCURRENT, (bare_threads, bare_coroutines), strict=True):
        with tempfile.TemporaryDirectory() as folder:
            seconds(bare, url, Path(folder))  # it has yet to import some modules
            times = [
                (run_every(script, WORKERS, url).elapsed, seconds(bare, url, Path(folder)))
                for _ in range(rounds)
            ]
        ours, floor = map(statistics.median, zip(*times, strict=True))
        print(f'{script:30}{ours:10.2f}{floor:12.2f}{ours / floor:7.2f}')


def memory(url: str) -> None:
    """Print the peak memory of large and small runs."""
    print('\nPeak memory in MB               -e -m 676   default')
    for script in CONCURRENT:
        large = run_every(script, 676, url).peak_memory or 0
        small = run(script, '-s', url).peak_memory or 0
        print(f'{script:30}{large / MEGABYTE:11.1f}{small / MEGABYTE:10.1f}')


def main() -> None:
    """Print all comparisons; takes about a minute."""
    parser = argparse.ArgumentParser(description='Measure the flags2 scripts.')
    add = parser.add_argument
    add('--codes', type=positive, default=len(EVERY_CC), help='how many (default: %(default)s)')
    add('--rounds', type=positive, default=5, help='against bare httpx (default: %(default)s)')
    args = parser.parse_args()
    del EVERY_CC[args.codes :]
    with servers.private_server('--max-delay=0') as url:
        compare_with_naive(url)
        compare_with_bare_httpx(url, args.rounds)
        memory(url)


if __name__ == '__main__':
    main()
