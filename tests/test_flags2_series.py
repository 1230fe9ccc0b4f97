"""What the sequential, the threaded and the asynchronous script of flags2 all promise."""

import itertools
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from conftest import (
    PATIENCE,
    ROOT,
    RunScript,
    Script,
    Server,
    StartScript,
    StartServer,
    command,
    flag_files,
    shown_on_terminal,
    started,
    wait_until,
)
from cpu_tools import SOON
from raw_server import BEHAVIORS, misbehaving, raw_server

from comparing.runs import most_in_flight, read_log

SERIES = ['flags2_sequential.py', 'flags2_threadpool.py', 'flags2_asyncio.py']
CONCURRENT = SERIES[1:]
MANY = 200 if sys.flags.dev_mode else 676  # asyncio is three times as slow in that mode


@pytest.fixture(params=SERIES)
def script(request: pytest.FixtureRequest) -> str:
    """Run a test with each script in turn."""
    name: str = request.param
    return name


def report(run: Script) -> str:
    """Return the output with times and ports replaced."""
    output = re.sub(r'localhost:\d+', 'localhost:PORT', run.stdout)
    return re.sub(r'time: \d+\.\d\ds', 'time: TIME', output)


def outcome(report: str) -> dict[str, int]:
    """Return the numbers in a final report by the last word of their lines."""
    return {word: int(number) for number, word in re.findall(r'^(\d+) .*?(\w+)\.$', report, re.M)}


def test_default_run_prints_the_report_of_the_book(
    script: str, run_script: RunScript, fast_server: Server
) -> None:
    run = run_script(script, '-s', fast_server.url)
    connections = '1 concurrent connection' if 'seq' in script else '20 concurrent connections'
    assert report(run) == (
        'URL site: http://localhost:PORT/flags\n'
        'Searching for 20 flags: from BD to VN\n'
        f'{connections} will be used.\n'
        '--------------------\n'
        '20 flags downloaded.\n'
        'Elapsed time: TIME\n'
    )
    assert run.returncode == 0


def test_downloads_are_identical_to_what_is_served(
    script: str, run_script: RunScript, fast_server: Server
) -> None:
    run_script(script, '-a', '-s', fast_server.url)
    codes = (ROOT / 'country_codes.txt').read_text().split()
    assert flag_files() == [f'{cc}.gif' for cc in codes]
    for cc in codes:
        served = ROOT / 'flags' / cc.lower() / f'{cc.lower()}.gif'
        assert Path(f'downloaded/{cc}.gif').read_bytes() == served.read_bytes()


def test_codes_without_a_flag_are_not_found(
    script: str, run_script: RunScript, fast_server: Server
) -> None:
    run = run_script(script, '-s', fast_server.url, *'abc')
    assert 'Searching for 78 flags: from AA to CZ\n' in run.stdout
    assert report(run).endswith(
        '--------------------\n43 flags downloaded.\n35 not found.\nElapsed time: TIME\n'
    )
    assert run.returncode == 0


def test_every_finds_194_of_676(script: str, run_script: RunScript, fast_server: Server) -> None:
    run = run_script(script, '-e', '-s', fast_server.url)
    assert outcome(run.stdout) == {'used': 1 if 'seq' in script else 30} | {
        'downloaded': 194,
        'found': 482,
    }


def test_outcomes_and_their_tally_are_what_the_server_has_sent(
    script: str, run_script: RunScript, start_server: StartServer
) -> None:
    """So an error does not keep others from being counted, and each is told of its code."""
    server = start_server('--error-rate', 0.25, '--max-delay', 0)
    run = run_script(script, '-v', '-s', server.url, '-al', 100, '-m', 100)
    sent = {request['path'][-6:-4].upper(): request['status'] for request in server.requests()}
    told = re.findall(r'^([A-Z]{2}) (OK|error: HTTP error 418)', run.stdout, re.M)
    assert 'Searching for 100 flags: from AD to LK\n' in run.stdout
    assert {code: 200 if text == 'OK' else 418 for code, text in told} == sent
    assert outcome(run.stdout)['downloaded'] == list(sent.values()).count(200)
    assert outcome(run.stdout)['errors'] == list(sent.values()).count(418) > 0
    assert (len(sent), run.returncode) == (100, 1)


def test_no_more_requests_at_once_than_asked_for_each_worker_on_one_connection(
    script: str, run_script: RunScript, start_server: StartServer
) -> None:
    server = start_server('--min-delay', 0.1, '--max-delay', 0.2)
    run_script(script, '-s', server.url, '-al', 16, '-m', 4)
    workers = 1 if 'seq' in script else 4
    assert most_in_flight(read_log(server.log, 0)) == workers
    assert len({request['client_port'] for request in server.requests()}) == workers


def test_verbose_prints_a_line_per_code_and_no_bar(
    script: str, run_script: RunScript, fast_server: Server
) -> None:
    run = run_script(script, '-v', '-s', fast_server.url, 'br', 'aa')
    assert f'\nAA not found: {fast_server.url}/aa/aa.gif\n' in run.stdout
    assert '\nBR OK\n' in run.stdout
    assert run.stderr == ''


# What a server does that is asked for a code, and what is told of that code
BY_CODE = {
    'AE': ('accepts and closes', r'error: (Connection reset by peer|Server discon.*) \(.*Error\)'),
    'BR': ('redirects for ever', r'error: Exceeded maximum .*redirects. \(TooManyRedirects\)'),
    'CN': ('resets mid-body', r'error: Connection reset by peer \(ReadError\)'),
    'DE': ('ends half-way', r'error: peer closed .*received \d+ bytes, expected \d+\) \(.*Error\)'),
    'EG': ('sends garbage', r'error: illegal status line: .*\\xff.* \(RemoteProtocolError\)'),
    'FR': ('redirects to no host', r'error: .*(label empty|Name or service|resolution).*'),
    'GB': ('redirects once', 'OK'),
    'HU': ('answers 500', 'error: HTTP error 500 - Internal Server Error'),
    'ID': ('answers 404', r'not found: http://127\.0\.0\.1:\d+/flags/id/id\.gif'),
    'JP': ('answers 204', r'error: empty response \(TransportError\)'),
    'KE': ('sends no content', r'error: empty response \(TransportError\)'),
}
OVERDUE = ['never answers', 'drips headers', 'drips body']


def behave_by_code(conn: socket.socket) -> None:
    """Do what the code stands for that the request will name, once it is read."""
    found = re.search(rb'/flags/(\w\w)', conn.recv(4096, socket.MSG_PEEK))
    assert found
    behavior = BEHAVIORS[BY_CODE[found[1].decode().upper()][0]]
    assert behavior
    behavior(conn)


def test_each_kind_of_failure_is_told_with_its_code(script: str, run_script: RunScript) -> None:
    """Downloads after an error are not errors, also where one worker sees several."""
    with raw_server(behave_by_code) as server:
        run = run_script(script, '-v', '-m', 2, '-s', server.url, *BY_CODE)
    lines = run.stdout.splitlines()
    told = dict(line.split(' ', 1) for line in lines[3 : lines.index('-' * 20)])
    wrong = {code: told[code] for code in BY_CODE if not re.fullmatch(BY_CODE[code][1], told[code])}
    assert wrong == {}
    tally = {'downloaded': 1, 'found': 1, 'errors': 9}
    assert outcome(run.stdout) == tally | {'used': 1 if 'seq' in script else 2}
    assert (run.returncode, run.stderr) == (1, '')
    assert flag_files() == ['GB.gif']


def test_server_that_refuses_makes_errors(script: str, run_script: RunScript) -> None:
    with misbehaving('refuses') as server:
        run = run_script(script, '-v', '-s', server.url, 'br')
    assert 'BR error: Connection refused (ConnectError)\n' in run.stdout
    assert (run.returncode, run.stderr) == (1, '')


def test_overdue_responses_are_errors() -> None:
    """Try all servers with all scripts at the same time: each takes as long as the timeout."""
    with ExitStack() as stack:
        runs = []
        for behavior, name in itertools.product(OVERDUE, SERIES):
            server = stack.enter_context(misbehaving(behavior))
            args = command(name, '-v', '-s', server.url, 'br')
            runs.append(stack.enter_context(started(args)))
        for run in runs:
            stdout, stderr = run.communicate(timeout=PATIENCE)
            assert 'BR error: timed out (ReadTimeout)\n' in stdout
            assert (run.returncode, stderr) == (1, '')
    assert flag_files() == []


def cancelled_in_time(process: subprocess.Popen[str], status: int) -> None:
    """Check that a process that has got a signal ends soon, with a report of what was done."""
    signalled = time.monotonic()
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert time.monotonic() - signalled < SOON
    assert process.returncode == status
    assert 'Traceback' not in stderr
    counts = outcome(stdout)
    assert counts['cancelled'] > 0
    total = sum(counts.get(word, 0) for word in ('downloaded', 'found', 'cancelled'))
    assert total == 676
    assert len(flag_files()) == counts['downloaded']
    assert not [name for name in flag_files() if name.startswith('.')]


def start_on_delay(
    start_script: StartScript, server: Server, script: str, *options: object
) -> subprocess.Popen[str]:
    """Start a script that has to wait for its 676 codes; return when it has begun to."""
    process = start_script(script, '-e', '-s', server.url, *options)
    assert process.stdout
    for _ in range(3):
        process.stdout.readline()
    return process


@pytest.mark.parametrize(
    ('script', 'workers', 'signum'),
    [
        *[(script, 30, signal.SIGINT) for script in SERIES],
        *[(script, 30, signal.SIGTERM) for script in SERIES],
        *[(script, MANY, signal.SIGINT) for script in CONCURRENT],
    ],
)
def test_signal_cancels_what_is_not_done(
    script: str,
    workers: int,
    signum: signal.Signals,
    start_script: StartScript,
    start_server: StartServer,
) -> None:
    server = start_server('--min-delay', 0.1, '--max-delay', 3)
    process = start_on_delay(start_script, server, script, '-m', workers)
    wait_until(server.requests)
    process.send_signal(signum)
    cancelled_in_time(process, 128 + signum)


def test_second_ctrl_c_changes_nothing(
    script: str, start_script: StartScript, start_server: StartServer
) -> None:
    process = start_on_delay(start_script, start_server(), script, '-m', 100)
    time.sleep(0.5)
    for _ in range(5):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.01)
    cancelled_in_time(process, 130)


def test_ctrl_c_at_random_moments(
    script: str, start_script: StartScript, start_server: StartServer, rng: random.Random
) -> None:
    """Also strike while downloads are submitted and saved, on a server that hardly waits."""
    server = start_server('--min-delay', 0.05, '--max-delay', 2)
    for _ in range(4):
        shutil.rmtree('downloaded', ignore_errors=True)
        process = start_on_delay(start_script, server, script, '-m', rng.choice([30, MANY]))
        time.sleep(rng.uniform(0, 0.8))
        os.killpg(process.pid, signal.SIGINT)
        cancelled_in_time(process, 130)


def test_nothing_is_requested_after_ctrl_c(
    script: str, start_script: StartScript, start_server: StartServer
) -> None:
    server = start_server('--min-delay', 0.2, '--max-delay', 0.4)
    process = start_on_delay(start_script, server, script, '-m', 30)
    wait_until(server.requests)
    process.send_signal(signal.SIGINT)
    signalled = time.time()
    cancelled_in_time(process, 130)
    time.sleep(0.5)
    assert max(request['start'] for request in server.requests()) < signalled + 0.2


@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='needs the limits of a Unix system')
def test_full_disk_makes_errors(script: str, fast_server: Server) -> None:
    """Have a limit on the size of files stand in for the disk; the flag of ID is small."""
    limited = 'ulimit -f 1; exec "$@"'
    args = ['bash', '-c', limited, '-', *command(script, '-s', fast_server.url, 'id', 'us', 'vn')]
    run = subprocess.run(args, capture_output=True, text=True, timeout=PATIENCE)
    assert run.returncode == 1
    assert outcome(run.stdout)['errors'] == 2
    told = rf'{script}: (US|VN): File too large: downloaded/\1\.gif'
    assert re.fullmatch(told, run.stderr.splitlines()[-1])
    assert flag_files() == ['ID.gif']


def test_occupied_folder_is_told_in_one_line(
    script: str, run_script: RunScript, fast_server: Server
) -> None:
    Path('downloaded').write_text('mine')
    run = run_script(script, '-s', fast_server.url)
    assert (run.returncode, run.stdout) == (1, '')
    assert run.stderr == f'{script}: File exists: downloaded\n'
    assert Path('downloaded').read_text() == 'mine'


def test_file_that_cannot_be_written_is_an_error_of_that_flag(
    script: str, run_script: RunScript, fast_server: Server
) -> None:
    Path('downloaded/AD.gif').mkdir(parents=True)
    run = run_script(script, '-a', '-s', fast_server.url)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == f'{script}: AD: Is a directory: downloaded/AD.gif'
    assert outcome(run.stdout)['downloaded'] == 193
    assert outcome(run.stdout)['error'] == 1


def test_first_error_is_told_once_below_the_bar(
    script: str, run_script: RunScript, start_server: StartServer
) -> None:
    server = start_server('--max-delay', 0, '--error-rate', 1)
    run = run_script(script, '-s', server.url)
    told = rf"{script}: [A-Z]{{2}}: HTTP error 418 - I'm a Teapot"
    assert re.fullmatch(told, run.stderr.splitlines()[-1])
    assert run.stderr.count('HTTP error') == 1


def test_at_most_30_requests_to_somebody_elses_site(script: str) -> None:
    """Have a proxy that refuses stand between this test and that site."""
    with misbehaving('refuses') as proxy:
        proxied = os.environ | {'https_proxy': proxy.url}
        args = command(script, '-s', 'REMOTE', '-e', '-m', 100)
        run = subprocess.run(args, env=proxied, capture_output=True, text=True, timeout=PATIENCE)
    used = 1 if 'seq' in script else 30
    assert outcome(run.stdout)['used'] == used
    assert outcome(run.stdout)['errors'] == 676
    assert ('site is public' in run.stderr) == (used == 30)


def test_bar_counts_from_the_first_download_to_the_last(
    script: str, start_server: StartServer
) -> None:
    server = start_server('--min-delay', 0.1, '--max-delay', 0.4)
    options = ['-l', 8] if 'seq' in script else ['-m', 50]
    args = command(script, '-a', *options, '-s', server.url)
    bar = shown_on_terminal(args, 'stderr', 80)
    counts = [int(count) for count in re.findall(r' (\d+)/\d+ \[', bar)]
    total = 8 if 'seq' in script else 194
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert counts[-1] == total
    assert 0 < counts[1] < total / 2
    assert re.search(r'\d\d:\d\d<\d\d:\d\d, +[\d.]+it/s\]', bar)
    assert bar.endswith('\n')
