#!/usr/bin/env python3
"""Compare the flags2 scripts with httpx alone, and with a client per request.

    $ python3 benchmarks/downloads.py
    676 codes, no delays           script   bare  ratio
    flags2_threadpool.py -m 30       0.81   0.72   1.12
    ...

Each command runs in a new process and an empty folder, and the commands take turns. Every figure is
the median of several rounds.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from comparing.printed import time_of  # noqa: E402
from comparing.report import MEGABYTE  # noqa: E402
from comparing.runs import MEASURES_MEMORY, run_command  # noqa: E402
from support import servers  # noqa: E402
from support.arguments import positive  # noqa: E402

BARE = {'flags2_threadpool.py': 'threads', 'flags2_asyncio.py': 'asyncio'}
IMPORTS = 'import httpx, tqdm, argparse, concurrent.futures'
EVERY_CODE = 676


def seconds(command: Sequence[object]) -> float:
    """Return the time that a command prints, or else the time that it took."""
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, *map(str, command)]
        start = time.perf_counter()
        run = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
        return time_of(run.stdout) or time.perf_counter() - start


def compare(name: str, ours: Sequence[object], other: Sequence[object], rounds: int) -> None:
    """Print the median times of two commands that take turns, and their ratio."""
    times = [(seconds(ours), seconds(other)) for _ in range(rounds)]
    first, second = map(statistics.median, zip(*times, strict=True))
    print(f'{name:30}{first:7.2f}{second:7.2f}{first / second:7.2f}', flush=True)


def compare_all(url: str, codes: int, rounds: int) -> None:
    """Print the comparisons with httpx alone, and those with a client per request."""
    bare = ROOT / 'benchmarks/bare_httpx.py'
    print(f'{f"{codes} codes, no delays":30} script   bare  ratio')
    for script, way in BARE.items():
        for at_once in (30, EVERY_CODE):
            options = ['-l', codes, '-m', at_once]
            ours = [ROOT / script, '-e', '-s', url, *options]
            compare(f'{script} -m {at_once}', ours, [bare, way, url, *options], rounds)
    for script in BARE:
        compare(f'{script} -h', [ROOT / script, '-h'], ['-c', IMPORTS], rounds)
    print(f'\n{"":30}  naive script  ratio')
    for script in BARE:
        ours = [ROOT / script, '-e', '-s', url, '-l', codes]
        compare(f'{script} -m 30', [bare, 'naive', url, '-l', codes], ours, 1)


def memory(url: str, codes: int) -> None:
    """Print the peak memory of large and small runs."""
    print('\nPeak memory in MB              -m 676  default')
    for script in BARE:
        command = [sys.executable, str(ROOT / script), '-s', url]
        large = run_command([*command, '-e', '-l', str(codes), '-m', str(EVERY_CODE)], url)
        peaks = (run.peak_memory / MEGABYTE for run in (large, run_command(command, url)))
        print(f'{script:30}' + ''.join(f'{peak:8.1f}' for peak in peaks))


def main() -> None:
    """Print all comparisons, in about two minutes."""
    parser = argparse.ArgumentParser(description='Compare the flags2 scripts with httpx alone.')
    add = parser.add_argument
    add(
        '--codes',
        type=positive,
        default=EVERY_CODE,
        help='number of codes to download (default: %(default)s)',
    )
    add(
        '--rounds',
        type=positive,
        default=5,
        help='rounds of each comparison (default: %(default)s)',
    )
    args = parser.parse_args()
    with servers.private_server('--max-delay=0') as url:
        compare_all(url, args.codes, args.rounds)
        if MEASURES_MEMORY:
            memory(url, args.codes)


if __name__ == '__main__':
    main()
