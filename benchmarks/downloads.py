#!/usr/bin/env python3
"""Measure the flags2 scripts against the naive way, and against the limits.

    $ python3 benchmarks/downloads.py

The naive way calls httpx.get for each flag on a pool of 30 threads. Every figure stands
beside the one it is compared with, from the same minute on the same machine.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import httpx  # noqa: E402

import flags2_common  # noqa: E402
from comparing.report import MEGABYTE  # noqa: E402
from comparing.runs import Run, run_script  # noqa: E402
from flags import flag_url  # noqa: E402
from support import servers  # noqa: E402
from support.clients import TIMEOUT  # noqa: E402

EVERY_CC = flags2_common.expand_cc_args(True, False, [], 676)
CONCURRENT = ['flags2_threadpool.py', 'flags2_asyncio.py']
SCAN = [1, 5, 30, 100, 676]


def run_every(script: str, concurrent: int, url: str, log: Path | None = None) -> Run:
    """Run a script for all possible codes, so many at a time."""
    return run_script([script, '-e', '-m', str(concurrent), '-s', url], log)


def naive(url: str) -> float:
    """Return the seconds that a client per request takes for all codes, on 30 threads."""

    def download(cc: str) -> bytes:
        return httpx.get(flag_url(url, cc), follow_redirects=True, timeout=TIMEOUT).content

    start = time.perf_counter()
    with ThreadPoolExecutor(max_workers=30) as executor:
        list(executor.map(download, EVERY_CC))
    return time.perf_counter() - start


def compare_with_naive(url: str) -> None:
    """Print how many times as fast as the naive way the scripts are."""
    baseline = naive(url)
    print('676 codes, no delays             seconds  times as fast')
    print(f'{"naive, 30 threads":30}{baseline:10.2f}')
    for script, concurrent in [('flags2_sequential.py', 1), *((name, 30) for name in CONCURRENT)]:
        elapsed = run_every(script, concurrent, url).elapsed
        print(f'{script + f" -m {concurrent}":30}{elapsed:10.2f}{baseline / elapsed:15.1f}')


def scan(url: str) -> None:
    """Print what a request costs as more of them run at once."""
    print(
        '\n676 codes, no delays, seconds by -m',
        *(f'{number:>8}' for number in SCAN),
        'slowest/fastest',
    )
    for script in CONCURRENT:
        elapsed = [run_every(script, number, url).elapsed for number in SCAN]
        row = ' '.join(f'{seconds:8.2f}' for seconds in elapsed)
        print(f'{script:35} {row} {max(elapsed) / min(elapsed):15.2f}')


def memory(url: str) -> None:
    """Print the peak memory of large and small runs."""
    print('\nPeak memory in MB               -e -m 676   default')
    for script in CONCURRENT:
        large = run_every(script, 676, url).peak_memory or 0
        small = run_script([script, '-s', url]).peak_memory or 0
        print(f'{script:30}{large / MEGABYTE:11.1f}{small / MEGABYTE:10.1f}')


def longest_delay() -> None:
    """Print the time for 676 requests at once against the longest delay among them."""
    print('\n676 at once, delays .5 to 5 s    seconds  longest delay   ratio')
    for script in CONCURRENT:
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder, 'log')
            with servers.private_server(f'--log={log}') as url:
                run = run_every(script, 676, url, log)
        delay = max(request.delay for request in run.requests)
        print(f'{script:30}{run.elapsed:10.2f}{delay:15.2f}{run.elapsed / delay:8.2f}')


def curl(url: str, label: str) -> None:
    """Print the time that curl takes for the same URLs, if it is there."""
    if not shutil.which('curl'):
        return
    urls = [flag_url(url, cc) for cc in EVERY_CC]
    print()
    for parallel in (30, 300):
        config = '\n'.join(f'url = "{each}"\noutput = "/dev/null"' for each in urls)
        args = ['curl', '-sZ', '--parallel-max', str(parallel), '-K', '-']
        start = time.perf_counter()
        subprocess.run(args, input=config, text=True, capture_output=True, check=True)
        print(f'curl -Z --parallel-max {parallel}, {label}: {time.perf_counter() - start:.2f} s')


def help_cost() -> None:
    """Print what -h costs, against the imports that all need; the best of ten each."""

    def best(*args: str) -> float:
        times = []
        for _ in range(10):
            start = time.perf_counter()
            subprocess.run([sys.executable, *args], capture_output=True, check=True)
            times.append(time.perf_counter() - start)
        return min(times)

    imports = best('-c', 'import httpx, tqdm')
    helps = {script: best(str(ROOT / script), '-h') for script in CONCURRENT}
    print(f'\nimport httpx, tqdm: {imports:.3f} s')
    for script, seconds in helps.items():
        print(f'{script} -h: {seconds:.3f} s, ratio {seconds / imports:.2f}')


def main() -> None:
    """Print all comparisons; takes about two minutes."""
    with ExitStack() as stack:
        fast = stack.enter_context(servers.private_server('--max-delay=0'))
        compare_with_naive(fast)
        curl(fast, 'no delays')
        scan(fast)
        memory(fast)
    longest_delay()
    with servers.private_server() as slow:
        curl(slow, 'delays .5 to 5 s')
    help_cost()


if __name__ == '__main__':
    main()
