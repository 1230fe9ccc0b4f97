"""Labels and URLs to download from, and the private servers behind labels."""

import argparse
import os
import re
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import httpx
import pytest
from conftest import (
    PATIENCE,
    Server,
    StartScript,
    copy_with_port,
    flag,
    flag_files,
    flag_url,
    needs_ipv6,
    needs_posix,
    running_here,
    wait_until,
    with_sitecustomize,
)

import slow_server
from flags import POP20_CC
from support import servers

StartOnFreePort = Callable[[str, str], subprocess.Popen[str]]


@pytest.fixture
def start_on_free_port(start_script: StartScript, free_port: int) -> StartOnFreePort:
    """Run a script of the flags series with a label whose port is certainly free."""

    def start(script: str, label: str) -> subprocess.Popen[str]:
        port = urlsplit(servers.SERVERS[label.upper()]).port
        folder = copy_with_port(port, free_port)
        return start_script(script, '-s', label, folder=folder)

    return start


@pytest.fixture
def free_label(free_port: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Make sure that nothing listens on the port of a label."""

    def free(label: str) -> str:
        monkeypatch.setitem(servers.SERVERS, label, f'http://localhost:{free_port}/flags')
        return label

    return free


def announced_url(script: subprocess.Popen[str]) -> str:
    """Return the URL of the private server that a script announces on stderr."""
    assert script.stderr
    return script.stderr.readline().split()[-1]


def private_servers() -> list[int]:
    """Return the numbers of the private servers that were started in a test's folder."""
    return [pid for pid, command in running_here().items() if '--until-eof' in command]


def test_labels_stand_for_the_servers_of_the_book() -> None:
    assert servers.SERVERS == {
        'REMOTE': 'https://www.fluentpython.com/data/flags',
        'LOCAL': 'http://localhost:8000/flags',
        'DELAY': 'http://localhost:8001/flags',
        'ERROR': 'http://localhost:8002/flags',
    }


def test_servers_have_the_numbers_of_the_book(monkeypatch: pytest.MonkeyPatch) -> None:
    def numbers(options: list[str]) -> tuple[float, ...]:
        monkeypatch.setattr('sys.argv', ['slow_server.py', *options])
        args = slow_server.process_args()
        return args.port, args.min_delay, args.max_delay, args.error_rate

    assert numbers([]) == (8001, 0.5, 5, 0)
    assert {label: numbers(options)[1:] for label, options in servers.OPTIONS.items()} == {
        'LOCAL': (0, 0, 0),
        'DELAY': (0.5, 5, 0),
        'ERROR': (0.5, 5, 0.25),
    }


SERVER_NAMES = {
    **{label: label for label in servers.SERVERS},
    'local': 'LOCAL',
    'Delay': 'DELAY',
    'http://localhost:8080/flags': 'http://localhost:8080/flags',
    'http://localhost:8080/flags/': 'http://localhost:8080/flags',
    'https://example.com': 'https://example.com',
    'http://[::1]:81/x': 'http://[::1]:81/x',
}
NO_SERVERS = [
    *['', 'NOWHERE', 'LOCAL ', 'ftp://localhost/flags', 'http://', 'http:///flags', 'http://[::1'],
    *[f'http://localhost:{port}' for port in ('abc', 65536, 0)],
    *['http://a..b', 'http://localhost/?x=1', 'http://localhost/?', 'http://localhost/#x'],
    'http://user:secret@localhost/flags',
]


def test_labels_in_any_case_and_base_urls_are_accepted() -> None:
    assert {name: servers.server_name(name) for name in SERVER_NAMES} == SERVER_NAMES


@pytest.mark.parametrize('text', NO_SERVERS)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match='DELAY, ERROR, LOCAL, REMOTE') as raised:
        servers.server_name(text)
    assert 'secret' not in str(raised.value)


def test_server_that_listens_is_used(
    fast_server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(servers.SERVERS, 'DELAY', fast_server.url)
    with servers.running('DELAY') as base_url:
        assert base_url == fast_server.url
    assert capfd.readouterr() == ('', '')
    assert httpx.get(flag_url(base_url, 'BR')).is_success


@pytest.mark.parametrize('name', ['REMOTE', 'http://127.0.0.1:9/flags'])
def test_other_servers_than_ours_are_never_started(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with servers.running(name) as base_url:
        assert base_url == servers.SERVERS.get(name, name)
        assert private_servers() == []
    assert capfd.readouterr() == ('', '')


def test_private_server_runs_for_the_duration_of_a_block_even_if_that_fails(
    free_label: Callable[[str], str], free_port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    with suppress(ZeroDivisionError), servers.running(free_label('LOCAL')) as base_url:
        assert base_url != servers.SERVERS['LOCAL']
        assert httpx.get(flag_url(base_url, 'BR')).content == flag('BR')
        raise ZeroDivisionError
    wait_until(lambda: not servers.is_listening(base_url))
    message = f'Nothing listens on port {free_port}; using {base_url}\n'
    assert capfd.readouterr() == ('', message)


def test_private_servers_behave_as_their_labels_promise(
    free_label: Callable[[str], str],
) -> None:
    def status_and_seconds(url: str) -> tuple[int, float]:
        response = client.get(url)
        return response.status_code, response.elapsed.total_seconds()

    outcomes = {}
    client = httpx.Client(timeout=9, limits=httpx.Limits())
    with client, ThreadPoolExecutor(120) as executor, ExitStack() as stack:
        for label in ['LOCAL', 'DELAY', 'ERROR']:
            base_url = stack.enter_context(servers.running(free_label(label)))
            urls = [flag_url(base_url, cc) for cc in POP20_CC + POP20_CC]
            outcomes[label] = executor.map(status_and_seconds, urls)
        found = {label: list(outcome) for label, outcome in outcomes.items()}
    statuses = {label: {status for status, _ in found[label]} for label in found}
    assert statuses == {'LOCAL': {200}, 'DELAY': {200}, 'ERROR': {200, 418}}
    fastest = {label: min(seconds for _, seconds in found[label]) for label in found}
    assert fastest['LOCAL'] < 0.5 <= min(fastest['DELAY'], fastest['ERROR'])


@needs_posix
@pytest.mark.parametrize(
    ('name', 'script_name'),
    [
        *[(name, 'flags.py') for name in ('SIGKILL', 'SIGINT')],
        *[(name, 'flags_processpool.py') for name in ('SIGKILL', 'SIGTERM')],
    ],
)
def test_private_server_never_outlives_the_script_and_does_not_see_its_ctrl_c(
    name: str, script_name: str, start_on_free_port: StartOnFreePort
) -> None:
    script = start_on_free_port(script_name, 'DELAY')
    url = announced_url(script)
    (server,) = private_servers()
    assert os.getpgid(server) != os.getpgid(script.pid)
    assert os.getsid(server) != os.getsid(script.pid)
    script.send_signal(signal.Signals[name])
    wait_until(lambda: not servers.is_listening(url))
    wait_until(lambda: not private_servers())


def test_private_server_is_told_and_its_start_is_not_in_the_elapsed_time(
    start_on_free_port: StartOnFreePort, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_start = with_sitecustomize(
        'import sys, time', "time.sleep(1.5 * ('--until-eof' in sys.orig_argv))"
    )
    monkeypatch.setenv('PYTHONPATH', slow_start['PYTHONPATH'])
    script = start_on_free_port('flags_threadpool.py', 'local')
    stdout, stderr = script.communicate(timeout=PATIENCE)
    told = rf'Nothing listens on port {free_port}; using http://127\.0\.0\.1:\d+/flags\n'
    assert re.fullmatch(told, stderr)
    assert float(stdout.split()[-1].removesuffix('s')) < 1.5
    assert flag_files() == sorted(f'{cc}.gif' for cc in POP20_CC)


def test_two_scripts_at_once_have_a_server_each(start_on_free_port: StartOnFreePort) -> None:
    scripts = [start_on_free_port('flags_threadpool.py', 'LOCAL') for _ in range(2)]
    urls = {announced_url(script) for script in scripts}
    assert len({urlsplit(url).port for url in urls}) == 2
    for script in scripts:
        assert '20 downloads' in script.communicate(timeout=PATIENCE)[0]
    assert flag_files() == sorted(f'{cc}.gif' for cc in POP20_CC)


def test_private_server_may_say_other_things_before_its_greeting(
    start_on_free_port: StartOnFreePort, monkeypatch: pytest.MonkeyPatch
) -> None:
    talkative = with_sitecustomize("print('Hello.', flush=True)")
    monkeypatch.setenv('PYTHONPATH', talkative['PYTHONPATH'])
    script = start_on_free_port('flags.py', 'LOCAL')
    stdout, _ = script.communicate(timeout=PATIENCE)
    assert script.returncode == 0
    assert '\n20 downloads in ' in stdout


def test_private_server_that_does_not_start_tells_why(
    start_script: StartScript, free_port: int
) -> None:
    folder = copy_with_port(8000, free_port)
    (folder / 'slow_server.py').write_text("raise OSError('no luck \\x1b')", 'utf-8')
    script = start_script('flags.py', '-s', 'LOCAL', folder=folder)
    _, stderr = script.communicate(timeout=PATIENCE)
    assert script.returncode == 1
    assert stderr == 'flags.py: slow_server.py did not start: OSError: no luck \\x1b\n'


NO_LOCALHOST = """
import socket
real = socket.getaddrinfo
def getaddrinfo(host, *args, **options):
    if host in ('localhost', b'localhost'):
        raise socket.gaierror(socket.EAI_NONAME, 'Name or service not known')
    return real(host, *args, **options)
socket.getaddrinfo = getaddrinfo
"""


def test_machine_that_does_not_know_localhost_has_an_address(
    start_script: StartScript, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the script has a server of its own, then there is one that it finds."""
    monkeypatch.setenv('PYTHONPATH', with_sitecustomize(NO_LOCALHOST)['PYTHONPATH'])
    folder = copy_with_port(8000, free_port)
    first = start_script('flags2_asyncio.py', '-s', 'LOCAL', folder=folder)
    assert '20 flags downloaded' in first.communicate(timeout=PATIENCE)[0]
    server = start_script('slow_server.py', free_port, '--max-delay', 0)
    assert server.stdout
    assert server.stdout.readline() == f'Serving flags at http://127.0.0.1:{free_port}/flags\n'
    second = start_script('flags2_asyncio.py', '-s', 'LOCAL', folder=folder)
    stdout, stderr = second.communicate(timeout=PATIENCE)
    assert stdout.startswith(f'LOCAL site: http://127.0.0.1:{free_port}/flags\n')
    assert 'Nothing listens' not in stderr


@needs_ipv6
@needs_posix
def test_private_server_has_another_address_where_there_is_no_127_0_0_1(
    free_label: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, 'is_own', lambda address: address.version == 6)
    with servers.running(free_label('LOCAL')) as base_url:
        assert base_url.startswith('http://[::1]:')
        assert httpx.get(flag_url(base_url, 'BR')).content == flag('BR')
