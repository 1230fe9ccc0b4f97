#!/usr/bin/env python3
"""Put the scripts under load, and into trouble with servers and with each other.

    $ python3 benchmarks/faults.py
    what                      script                 seconds     OK   404  errors
    1000 at once, round 1     flags2_threadpool.py      5.62   1000     0       0
    ...

Whatever is not as it should be follows its line, and makes the exit status 1. Takes about
three minutes, most of which is spent waiting. Servers and processes are those of the tests, so
pytest and psutil have to be installed.
"""

import argparse
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

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'tests'))

from conftest import PATIENCE, ROOT, Server, command, serving, started

from flags2_common import COUNTRY_CODES_FILE, POP20_CC
from support.arguments import positive

CONCURRENT = ['flags2_threadpool.py', 'flags2_asyncio.py']
FLAGS2 = ['flags2_sequential.py', *CONCURRENT]
NEIGHBOURS = [*CONCURRENT, 'flags2_sequential.py', 'flags_threadpool.py', 'flags_processpool.py']
ALL_CC = COUNTRY_CODES_FILE.read_text('ascii').split()
EVERY_CC = 676
AT_ONCE = 1000
OPEN_FILES = 4096
TIMEOUT = 6.1  # seconds that the scripts wait for a server
OVERHEAD = 4.0  # seconds that a run may take in addition to what it has to wait for
OUTCOMES = {200: 'OK', 404: '404', 418: 'errors'}  # by the status that a server sends
BAR = re.compile(r'\d+%\|')
REPORT = {'OK': r'(\d+) flags? down', '404': r'(\d+) not found', 'errors': r'(\d+) errors?\.'}

# There are but 676 codes, so the scripts themselves never have that much to do at once
AT_ONCE_SCRIPT = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import time
import flags2_common
from {{module}} import download_many
from support import clients

_, url, *codes = sys.argv
flags2_common.make_dest_dir()
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


@contextmanager
def server_with(*options: object, port: int = 0) -> Iterator[Server]:
    """Context manager: run slow_server.py, with its log out of the way."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder, 'log'), *options, port=port) as server,
    ):
        yield server


def answers(server: Server) -> Counter[str]:
    """Return how a server has answered the requests, by its log."""
    return Counter(OUTCOMES[request['status']] for request in server.requests())


def result_of(process: subprocess.Popen[str], begun: float) -> Result:
    """Wait for a run to end."""
    stdout, stderr = process.communicate(timeout=PATIENCE)
    found = {outcome: re.search(pattern, stdout) for outcome, pattern in REPORT.items()}
    counts = Counter({outcome: int(match[1]) for outcome, match in found.items() if match})
    complaints = [line for line in stderr.splitlines() if line and not BAR.search(line)]
    return Result(counts, time.monotonic() - begun, process.returncode, complaints)


def run(folder: Path, args: list[str]) -> Result:
    """Run a command in a folder."""
    begun = time.monotonic()
    with started(args, cwd=folder) as process:
        return result_of(process, begun)


def problems_of(result: Result, total: int, most_seconds: float) -> list[str]:
    """Return what is wrong with a run that ought to count so many downloads in time.

    It should complain of its first error, if it has one, and of nothing else.
    """
    has_errors = result.counts['errors'] > 0
    problems = result.complaints.copy()
    if has_errors and problems and re.fullmatch(r'\w+\.py: [A-Z]{2}: .+', problems[0]):
        del problems[0]
    if result.counts.total() != total:
        problems.append(f'{result.counts.total()} counted of {total}')
    if result.seconds > most_seconds:
        problems.append(f'more than {most_seconds:.1f} seconds')
    if result.status != int(has_errors):
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
    with server_with() as server:
        for number in range(1, rounds + 1):
            for script in CONCURRENT:
                code = AT_ONCE_SCRIPT.format(module=script.removesuffix('.py'))
                result = run(folder, [sys.executable, '-c', code, server.url, *codes])
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
            with server_with('--max-delay=.02', '--min-delay=0', f'--error-rate={rate}') as server:
                result = run(folder, command(script, '-e', '-m', 100, '-s', server.url))
                problems = problems_of(result, EVERY_CC, 0.02 * EVERY_CC + OVERHEAD)
                if result.counts != answers(server):
                    problems.append(f'the server says {dict(answers(server))}')
            yield Row(f'error rate {rate}', script, result, problems + wrong_files(folder))


def restart(folder: Path) -> Iterator[Row]:
    """Kill the server half-way, and start another in its place."""
    options = ('--min-delay=.2', '--max-delay=.4')
    for script in CONCURRENT:
        with ExitStack() as stack:
            first = stack.enter_context(server_with(*options))
            begun = time.monotonic()
            args = command(script, '-e', '-m', 20, '-s', first.url)
            process = stack.enter_context(started(args, cwd=folder))
            first.first_requests(EVERY_CC // 3)
            first.process.kill()
            first.process.wait()
            port = urlsplit(first.url).port or 0
            second = stack.enter_context(server_with(*options, port=port))
            result = result_of(process, begun)
            problems = problems_of(result, EVERY_CC, EVERY_CC / 20 * 0.4 + OVERHEAD)
            lost = EVERY_CC - (answers(first) + answers(second)).total()
            if not lost <= result.counts['errors'] <= lost + 20:  # some were logged, not read
                problems.append(f'{lost} requests were not answered')
        yield Row('server killed, restarted', script, result, problems + wrong_files(folder))


def frozen(folder: Path) -> Iterator[Row]:
    """Stop the server half-way without closing its connections."""
    for script in CONCURRENT:
        with server_with('--min-delay=.2', '--max-delay=.4') as server:
            begun = time.monotonic()
            args = command(script, '-a', '-m', 100, '-s', server.url)
            with started(args, cwd=folder) as process:
                server.first_requests(len(ALL_CC) // 4)
                server.process.send_signal(signal.SIGSTOP)
                result = result_of(process, begun)
        problems = problems_of(result, len(ALL_CC), 2 * TIMEOUT + OVERHEAD)
        yield Row('server frozen', script, result, problems + wrong_files(folder))


def neighbours(folder: Path) -> Iterator[Row]:
    """Have several scripts download the same flags into one folder at the same time."""
    with server_with('--min-delay=.01', '--max-delay=.05') as server:
        for count in (2, len(NEIGHBOURS)):
            begun = time.monotonic()
            scripts = NEIGHBOURS[:count]
            with ExitStack() as stack:
                processes = [
                    stack.enter_context(started(command(script, '-s', server.url), cwd=folder))
                    for script in scripts
                ]
                results = [result_of(process, begun) for process in processes]
            for script, result in zip(scripts, results, strict=True):
                counted = len(POP20_CC) if 'flags2' in script else 0
                problems = problems_of(result, counted, 20 * 0.05 + 2 * OVERHEAD)
                problems += wrong_files(folder, POP20_CC)
                yield Row(f'{count} scripts in one folder', script, result, problems)
            shutil.rmtree(folder / 'downloaded')


def idle_connections(folder: Path) -> Iterator[Row]:
    """Have a thousand clients connect to the server and say nothing."""
    with server_with('--max-delay=0') as server, ExitStack() as stack:
        port = urlsplit(server.url).port
        for _ in range(AT_ONCE):
            stack.enter_context(socket.create_connection(('localhost', port)))
        for script in FLAGS2:
            result = run(folder, command(script, '-a', '-s', server.url))
            problems = problems_of(result, len(ALL_CC), OVERHEAD) + wrong_files(folder, ALL_CC)
            yield Row(f'{AT_ONCE} idle connections', script, result, problems)


SCENARIOS = [
    error_rates,
    restart,
    frozen,
    neighbours,
    idle_connections,
]


def main() -> None:
    """Print a line for each run; fail if anything is wrong."""
    parser = argparse.ArgumentParser(description='Put the scripts under load and into trouble.')
    parser.add_argument('--rounds', type=positive, default=10, help='of load (default: 10)')
    rounds = parser.parse_args().rounds
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, most), most))
    print(f'{"what":26}{"script":22}{"seconds":>8}{"OK":>7}{"404":>6}{"errors":>8}')
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for rows in (load(folder, rounds), *(scenario(folder) for scenario in SCENARIOS)):
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
