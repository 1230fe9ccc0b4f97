"""What servers, proxies, limits and streams may do to the scripts, and listings beside them."""

import itertools
import multiprocessing
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
from conftest import (
    PATIENCE,
    ROOT,
    RunScript,
    Script,
    Server,
    StartScript,
    StartServer,
    altered_copy,
    command,
    flag_files,
    started,
    wait_until,
)
from cpu_tools import SOON
from raw_server import (
    FLAG,
    GIF,
    KEPT,
    answer,
    converse,
    left,
    misbehaving,
    raw_server,
    request_path,
    response,
)

from support.servers import is_this_machine

FLAGS = ['flags.py', 'flags_processpool.py', 'flags_asyncio.py']
CONCURRENT = ['flags2_threadpool.py', 'flags2_asyncio.py']
FLAGS2 = ['flags2_sequential.py', *CONCURRENT]
CPU = ['primes.py', 'proc_pool.py', 'procs.py', 'demo_executor_map.py']
SCRIPTS = sorted(path.name for path in ROOT.glob('*.py') if os.access(path, os.X_OK))
MEMORY = 100_000_000  # bytes: twice as much as a script takes
SHORT = 20  # seconds until a script counts as hanging

needs_linux = pytest.mark.skipif(sys.platform != 'linux', reason='needs Linux')
each_script = pytest.mark.parametrize('script', FLAGS + FLAGS2)
each_of_flags2 = pytest.mark.parametrize('script', FLAGS2)


def complaints(stderr: str) -> list[str]:
    """Return what a script says on stderr besides its bar."""
    lines = stderr.splitlines()
    return [line for line in lines if line and not re.search(r'\d+%\|', line)]


def counts(stdout: str) -> dict[str, int]:
    """Return the numbers in a report by the last word of their lines, in the plural."""
    found = re.findall(r'^(\d+) .*?(\w+?)s?\.$', stdout, re.M)
    return {word: int(number) for number, word in found}


def one_flag(script: str) -> list[str]:
    """Return the arguments with which a script of flags2 downloads one flag; others take none."""
    return ['br'] if script in FLAGS2 else []


def only_complaint(run: Script) -> str:
    """Return the one line that a script says when nothing could be downloaded."""
    assert run.returncode == 1
    (complaint,) = complaints(run.stderr)
    if 'site:' in run.stdout:
        assert counts(run.stdout)['error'] == 1
    assert flag_files() == []
    return complaint


def in_shell(code: str, *args: str) -> Script:
    """Run a command in a shell, where code has "$@" for it."""
    return subprocess.run(
        ['bash', '-c', code, '-', *args], capture_output=True, text=True, timeout=SHORT
    )


@pytest.mark.parametrize('script', CONCURRENT)
@pytest.mark.parametrize('limit', ['ulimit -n 60', 'ulimit -S -n 60'])
def test_connections_are_as_many_as_files_may_be_open(
    limit: str, script: str, start_server: StartServer
) -> None:
    server = start_server('--max-delay', 0.05)
    args = command(script, '-a', '-m', 676, '-s', server.url)
    run = in_shell(f'{limit}; exec "$@"', *args)
    told = f'{script}: no more than 10 requests at a time, as more files cannot be open'
    assert complaints(run.stderr) == ([] if '-S' in limit else [told])
    assert counts(run.stdout)['downloaded'] == len(flag_files()) == 194
    assert run.returncode == 0


@each_of_flags2
@pytest.mark.parametrize(
    ('replies', 'pause'),
    [([KEPT], 0.001), ([KEPT], 0), ([KEPT, b''], 0)],
    ids=['soon', 'at once', 'at the next request'],
)
def test_request_is_repeated_if_a_kept_connection_is_closed(
    replies: list[bytes], pause: float, script: str, run_script: RunScript
) -> None:
    asked: list[str] = []
    with raw_server(partial(converse, replies, asked, pause=pause)) as server:
        run = run_script(script, '-a', '-m', 5, '-s', server.url)
    assert (run.returncode, complaints(run.stderr)) == (0, [])
    assert counts(run.stdout)['downloaded'] == len(set(asked)) == 194
    assert max(Counter(asked).values()) <= 2


@each_of_flags2
@pytest.mark.parametrize(
    'replies', [[KEPT, b'HTTP/1.1 2'], [b'']], ids=['a response has begun', 'it is the first']
)
def test_no_request_is_repeated_if(
    replies: list[bytes], script: str, run_script: RunScript
) -> None:
    asked: list[str] = []
    with raw_server(partial(converse, replies, asked)) as server:
        run = run_script(script, '-a', '-m', 5, '-s', server.url)
    assert run.returncode == 1
    assert counts(run.stdout)['error'] == 194 - len(flag_files()) > 90
    assert set(Counter(asked).values()) == {1}


@pytest.mark.parametrize('script', ['flags.py', *FLAGS2])
@pytest.mark.parametrize(
    ('behavior', 'reason'),
    [
        ('sends without end', 'more than 10,000,000 bytes (TransportError)'),
        ('sends a bomb', 'unasked encoding gzip (TransportError)'),
    ],
)
def test_no_memory_is_taken_for(behavior: str, reason: str, script: str) -> None:
    with misbehaving(behavior) as server:
        args = command(script, '-s', server.url, *one_flag(script))
        with started(args) as process:
            peak = peak_memory(process)
            stdout, stderr = process.communicate()
    run = Script(args, process.returncode, stdout, stderr)
    assert reason in only_complaint(run)
    assert peak < MEMORY


def peak_memory(process: subprocess.Popen[str]) -> int:
    """Wait for a process that prints little; return how much memory it has taken."""
    peak = 0
    deadline = time.monotonic() + SHORT
    while process.poll() is None and time.monotonic() < deadline:
        peak = max(peak, psutil.Process(process.pid).memory_info().rss)
        time.sleep(0.01)
    return peak


LOCATIONS = {
    'BA': ('http://xn--/', 'Malformed A-label'),
    'BB': ('http://localhost:99999/', 'localhost has no port 99999 (TransportError)'),
    'BD': ('mailto:x', 'path must be empty'),
    'BE': ('data:,x', 'path must be empty'),
    'BF': ('http://\x1b[31mhost/', r"non-printable ASCII character in URL, '\x1b' at"),
}


@pytest.mark.parametrize('script', FLAGS)
@pytest.mark.parametrize(('location', 'reason'), LOCATIONS.values(), ids=LOCATIONS)
def test_redirect_to_nowhere_is_told_in_one_line(
    location: str, reason: str, script: str, run_script: RunScript
) -> None:
    reply = response('302 Found', b'', f'Location: {location}')
    with raw_server(partial(answer, reply)) as server:
        assert reason in only_complaint(run_script(script, '-s', server.url))


@each_of_flags2
def test_redirect_to_nowhere_is_an_error_of_that_flag(script: str, run_script: RunScript) -> None:
    def redirect(conn: socket.socket) -> None:
        location, _ = LOCATIONS[request_path(conn)[-6:-4].upper()]
        conn.sendall(response('302 Found', b'', f'Location: {location}'))

    with raw_server(redirect) as server:
        run = run_script(script, '-v', '-s', server.url, *LOCATIONS)
    assert (run.returncode, run.stderr) == (1, '')
    assert counts(run.stdout)['error'] == len(LOCATIONS)
    for cc, (_, reason) in LOCATIONS.items():
        assert re.search(f'^{cc} error: .*{re.escape(reason)}', run.stdout, re.M)


@pytest.mark.parametrize('script', ['flags.py', 'flags_asyncio.py', *FLAGS2])
def test_control_characters_do_not_reach_the_terminal(script: str, run_script: RunScript) -> None:
    with raw_server(partial(answer, response('418 \x1b[31mred', GIF))) as server:
        args = ['-v', *one_flag(script)] if script in FLAGS2 else []
        run = run_script(script, *args, '-s', server.url)
    assert r'HTTP error 418 - \x1b[31mred' in run.stdout + run.stderr
    assert '\x1b' not in run.stdout + run.stderr


@each_script
def test_proxy_that_refuses_is_named(script: str, run_script: RunScript) -> None:
    with misbehaving('refuses') as proxy:
        url = proxy.url.replace('127.0.0.1', '127.1')
        run = run_script(script, '-s', 'REMOTE', *one_flag(script), https_proxy=url)
    assert 'Connection refused by 127.1 (ConnectError)' in only_complaint(run)


@pytest.mark.parametrize('script', ['flags.py', *CONCURRENT])
def test_proxy_without_a_valid_port_is_named(script: str, run_script: RunScript) -> None:
    proxy = 'http://127.0.0.1:99999'
    run = run_script(script, '-s', 'REMOTE', *one_flag(script), https_proxy=proxy)
    assert '127.0.0.1 has no port 99999 (TransportError)' in only_complaint(run)


@pytest.mark.parametrize(
    ('host', 'expected'),
    [
        ('127.0.0.1', True),
        ('127.5.5.5', True),
        ('127.1', True),
        ('2130706433', True),
        ('::1', True),
        ('0:0::1', True),
        ('localhost', True),
        ('localhost.', True),
        ('flags.localhost', True),
        ('127', False),
        ('128.0.0.1', False),
        ('127.0.0.1.example.com', False),
        ('localhost.example.com', False),
        ('nolocalhost', False),
        ('::2', False),
        ('', False),
    ],
)
def test_is_this_machine(host: str, expected: bool) -> None:
    assert is_this_machine(host) == expected


@pytest.mark.parametrize('host', ['127.0.0.1', '127.5.5.5', '[::1]', '[0:0::1]', 'localhost'])
def test_nothing_on_this_machine_is_asked_of_a_proxy(
    host: str, start_server: StartServer, run_script: RunScript
) -> None:
    try:
        ((family, *_, address), *_) = socket.getaddrinfo(host.strip('[]'), 0)
        with socket.socket(family) as sock:
            sock.bind(address)
    except OSError:
        pytest.skip('not an address of this machine')
    server = start_server('--max-delay', 0, '--bind', str(address[0]))
    url = f'http://{host}:{server.url.split(":")[-1]}'
    with misbehaving('refuses') as proxy:
        for script in ('flags2_sequential.py', 'flags2_asyncio.py'):
            run = run_script(script, 'br', '-s', url, http_proxy=proxy.url, ALL_PROXY=proxy.url)
            assert '\n1 flag downloaded.\n' in run.stdout


@each_script
@pytest.mark.parametrize('file', ['missing.pem', 'empty.pem'])
def test_file_without_certificates_is_named(
    file: str, script: str, fast_server: Server, run_script: RunScript
) -> None:
    Path('empty.pem').touch()
    run = run_script(script, '-s', 'REMOTE', *one_flag(script), SSL_CERT_FILE=file)
    (complaint,) = run.stderr.splitlines()
    assert complaint.startswith(f'{script}: SSL_CERT_FILE: ')
    assert complaint.endswith(f': {file}')
    assert run.returncode == 1


def test_certificates_do_not_matter_to_http(fast_server: Server, run_script: RunScript) -> None:
    run = run_script('flags.py', '-s', fast_server.url, SSL_CERT_FILE='missing.pem')
    assert (run.returncode, run.stderr) == (0, '')


@pytest.mark.parametrize('script', ['flags.py', 'flags2_sequential.py', 'compare.py'])
def test_password_is_refused_and_not_shown(script: str, run_script: RunScript) -> None:
    run = run_script(script, '-s', 'http://user:secret@localhost/flags')
    assert run.returncode == 2
    assert 'secret' not in run.stdout + run.stderr


@pytest.mark.parametrize('script', SCRIPTS)
def test_help(script: str, run_script: RunScript) -> None:
    run = run_script(script, '-h')
    assert (run.returncode, run.stderr) == (0, '')
    assert run.stdout.startswith(f'usage: {script} ')
    if script == 'flags_threadpool_futures.py':
        assert 'Download five flags' in run.stdout
    if script in FLAGS + FLAGS2:
        assert 'or a base URL' in ' '.join(run.stdout.split())


@pytest.mark.parametrize('option', ['-a', '-e'])
def test_codes_beside_all_or_every_are_refused(option: str, run_script: RunScript) -> None:
    run = run_script('flags2_sequential.py', option, 'br')
    assert run.returncode == 2
    assert run.stderr.endswith('error: codes do not go together with -a or -e\n')


@needs_linux
@pytest.mark.parametrize('streams', ['2>/dev/full', '2>&-', '>&-', '>&- 2>&-'])
@pytest.mark.parametrize(
    ('script', 'flags'), [('flags.py', 20), ('flags2_sequential.py', 1), ('flags2_asyncio.py', 1)]
)
def test_streams_that_take_nothing_do_not_matter(
    streams: str, script: str, flags: int, free_port: int
) -> None:
    folder = altered_copy('support/servers.py', '8000', str(free_port))
    args = command(script, '-s', 'LOCAL', *one_flag(script), folder=folder)
    run = in_shell(f'exec "$@" {streams}', *args)
    assert run.returncode == 0
    assert len(flag_files()) == flags


@needs_linux
@pytest.mark.parametrize('script', [*FLAGS, 'flags_threadpool.py', *FLAGS2, *CPU])
def test_sighup_ends_it(script: str, start_script: StartScript, start_server: StartServer) -> None:
    args = [] if script in CPU else ['-s', start_server('--min-delay', 2).url]
    process = start_script(script, *args)
    wait_until(lambda: takes_signals(process.pid))
    time.sleep(0.3)
    process.send_signal(signal.SIGHUP)
    signalled = time.monotonic()
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert time.monotonic() - signalled < SOON
    assert process.returncode == 129
    if script in FLAGS2:
        assert counts(stdout)['cancelled'] == 20
    else:
        assert complaints(stderr) == [f'{script}: interrupted']


def takes_signals(pid: int) -> bool:
    """Tell whether a process has a handler for SIGTERM."""
    status = Path(f'/proc/{pid}/status').read_text()
    (mask,) = re.findall(r'SigCgt:\s*(\w+)', status)
    return bool(int(mask, 16) & 1 << signal.SIGTERM - 1)


@pytest.fixture
def as_nobody() -> list[str]:
    """Return the start of a command that runs as a user who owns no other process."""
    user = f'--reuid={50_000 + time.monotonic_ns() % 1_000_000}'
    prefix = ['setpriv', user, '--clear-groups']
    may = shutil.which('setpriv') and os.geteuid() == 0
    if not may or subprocess.run([*prefix, sys.executable, '-c', '']).returncode:
        pytest.skip('cannot become another user')
    Path.cwd().chmod(0o777)
    return prefix


@pytest.mark.parametrize('threads', [1, 20])
@pytest.mark.parametrize('script', [*FLAGS2, 'flags_threadpool.py', 'flags_processpool.py'])
def test_downloads_end_without_more_threads(
    threads: int, script: str, as_nobody: list[str], fast_server: Server
) -> None:
    every = ['-e', '-m', 1000] if script in FLAGS2 else []
    args = command(script, *every, '-s', fast_server.url)
    check_limited(in_shell(f'ulimit -u {threads}; exec "$@"', *as_nobody, *args))


@needs_linux
@pytest.mark.parametrize('script', ['flags2_threadpool.py', 'flags_threadpool.py'])
def test_downloads_end_without_more_memory(script: str, fast_server: Server) -> None:
    every = ['-e', '-m', 1000] if script in FLAGS2 else []
    args = command(script, *every, '-s', fast_server.url)
    check_limited(in_shell('ulimit -v 150000; exec "$@"', *args))


@needs_linux
@pytest.mark.parametrize('kilobytes', [80_000, 110_000, 160_000])
def test_coroutines_are_as_many_as_there_is_memory_for(kilobytes: int, fast_server: Server) -> None:
    url = fast_server.url.replace('127.0.0.1', 'localhost')
    args = command('flags2_asyncio.py', '-e', '-m', 1000, '-s', url)
    run = in_shell(f'ulimit -v {kilobytes}; exec "$@"', *args)
    told = r'no more than \d+ requests? at a time, as there is no memory for more'
    for line in complaints(run.stderr):
        assert re.fullmatch(rf'flags2_asyncio\.py: {told}', line)
    assert counts(run.stdout)['downloaded'] == len(flag_files()) == 194
    assert run.returncode == 0


@pytest.mark.parametrize('script', ['proc_pool.py', 'procs.py'])
def test_cpu_bound_work_ends_without_more_processes(script: str, as_nobody: list[str]) -> None:
    for processes in (1, 3, 20):
        args = [*as_nobody, *command(script, 40)]
        run = in_shell(f'ulimit -u {processes}; exec "$@"', *args)
        check_limited(run)
        assert run.returncode == 1


def check_limited(run: Script) -> None:
    """Check that a script that could not have all it wanted has ended in good order."""
    assert run.returncode in (0, 1)
    if multiprocessing.get_start_method() != 'forkserver':  # which prints tracebacks of its own
        assert len(complaints(run.stderr)) <= 1
    if 'site:' in run.stdout:
        assert counts(run.stdout)['downloaded'] == len(flag_files())


TERMINATED = """
import time

from support.exits import orderly_exit
from support.workers import Process

with orderly_exit():
    for _ in range(100):
        process = Process(target=time.sleep, args=(60,))
        process.start()
        process.terminate()
        process.join(5)
        assert process.exitcode is not None
"""


def test_process_can_be_ended_as_soon_as_it_has_started() -> None:
    args = [sys.executable, '-c', TERMINATED]
    run = subprocess.run(args, env=os.environ | {'PYTHONPATH': str(ROOT)}, timeout=PATIENCE)
    assert run.returncode == 0


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
    'primes_listing': PRIMES,
}


@pytest.fixture(params=['httpx.get', 'clients.get'])
def getter(request: pytest.FixtureRequest) -> str:
    """Run a test with listings that use either function."""
    name: str = request.param
    return name


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Write the listings, with the project's modules at hand."""
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    getter = request.getfixturevalue('getter') if 'getter' in request.fixturenames else ''
    for name, code in LISTINGS.items():
        Path(f'{name}.py').write_text(code.replace('httpx.get(', f'{getter or "httpx.get"}('))


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
@pytest.mark.parametrize('listing', ['one_by_one', 'with_threads'])
def test_listing_reports(
    listing: str, getter: str, fast_server: Server, run_script: RunScript
) -> None:
    run = run_script(Path(f'{listing}.py').resolve(), 'a', '-s', fast_server.url)
    assert run.returncode == 0
    assert counts(run.stdout)['downloaded'] == len(flag_files()) == 11
    assert counts(run.stdout)['found'] == 26 - 11


@pytest.mark.usefixtures('typed')
@pytest.mark.parametrize('listing', ['one_by_one', 'with_threads'])
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


def interrupted(listing: str) -> Script:
    """Type Ctrl-C while a listing waits for a server that has sent three flags before."""
    numbers = itertools.count(1)

    def send_three(conn: socket.socket) -> None:
        if next(numbers) <= 3:
            answer(FLAG, conn)
        else:
            left(conn)

    with raw_server(send_three) as server:
        args = [sys.executable, f'{listing}.py', '-s', server.url]
        with started(args) as process:
            wait_until(lambda: len(server.connections) > 3)
            time.sleep(0.3)
            os.killpg(process.pid, signal.SIGINT)
            signalled = time.monotonic()
            stdout, stderr = process.communicate(timeout=PATIENCE)
            assert time.monotonic() - signalled < SOON
    assert process.returncode == 130
    return Script(args, process.returncode, stdout, stderr)


@pytest.mark.usefixtures('typed')
@pytest.mark.parametrize('listing', ['mapped', 'in_processes', 'submitted'])
def test_ctrl_c_ends_a_listing_of_the_first_series(listing: str) -> None:
    assert interrupted(listing).stderr == f'{listing}.py: interrupted\n'


@pytest.mark.usefixtures('typed')
@pytest.mark.parametrize('listing', ['one_by_one', 'with_threads'])
def test_ctrl_c_ends_a_listing_of_the_second_series(listing: str, getter: str) -> None:
    run = interrupted(listing)
    if (listing, getter) == ('with_threads', 'httpx.get'):  # whose threads cannot be broken off
        assert run.stderr.endswith('with_threads.py: interrupted\n')
    else:
        assert counts(run.stdout)['downloaded'] == len(flag_files()) == 3
        assert counts(run.stdout)['cancelled'] == 17
        assert complaints(run.stderr) == []
