"""What all scripts of the flags series promise, however they download."""

import os
import re
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import (
    PATIENCE,
    ROOT,
    RunScript,
    Server,
    StartScript,
    StartServer,
    command,
    flag_files,
    flag_url,
    running_here,
    wait_until,
)
from raw_server import misbehaving

from flags import POP20_CC

FUTURES = 'flags_threadpool_futures.py'
SERIES = [
    'flags.py',
    'flags_threadpool.py',
    FUTURES,
    'flags_processpool.py',
    'flags_asyncio.py',
]
WORKERS = {
    'flags.py': 1,
    'flags_threadpool.py': ThreadPoolExecutor()._max_workers,
    FUTURES: 3,
}
CONCURRENT = ['flags_threadpool.py', 'flags_processpool.py', 'flags_asyncio.py']


@pytest.fixture(params=SERIES)
def script(request: pytest.FixtureRequest) -> str:
    """Run a test with each script in turn."""
    name: str = request.param
    return name


def codes_of(script: str) -> list[str]:
    """Return the codes that a script downloads."""
    return sorted(POP20_CC[:5] if script == FUTURES else POP20_CC)


def codes_in(stdout: str) -> list[str]:
    """Return the codes in the order in which a script has printed them."""
    lines = [re.sub('Scheduled.*|<Future.*', '', line) for line in stdout.splitlines()[:-1]]
    return re.findall(r'\b[A-Z]{2}\b', ' '.join(lines))


def served(cc: str) -> bytes:
    """Return the flag that has to be downloaded."""
    return (ROOT / flag_url('flags', cc)).read_bytes()


def one_line(script: str, stderr: str) -> bool:
    """Tell whether a script has printed one line on stderr, with its name."""
    return stderr.startswith(f'{script}: ') and stderr.count('\n') == 1


def test_downloads_are_what_is_served_and_what_is_printed(
    script: str, run_script: RunScript, fast_server: Server
) -> None:
    run = run_script(script, '-s', fast_server.url)
    assert (run.returncode, run.stderr) == (0, '')
    assert sorted(codes_in(run.stdout)) == codes_of(script)
    assert re.search(rf'\n{len(codes_of(script))} downloads in \d+\.\d\ds\n\Z', run.stdout)
    assert flag_files() == [f'{cc}.gif' for cc in codes_of(script)]
    for cc in codes_of(script):
        assert Path(f'downloaded/{cc}.gif').read_bytes() == served(cc)


@pytest.mark.parametrize('script', ['flags.py', *CONCURRENT])
def test_code_is_printed_as_soon_as_its_flag_is_saved(
    script: str, start_script: StartScript, start_server: StartServer
) -> None:
    server = start_server('--min-delay', 0.1, '--max-delay', 0.6)
    process = start_script(script, '-s', server.url)
    assert process.stdout
    pattern = re.compile(r'(?:.*\n)*([A-Z]{2}) ')
    output = ''
    while not (match := pattern.fullmatch(output)):
        character = process.stdout.read(1)
        assert character, 'the script has ended'
        output += character
    assert f'{match[1]}.gif' in flag_files()
    assert len(server.requests()) < len(codes_of(script))


def test_no_more_connections_than_workers(
    script: str, run_script: RunScript, fast_server: Server
) -> None:
    run_script(script, '-s', fast_server.url)
    ports = {request['client_port'] for request in fast_server.requests()}
    assert len(ports) <= WORKERS.get(script, 20)


@pytest.mark.parametrize('script', ['flags.py', 'flags_asyncio.py'])
def test_plain_file_server_will_do(script: str, run_script: RunScript, file_server: str) -> None:
    run = run_script(script, '-s', file_server)
    assert (run.returncode, run.stderr) == (0, '')
    assert flag_files() == [f'{cc}.gif' for cc in codes_of(script)]


@pytest.mark.parametrize(
    ('behavior', 'script', 'told'),
    [
        *[('ends half-way', script, 'peer closed connection') for script in SERIES],
        *[('answers 500', script, 'HTTP error 500 - Internal Server Error') for script in SERIES],
        ('refuses', 'flags.py', 'Connection refused'),
        ('refuses', 'flags_asyncio.py', 'Connection refused'),
    ],
)
def test_failure_is_told_in_one_line_and_leaves_no_file(
    behavior: str, script: str, told: str, run_script: RunScript
) -> None:
    with misbehaving(behavior) as server:
        run = run_script(script, '-s', server.url)
    assert run.returncode == 1
    assert one_line(script, run.stderr)
    assert told in run.stderr
    assert server.url in run.stderr
    assert flag_files() == []


@pytest.mark.parametrize('script', ['flags.py', 'flags_asyncio.py'])
def test_single_redirect_is_followed(script: str, run_script: RunScript) -> None:
    with misbehaving('redirects once') as server:
        run = run_script(script, '-s', server.url)
    assert (run.returncode, run.stderr) == (0, '')
    assert flag_files() == [f'{cc}.gif' for cc in codes_of(script)]


@pytest.mark.parametrize('script', ['flags.py', 'flags_asyncio.py'])
def test_no_download_is_started_after_a_failure(
    script: str, run_script: RunScript, start_server: StartServer
) -> None:
    """Those with a pool have handed out all before they ask for the first result."""
    server = start_server('--error-rate', 1, '--min-delay', 0.2, '--max-delay', 0.3)
    run_script(script, '-s', server.url)
    time.sleep(0.4)
    assert len(server.requests()) <= WORKERS.get(script, 20)


@pytest.mark.parametrize('script', ['flags.py', 'flags_processpool.py'])
def test_unreachable_site_of_the_book_suggests_the_local_server(
    script: str, run_script: RunScript, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('HTTPS_PROXY', f'http://127.0.0.1:{free_port}')
    run = run_script(script)
    assert run.returncode == 1
    assert one_line(script, run.stderr)
    assert run.stderr.endswith('; try -s LOCAL\n')


def test_occupied_folder_is_told_in_one_line(run_script: RunScript, fast_server: Server) -> None:
    Path('downloaded').touch()
    run = run_script('flags.py', '-s', fast_server.url)
    assert run.returncode == 1
    assert one_line('flags.py', run.stderr)
    assert fast_server.requests() == []


def test_occupied_file_is_told_in_one_line(
    script: str, run_script: RunScript, fast_server: Server
) -> None:
    for cc in codes_of(script):
        Path(f'downloaded/{cc}.gif').mkdir(parents=True)
    run = run_script(script, '-s', fast_server.url)
    assert run.returncode == 1
    assert one_line(script, run.stderr)
    assert re.search(r'downloaded/[A-Z]{2}\.gif$', run.stderr)
    assert flag_files() == [f'{cc}.gif' for cc in codes_of(script)]


@pytest.mark.parametrize(
    ('script', 'signum', 'to_group', 'times'),
    [
        *[(script, signal.SIGINT, True, 1) for script in SERIES],
        *[(script, signal.SIGINT, True, 2) for script in CONCURRENT],
        *[(script, signal.SIGTERM, False, 1) for script in CONCURRENT],
    ],
)
def test_signal_ends_it_with_one_line(
    script: str,
    signum: signal.Signals,
    to_group: bool,
    times: int,
    start_script: StartScript,
) -> None:
    with misbehaving('never answers') as server:
        process = start_script(script, '-s', server.url)
        wait_until(lambda: server.connections, PATIENCE)
        for _ in range(times):
            os.killpg(process.pid, signum) if to_group else os.kill(process.pid, signum)
            time.sleep(0.01)
        stderr = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 128 + signum
    assert stderr == f'{script}: interrupted\n'
    assert flag_files() == []
    wait_until(lambda: running_here() == {})


@pytest.mark.parametrize('script', ['flags.py', *CONCURRENT])
def test_nothing_is_requested_after_ctrl_c(
    script: str, start_script: StartScript, start_server: StartServer
) -> None:
    server = start_server('--min-delay', 0.1, '--max-delay', 0.4)
    process = start_script(script, '-s', server.url)
    wait_until(server.requests, PATIENCE)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    time.sleep(0.5)  # until the server has noticed which clients are gone
    finished = len(server.requests())
    time.sleep(0.2)
    assert process.returncode == 130
    assert len(server.requests()) == finished
    assert all(name[0] != '.' for name in flag_files())


def test_reader_of_the_output_may_leave(script: str, start_server: StartServer) -> None:
    server = start_server('--min-delay', 0.05, '--max-delay', 0.1)
    args = command(script, '-s', server.url)
    shell = subprocess.run(
        ['sh', '-c', '"$@" | head -c 1 >/dev/null', 'sh', *args],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (shell.stdout, shell.stderr) == ('', '')


@pytest.mark.parametrize('script', ['flags_threadpool.py', 'flags_asyncio.py'])
def test_closed_standard_output_does_not_matter(script: str, fast_server: Server) -> None:
    args = command(script, '-s', fast_server.url)
    shell = subprocess.run(
        ['sh', '-c', 'exec "$@" >&-', 'sh', *args],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (shell.returncode, shell.stderr) == (0, '')
    assert len(flag_files()) == len(codes_of(script))


def test_only_labels_and_base_urls_are_accepted(run_script: RunScript) -> None:
    run = run_script('flags.py', '-s', 'NOWHERE')
    assert run.returncode == 2
    assert 'neither one of DELAY, ERROR, LOCAL, REMOTE, nor a URL' in run.stderr
    assert not Path('downloaded').exists()


def test_two_runs_in_one_folder_do_not_disturb_each_other(
    start_script: StartScript, start_server: StartServer
) -> None:
    server = start_server('--max-delay', 0.05)
    runs = [start_script(name, '-s', server.url) for name in CONCURRENT]
    assert [run.communicate(timeout=PATIENCE)[1] for run in runs] == ['', '', '']
    assert flag_files() == [f'{cc}.gif' for cc in sorted(POP20_CC)]
