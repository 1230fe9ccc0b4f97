#!/usr/bin/env python3
"""Put the scripts under load, and their servers, disks and neighbours into trouble.

    $ python3 benchmarks/faults.py
    what                      script                 seconds     OK   404  errors
    1000 at once, round 1     flags2_threadpool.py      5.62   1000     0       0
    ...

Whatever is not as it should be follows its line, and makes the exit status 1. Takes about
four minutes, most of which is spent waiting.
"""

import argparse
import json
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from flags import POP20_CC  # noqa: E402
from flags2_common import COUNTRY_CODES_FILE, positive  # noqa: E402
from support.clients import TIMEOUT  # noqa: E402

CONCURRENT = ['flags2_threadpool.py', 'flags2_asyncio.py']
FLAGS2 = ['flags2_sequential.py', *CONCURRENT]
NEIGHBOURS = [*CONCURRENT, 'flags2_sequential.py', 'flags_threadpool.py', 'flags_processpool.py']
ALL_CC = COUNTRY_CODES_FILE.read_text('ascii').split()
EVERY_CC = 676
AT_ONCE = 1000
OPEN_FILES = 4096
OVERHEAD = 4.0  # seconds that a run may take in addition to what it has to wait for
PATIENCE = 120.0  # seconds until a run is given up
OUTCOMES = {200: 'OK', 404: '404', 418: 'errors'}  # by the status that a server sends
BAR = re.compile(r'\d+%\|')
REPORT = {'OK': r'(\d+) flags? down', '404': r'(\d+) not found', 'errors': r'(\d+) errors?\.'}

# There are but 676 codes, so the scripts themselves never have that much to do at once
AT_ONCE_SCRIPT = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import time
import clients, flags2_common
from {{module}} import download_many

_, url, *codes = sys.argv
flags2_common.DEST_DIR.mkdir(exist_ok=True)
clients.prepare(url)
start = time.perf_counter()
counter = download_many(codes, url, False, len(codes))
flags2_common.final_report(codes, counter, start)
"""


class Result(NamedTuple):
    """How a run has ended: what it has counted, its seconds, its status and its complaints."""

    counts: Counter[str]
    seconds: float
    status: int
    complaints: list[str]


class Row(NamedTuple):
    """A line of the table, and what is wrong."""

    what: str
    script: str
    result: Result
    problems: list[str]


class Server(NamedTuple):
    """A running slow_server.py."""

    url: str
    log: Path
    process: subprocess.Popen[str]

    def counts(self) -> Counter[str]:
        """Return how the server has answered the requests, by its log."""
        lines = self.log.read_text().splitlines()
        return Counter(OUTCOMES[json.loads(line)['status']] for line in lines)


@contextmanager
def serving(*options: object, port: int = 0) -> Iterator[Server]:
    """Run slow_server.py for as long as the block takes, by default on a free port."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, 'log')
        args = [ROOT / 'slow_server.py', port, '--log', log, *options]
        with start(Path(folder), *args, stderr=subprocess.DEVNULL) as process:
            assert process.stdout
            try:
                yield Server(process.stdout.readline().split()[-1], log, process)
            finally:
                process.kill()


def start(folder: Path, *args: object, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """Start a Python script in a folder."""
    command = [sys.executable, *map(str, args)]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=stderr, text=True)


def result_of(process: subprocess.Popen[str], started: float) -> Result:
    """Wait for a run to end."""
    with process:
        try:
            stdout, stderr = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    found = {outcome: re.search(pattern, stdout) for outcome, pattern in REPORT.items()}
    counts = Counter({outcome: int(match[1]) for outcome, match in found.items() if match})
    complaints = [line for line in stderr.splitlines() if line and not BAR.search(line)]
    return Result(counts, time.monotonic() - started, process.returncode, complaints)


def run(folder: Path, *args: object) -> Result:
    """Run a Python script in a folder."""
    started = time.monotonic()
    return result_of(start(folder, *args), started)


def problems_of(result: Result, total: int, most_seconds: float) -> list[str]:
    """Return what is wrong with a run that ought to count so many downloads in time."""
    problems = result.complaints.copy()
    if result.counts.total() != total:
        problems.append(f'{result.counts.total()} counted of {total}')
    if result.seconds > most_seconds:
        problems.append(f'more than {most_seconds:.1f} seconds')
    if result.status != int(result.counts['errors'] > 0):
        problems.append(f'exit status {result.status}')
    return problems


def wrong_files(folder: Path, codes: list[str] | None = None) -> list[str]:
    """Return what is wrong with the files of a run: all of these codes, or any, and whole."""
    names = {path.name for path in Path(folder, 'downloaded').iterdir()}
    problems = [f'{cc}.gif is missing' for cc in codes or [] if f'{cc}.gif' not in names]
    for name in sorted(names):
        cc = name.removesuffix('.gif').lower()
        original = ROOT / 'flags' / cc / f'{cc}.gif'
        if not original.exists():
            problems.append(f'{name} is left behind')
        elif Path(folder, 'downloaded', name).read_bytes() != original.read_bytes():
            problems.append(f'{name} differs')
    return problems


def load(folder: Path, rounds: int) -> Iterator[Row]:
    """Have a thousand downloads wait at the same time."""
    codes = list(islice(cycle(ALL_CC), AT_ONCE))
    with serving() as server:
        for number in range(1, rounds + 1):
            for script in CONCURRENT:
                code = AT_ONCE_SCRIPT.format(module=script.removesuffix('.py'))
                result = run(folder, '-c', code, server.url, *codes)
                problems = problems_of(result, AT_ONCE, 5 + OVERHEAD)
                problems += wrong_files(folder, ALL_CC)
                if result.counts['errors']:
                    problems.append('errors')
                yield Row(f'{AT_ONCE} at once, round {number}', script, result, problems)
                shutil.rmtree(folder / 'downloaded')


def error_rates(folder: Path) -> Iterator[Row]:
    """Compare what scripts count to what a server has sent."""
    for rate in (0, 0.25, 1):
        for script in FLAGS2:
            with serving('--max-delay=.02', '--min-delay=0', f'--error-rate={rate}') as server:
                result = run(folder, ROOT / script, '-e', '-m', 100, '-s', server.url)
                problems = problems_of(result, EVERY_CC, 0.02 * EVERY_CC + OVERHEAD)
                if result.counts != server.counts():
                    problems.append(f'the server says {dict(server.counts())}')
            yield Row(f'error rate {rate}', script, result, problems + wrong_files(folder))


def restart(folder: Path) -> Iterator[Row]:
    """Kill the server half-way, and start another in its place."""
    options = ('--min-delay=.2', '--max-delay=.4')
    for script in CONCURRENT:
        with ExitStack() as stack:
            first = stack.enter_context(serving(*options))
            started = time.monotonic()
            process = start(folder, ROOT / script, '-e', '-m', 20, '-s', first.url)
            while first.counts().total() < EVERY_CC / 3:
                time.sleep(0.02)
            first.process.kill()
            first.process.wait()
            port = urlsplit(first.url).port or 0
            second = stack.enter_context(serving(*options, port=port))
            result = result_of(process, started)
            problems = problems_of(result, EVERY_CC, EVERY_CC / 20 * 0.4 + OVERHEAD)
            answered = first.counts() + second.counts()
            lost = EVERY_CC - answered.total()
            if not lost <= result.counts['errors'] <= lost + 20:  # some were logged, not read
                problems.append(f'{lost} requests were not answered')
        yield Row('server killed, restarted', script, result, problems + wrong_files(folder))


def frozen(folder: Path) -> Iterator[Row]:
    """Stop the server half-way without closing its connections."""
    for script in CONCURRENT:
        with serving('--min-delay=.2', '--max-delay=.4') as server:
            started = time.monotonic()
            process = start(folder, ROOT / script, '-a', '-m', 100, '-s', server.url)
            while server.counts().total() < len(ALL_CC) / 4:
                time.sleep(0.02)
            server.process.send_signal(signal.SIGSTOP)
            result = result_of(process, started)
        problems = problems_of(result, len(ALL_CC), 2 * TIMEOUT + OVERHEAD)
        yield Row('server frozen', script, result, problems + wrong_files(folder))


def neighbours(folder: Path) -> Iterator[Row]:
    """Have several scripts download the same flags into one folder at the same time."""
    with serving('--min-delay=.01', '--max-delay=.05') as server:
        for count in (2, len(NEIGHBOURS)):
            started = time.monotonic()
            scripts = NEIGHBOURS[:count]
            processes = [start(folder, ROOT / script, '-s', server.url) for script in scripts]
            results = [result_of(process, started) for process in processes]
            for script, result in zip(scripts, results, strict=True):
                counted = len(POP20_CC) if 'flags2' in script else 0
                problems = problems_of(result, counted, 20 * 0.05 + 2 * OVERHEAD)
                problems += wrong_files(folder, POP20_CC)
                yield Row(f'{count} scripts in one folder', script, result, problems)
            shutil.rmtree(folder / 'downloaded')


def full_disk(folder: Path) -> Iterator[Row]:
    """Download more than a disk can hold: a small one in memory, if we may make it."""
    command = ['mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        print('full disk: left out, as only the superuser of a Linux system can make a small one')
        return
    try:
        with serving('--max-delay=.02', '--min-delay=0') as server:
            for script in [*FLAGS2, 'flags_threadpool.py', 'flags_asyncio.py']:
                args = ['-a'] if 'flags2' in script else []
                result = run(folder, ROOT / script, *args, '-s', server.url)
                problems = wrong_files(folder)
                last_words = f'{script}: No space left on device: downloaded/'
                if result.status != 1 or not result.complaints[-1].startswith(last_words):
                    problems += [f'exit status {result.status}', *result.complaints]
                if result.seconds > len(ALL_CC) * 0.02 + OVERHEAD:
                    problems.append('too long')
                yield Row('disk full', script, result, problems)
                shutil.rmtree(folder / 'downloaded')
    finally:
        subprocess.run(['umount', str(folder)], check=True)


def idle_connections(folder: Path) -> Iterator[Row]:
    """Have a thousand clients connect to the server and say nothing."""
    with serving('--max-delay=0') as server, ExitStack() as stack:
        port = urlsplit(server.url).port
        for _ in range(AT_ONCE):
            stack.enter_context(socket.create_connection(('localhost', port)))
        for script in FLAGS2:
            result = run(folder, ROOT / script, '-a', '-s', server.url)
            problems = problems_of(result, len(ALL_CC), OVERHEAD) + wrong_files(folder, ALL_CC)
            yield Row(f'{AT_ONCE} idle connections', script, result, problems)


def main() -> None:
    """Print a line for each run; fail if anything is wrong."""
    parser = argparse.ArgumentParser(description='Put the scripts under load and into trouble.')
    parser.add_argument('--rounds', type=positive, default=10, help='of load (default: 10)')
    rounds = parser.parse_args().rounds
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, most), most))
    print(f'{"what":26}{"script":22}{"seconds":>8}{"OK":>7}{"404":>6}{"errors":>8}')
    wrong = 0
    scenarios = (error_rates, restart, frozen, neighbours, full_disk, idle_connections)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for rows in (load(folder, rounds), *(scenario(folder) for scenario in scenarios)):
            for what, script, result, problems in rows:
                counts = result.counts
                figures = f'{counts["OK"]:7}{counts["404"]:6}{counts["errors"]:8}'
                print(f'{what:26}{script:22}{result.seconds:8.2f}{figures}', *problems, sep='\n  ')
                wrong += bool(problems)
            shutil.rmtree(folder / 'downloaded', ignore_errors=True)
    print(f'{wrong} of the runs went wrong' if wrong else 'all as it should be')
    sys.exit(wrong > 0)


if __name__ == '__main__':
    main()
