"""The server that delays and spoils what it serves."""

import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from conftest import (
    LOCALHOST,
    OPEN_FILES,
    PATIENCE,
    ROOT,
    RunScript,
    Server,
    StartScript,
    StartServer,
    accepts_connections,
    altered_copy,
    command,
    connect,
    flag,
    needs_full_disk,
    needs_ipv6,
    needs_linux,
    needs_localhost,
    needs_posix,
    serving,
    started,
    wait_until,
    with_sitecustomize,
)
from promises import one_line

import slow_server
from serving import listening, names
from support.files import raise_file_limit
from support.hosts import is_own

CODES = (ROOT / 'country_codes.txt').read_text('ascii').lower().split()
LONG = 30  # seconds of delay that no test waits for


@pytest.fixture(scope='module')
def client() -> Iterator[httpx.Client]:
    """Return a client for any server."""
    with httpx.Client() as client:
        yield client


@pytest.fixture(scope='module')
def shared_delayed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server that delays each response by 0.3 to 0.5 seconds."""
    log = tmp_path_factory.mktemp('delayed') / 'log'
    with serving(log, '--min-delay', 0.3, '--max-delay', 0.5) as server:
        yield server


@pytest.fixture
def delayed_server(shared_delayed_server: Server) -> Server:
    """Return that server; other tests have used it before."""
    return shared_delayed_server._replace(since=shared_delayed_server.now())


@pytest.fixture(scope='module')
def endless_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server that would answer after a long time, and then with an error."""
    log = tmp_path_factory.mktemp('endless') / 'log'
    with serving(log, '--min-delay', LONG, '--max-delay', LONG, '--error-rate', 1) as server:
        yield server


@pytest.fixture(scope='module')
def quiet_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server that answers at once, and whose stderr other files of tests do not fill."""
    with serving(tmp_path_factory.mktemp('quiet') / 'log', '--max-delay', 0) as server:
        yield server


def path(cc: str) -> str:
    """Return the path of a flag below the base URL."""
    return f'/{cc}/{cc}.gif'


def ask(cc: str) -> bytes:
    """Return a request for a flag."""
    return f'GET /flags{path(cc)} HTTP/1.1\r\nHost: localhost\r\n\r\n'.encode()


def site_of(server: Server) -> str:
    """Return the URL of a server, without the folder of the flags."""
    return server.url.removesuffix('/flags')


def in_shell(setup: str, *options: object) -> list[str]:
    """Return the command that has a shell set something up, and then become a fast server."""
    args = command('slow_server.py', 0, '--max-delay', 0, *options)
    return ['sh', '-c', f'{setup}; exec "$@"', 'sh', *args]


def greeting(server: subprocess.Popen[str]) -> str:
    """Return the base URL that a server prints when it is ready."""
    assert server.stdout
    return server.stdout.readline().split()[-1]


def test_greeting_tells_where_it_serves_and_is_watched_until_standard_input_ends() -> None:
    others = os.environ | with_sitecustomize('print("Hello from the site")')
    args = command('slow_server.py', 0, '--until-eof')
    with started(args, env=others, stdin=subprocess.PIPE) as server:
        assert server.stdout
        assert server.stdout.readline() == 'Hello from the site\n'
        greeting = re.fullmatch(
            rf'Serving flags at (http://{LOCALHOST}:\d+/)flags\n', server.stdout.readline()
        )
        assert greeting
        assert server.stdout.readline() == f'Watch the requests at {greeting[1]}\n'
        assert '<title>' in httpx.get(greeting[1]).text
        assert server.poll() is None
        server.communicate(timeout=PATIENCE)  # closes its standard input
    assert server.returncode == 0


def test_all_addresses_of_the_name_are_listened_to_and_no_others(fast_server: Server) -> None:
    port = urlsplit(fast_server.url).port
    for address in {str(found[4][0]) for found in socket.getaddrinfo(LOCALHOST, 0)}:
        socket.create_connection((address, port), 1).close()
    with pytest.raises(OSError, match=r'refused|timed out|unreachable'):
        socket.create_connection(('127.0.0.2', port), 1)


TWO_ADDRESSES = """
import socket
real = socket.getaddrinfo
def getaddrinfo(host, port, *args, **options):
    names = ['::1', '127.0.0.1'] if host == 'localhost' else [host]
    return [found for name in names for found in real(name, port, *args, **options)]
socket.getaddrinfo = getaddrinfo
"""


@needs_ipv6
@needs_localhost
def test_server_answers_at_both_addresses_of_localhost(client: httpx.Client) -> None:
    environ = os.environ | with_sitecustomize(TWO_ADDRESSES)
    with started(command('slow_server.py', 0, '--max-delay', 0), env=environ) as server:
        port = urlsplit(greeting(server)).port
        for host in ('[::1]', '127.0.0.1', 'localhost'):
            assert client.get(f'http://{host}:{port}/flags{path("br")}').content == flag('br')
        busy = [*command('slow_server.py', port), '--bind', '127.0.0.1']
        run = subprocess.run(busy, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (run.returncode, run.stderr.count('cannot listen on 127.0.0.1')) == (1, 1)


def test_more_names_can_be_allowed(start_server: StartServer, client: httpx.Client) -> None:
    names = ['host.docker.internal', 'Flags.example']
    options = [word for name in names for word in ('--allow-host', name)]
    site = site_of(start_server('--max-delay', 0, *options))
    told = {
        name: client.get(site, headers={'Host': name}).status_code for name in [*names, 'other']
    }
    assert told == {'host.docker.internal': 200, 'Flags.example': 200, 'other': 403}


def test_types_of_the_system_do_not_matter(client: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / 'mime.types').write_bytes('image/é é'.encode('latin-1'))
    odd = f'import mimetypes; mimetypes.knownfiles[:] = [{str(tmp_path / "mime.types")!r}]'
    environ = os.environ | with_sitecustomize(odd)
    with started(command('slow_server.py', 0, '--max-delay', 0), env=environ) as server:
        answer = client.get(greeting(server) + path('br'))
    assert (answer.content, answer.headers['Content-Type']) == (flag('br'), 'image/gif')


HOST = socket.gethostname()
needs_more_addresses = pytest.mark.skipif(sys.platform == 'darwin', reason='has but 127.0.0.1')
NAMES = {
    # by address that is listened to: what is answered, and what is refused
    'localhost': (
        'localhost:8001 LOCALHOST. a.localhost 127.0.0.1:8001 127.1 [::1]:8001 0.0.0.0:8001 [::] '
        '[::ffff:127.0.0.1] ',
        'example.com localhost.example.com:8001 127.0.0.1.example.com 192.0.2.1 [x : '
        f'{HOST}.example.com',
    ),
    '127.0.0.2': ('127.0.0.2', 'example.com'),
    '0.0.0.0': (f'192.0.2.1:8001 {HOST} {HOST.upper()}.local', 'example.com'),
}
BINDS = [
    pytest.param('localhost', marks=needs_localhost),
    pytest.param('127.0.0.2', marks=needs_more_addresses),
    pytest.param('0.0.0.0', marks=needs_posix),  # Windows connects to no such address
]


@pytest.mark.parametrize('bind', BINDS)
def test_bind_chooses_the_address_whose_names_are_answered(
    bind: str, start_server: StartServer, client: httpx.Client
) -> None:
    server = start_server('--bind', bind, '--max-delay', 0)
    assert server.url.startswith(f'http://{bind}:') != (bind == '0.0.0.0')

    def statuses(host: str) -> set[int]:
        targets = [server.url + path('br'), site_of(server) + '/requests', site_of(server)]
        return {client.get(target, headers={'Host': host}).status_code for target in targets}

    answered, refused = NAMES[bind]
    assert [host for host in answered.split(' ') if statuses(host) != {200}] == []
    assert [host for host in refused.split(' ') if statuses(host) != {403}] == []


def test_requests_of_a_client_share_a_connection_and_some_are_refused_by_a_teapot(
    start_server: StartServer,
) -> None:
    server = start_server('--max-delay', 0, '--error-rate', 0.25)
    with httpx.Client(base_url=server.url) as client:
        answers = [(cc, client.get(path(cc))) for cc in [*CODES[:119], 'zz'] * 2]
    statuses = [answer.status_code for _, answer in answers]
    assert set(statuses) <= {200, 404, 418}
    assert 25 < statuses.count(418) < 100
    assert [cc for cc, answer in answers if answer.is_success and answer.content != flag(cc)] == []
    assert len({request['lane'] for request in server.first_requests(240)}) == 1


def test_missing_flag_keeps_the_connection(fast_server: Server) -> None:
    with httpx.Client(base_url=fast_server.url) as client:
        assert [client.get(path(cc)).status_code for cc in ['zz', 'br']] == [404, 200]
    assert len({request['lane'] for request in fast_server.first_requests(2)}) == 1


def test_requests_are_delayed_side_by_side_within_bounds(delayed_server: Server) -> None:
    clients = [connect(delayed_server.url) for _ in range(10)]
    for client in clients:
        client.sendall(ask('br'))
    requests = delayed_server.first_requests(10)
    first_end = min(request['end'] for request in requests)
    assert sum(request['start'] < first_end for request in requests) > 5
    assert all(0.3 <= request['delay'] <= 0.5 for request in requests)
    assert all(request['delay'] <= request['end'] - request['start'] for request in requests)
    assert len({request['delay'] for request in requests}) > 1
    for client in clients:
        client.close()


def test_log_tells_all_about_a_request(delayed_server: Server, client: httpx.Client) -> None:
    before = delayed_server.now()
    answer = client.get(f'{delayed_server.url}{path("zz")}?t=1')
    (request,) = delayed_server.first_requests(1)
    assert (request['code'], request['path']) == ('ZZ', '/flags/zz/zz.gif?t=1')
    assert request['status'] == answer.status_code == 404
    assert before <= request['start'] <= request['end'] - request['delay'] <= delayed_server.now()
    assert before == pytest.approx(time.time(), abs=PATIENCE)
    assert request['delay'] <= answer.elapsed.total_seconds()
    assert isinstance(request['lane'], int)


@needs_ipv6
def test_client_of_a_server_for_all_addresses_has_its_own(start_server: StartServer) -> None:
    server = start_server('--bind', '::', '--max-delay', 0)
    httpx.get(f'http://127.0.0.1:{urlsplit(server.url).port}/flags{path("br")}')
    (request,) = server.first_requests(1)
    assert (request['client'], request['process']) == ('127.0.0.1', None)


@needs_linux
def test_clients_of_the_same_name_at_other_addresses_are_two_runs(
    start_server: StartServer,
) -> None:
    server = start_server('--bind', '127.0.0.1', '--max-delay', 0)
    for address in ('127.0.0.1', '127.0.0.2'):
        with httpx.Client(transport=httpx.HTTPTransport(local_address=address)) as client:
            client.get(server.url + path('br'))
    found = [(request['run'], request['client']) for request in server.first_requests(2)]
    assert found == [(1, '127.0.0.1'), (2, '127.0.0.2')]


def test_scripts_of_the_same_name_at_once_are_two_runs(
    delayed_server: Server, start_script: StartScript
) -> None:
    scripts = [start_script('flags_threadpool.py', '-s', delayed_server.url) for _ in range(2)]
    found = Counter(
        (request['run'], request['process']) for request in delayed_server.first_requests(40)
    )
    assert sorted(process for _, process in found) == sorted(script.pid for script in scripts)
    assert list(found.values()) == [20, 20]


def test_pipelined_requests_are_delayed_one_by_one(delayed_server: Server) -> None:
    with connect(delayed_server.url) as client:
        client.sendall(ask('br') * 2)
        time.sleep(0.1)  # the server has read these
        client.sendall(ask('br'))
        requests = delayed_server.first_requests(3)
    assert all(request['end'] - request['start'] >= 0.3 for request in requests)
    assert {request['status'] for request in requests} == {200}


def test_requests_are_offered_as_json_when_they_begin_and_when_they_end(
    delayed_server: Server, client: httpx.Client
) -> None:
    def changes_after(change: int) -> Any:
        where = f'{site_of(delayed_server)}/requests'
        return client.get(where, params={'after': change}).json()

    start = changes_after(0)['change']
    with connect(delayed_server.url) as other_client:
        other_client.sendall(ask('br'))
        wait_until(lambda: changes_after(start)['requests'])
        begun = changes_after(start)
        (logged,) = delayed_server.first_requests(1)
    ended = changes_after(begun['change'])
    assert [(r['code'], r['status'], r['end']) for r in begun['requests']] == [('BR', None, None)]
    assert ended['requests'] == [logged]
    assert changes_after(ended['change'])['requests'] == []


def test_without_a_number_all_requests_are_offered(
    fast_server: Server, client: httpx.Client
) -> None:
    client.get(fast_server.url + path('br'), headers={'User-Agent': '<b>' * 1000})
    for query in ['', '?after=', '?after=x', '?after=-1', '?x=1', '?after=' + '9' * 5000]:
        offered = client.get(site_of(fast_server) + '/requests' + query).json()['requests']
        assert offered[-1]['agent'] == ('<b>' * 1000)[:200], query


def test_what_the_page_asks_for_is_neither_delayed_nor_logged(
    start_server: StartServer, client: httpx.Client
) -> None:
    server = start_server('--min-delay', LONG, '--max-delay', LONG)
    assert client.get(f'{server.url}{path("br")}?picture').content == flag('br')
    assert client.get(site_of(server) + '/requests').json()['requests'] == []
    assert (server.requests(), server.lines()) == ([], [])


def test_other_sites_may_show_flags_but_not_the_page(
    fast_server: Server, client: httpx.Client
) -> None:
    def status(where: str, come_from: str) -> int:
        headers = {'Sec-Fetch-Site': come_from}
        return client.get(site_of(fast_server) + where, headers=headers).status_code

    assert {status(where, 'cross-site') for where in ('/', '/requests', '/?x')} == {403}
    assert status('/flags/br/br.gif', 'cross-site') == 200
    assert status('/', 'none') == status('/requests', 'same-origin') == 200


def test_browsers_neither_guess_media_types_nor_frame_the_page(
    fast_server: Server, client: httpx.Client
) -> None:
    for where in ('/', '/requests', '/flags/', '/flags/br/br.gif', '/flags/zz/zz.gif'):
        answer = client.get(site_of(fast_server) + where)
        assert answer.headers['X-Content-Type-Options'] == 'nosniff'
        if not where.endswith('br.gif'):
            assert answer.headers['Content-Security-Policy'] == "frame-ancestors 'none'"


@needs_posix
def test_clients_can_connect_before_any_is_accepted_and_none_waits_for_another(
    fast_server: Server,
) -> None:
    """Have the last client ask first, and all leave lines in the log that are whole."""
    codes = CODES[: min(180, OPEN_FILES // 3)]  # each may take a connection and a file
    fast_server.process.send_signal(signal.SIGSTOP)
    clients = [(cc, connect(fast_server.url)) for cc in codes]
    fast_server.process.send_signal(signal.SIGCONT)
    cc, last = clients[-1]
    last.sendall(ask(cc))
    assert last.recv(65536).endswith(flag(cc))
    for cc, client in clients[:-1]:
        client.sendall(ask(cc))
    assert all(client.recv(12) == b'HTTP/1.1 200' for _, client in clients[:-1])
    logged = {request['path'] for request in fast_server.first_requests(len(codes))}
    assert logged == {f'/flags{path(cc)}' for cc in codes}
    for _, client in clients:
        client.close()


def test_small_response_leaves_in_one_write(fast_server: Server) -> None:
    with connect(fast_server.url) as client:
        for cc in CODES[:50]:
            client.sendall(ask(cc))
            assert client.recv(65536).endswith(flag(cc))


def test_head_is_answered_without_a_body(fast_server: Server, client: httpx.Client) -> None:
    head = client.head(fast_server.url + path('br'))
    assert int(head.headers['content-length']) == len(flag('br'))
    assert client.get(fast_server.url + path('cn')).content == flag('cn')


@pytest.mark.parametrize('header', ['Content-Length: 33', 'Transfer-Encoding: chunked'])
def test_body_of_a_request_is_not_taken_for_another_request(
    header: str, fast_server: Server
) -> None:
    body = b'GET /flags/cn/cn.gif HTTP/1.0\r\n\r\n'  # after which the server would hang up, too
    head = f'GET /flags/br/br.gif HTTP/1.1\r\n{header}\r\n\r\n'
    with connect(fast_server.url) as client, suppress(ConnectionError):
        client.sendall(head.encode() + body)
        while client.recv(65536):
            pass
    fast_server.first_requests(1)
    assert [request['code'] for request in fast_server.requests()] == ['BR']


@pytest.mark.parametrize('requests', [1, 5])
def test_client_that_hangs_up_costs_one_line_at_once(requests: int, endless_server: Server) -> None:
    before = len(endless_server.lines())
    with connect(endless_server.url) as client:
        client.sendall(ask('br') * requests)
    wait_until(lambda: len(endless_server.lines()) > before)
    time.sleep(0.1)  # in which more lines would come
    request = endless_server.requests()[-1]
    assert request['status'] == 499
    assert request['delay'] == request['end'] - request['start'] < LONG / 2
    assert endless_server.lines()[before:] == [f'BR  {request["delay"]:.3f}s  client gone']


def test_connection_that_is_reset_costs_one_line(quiet_server: Server) -> None:
    before = len(quiet_server.lines())
    with connect(quiet_server.url) as client:
        host, port = client.getsockname()[:2]
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    wait_until(lambda: len(quiet_server.lines()) > before)
    time.sleep(0.1)  # in which more lines would come
    (line,) = quiet_server.lines()[before:]
    assert line.startswith(f'{host}:{port}  ConnectionResetError(')


def test_silent_connection_is_closed_after_a_minute() -> None:
    """Have a short minute: for a client that has asked nothing yet, and for one that has."""
    folder = altered_copy('serving/handler.py', 'IDLE_TIMEOUT = 60.0', 'IDLE_TIMEOUT = 0.2')
    with started(command('slow_server.py', 0, '--max-delay', 0, folder=folder)) as server:
        url = greeting(server)
        for request in (b'', ask('zz')):
            with connect(url) as client:
                client.settimeout(5)
                client.sendall(request)
                while client.recv(65536):
                    pass


def test_port_can_be_used_again_at_once(start_server: StartServer) -> None:
    server = start_server('--max-delay', 0)
    with connect(server.url) as client:
        client.sendall(b'GET / HTTP/1.0\r\n\r\n')
        while client.recv(65536):  # the side that hangs up first holds the port for a while
            pass
    port = urlsplit(server.url).port or 0
    server.process.kill()
    server.process.wait()
    wait_until(lambda: not accepts_connections(port))  # its child, on Windows
    assert start_server(port=port).url == server.url


HIDDEN = [
    '/../secret',
    '/%2e%2e/secret',
    '/..%2fsecret',
    '/x/../../secret',
    '/link',
    '/loop',
    '/a%00b',
    '/%ff%fe',
    '/' + 'a' * 5000,
    '/.env',
    '/%2eenv',
    '/x/../.env',
    '/env',
    '/.page',
    '/sub/.hidden/',
    '/sub/.hidden/file',
    '/sub/%2Ehidden/file',
]


@needs_posix
def test_nothing_outside_the_directory_or_hidden_is_served_or_listed(
    tmp_path: Path, start_server: StartServer
) -> None:
    """Have each request come before one on the same connection that is answered."""
    (tmp_path / 'secret').write_text('SECRET', 'utf-8')
    site = tmp_path / 'site'
    (site / 'sub/a&b').mkdir(parents=True)
    (site / 'sub/c<d').touch()
    (site / 'sub/.hidden').mkdir()
    (site / 'sub/.hidden/file').write_text('SECRET', 'utf-8')
    (site / '.env').write_text('SECRET', 'utf-8')
    (site / 'page').write_text('public', 'utf-8')
    for link, target in {
        'link': '../secret',
        'loop': 'loop',
        'env': '.env',
        '.page': 'page',
    }.items():
        (site / link).symlink_to(target)
    server = start_server('--directory', site, '--max-delay', 0)
    served = []
    for target in HIDDEN:
        with connect(server.url) as client:
            client.sendall(f'GET {target} HTTP/1.1\r\n\r\nGET /page HTTP/1.1\r\n\r\n'.encode())
            answers = b''
            while b'public' not in answers:
                received = client.recv(65536)
                assert received, 'the connection was closed'
                answers += received
        if b'SECRET' in answers or not answers.startswith(b'HTTP/1.1 404'):
            served.append(target)
    assert served == []
    with connect(server.url) as client:
        client.sendall(b'GET /sub/?<b> HTTP/1.0\r\n\r\n')
        listed = b''.join(iter(partial(client.recv, 65536), b'')).decode()
    assert '<title>/sub/?&lt;b&gt;</title>' in listed
    assert re.findall('<li>.*</li>', listed) == [
        '<li><a href="a%26b/">a&amp;b/</a></li>',
        '<li><a href="c%3Cd">c&lt;d</a></li>',
    ]


NONSENSE = [
    b'GET /' + b'a' * 70_000 + b' HTTP/1.1\r\n\r\n',
    b'GET / HTTP/1.1\r\nA: ' + b'x' * 70_000 + b'\r\n\r\n',
    b'GET / HTTP/1.1\r\n' + b'A: b\r\n' * 500 + b'\r\n',
    b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n',
    b'GET / HTTP/\xc2\xb2.1\r\n\r\n',
    b'PRI * HTTP/2.0\r\n\r\n',
    b'POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc',
    b'GET /flags/br',
    b'\r\n\r\n',
    b'',
]


def send_all(request: bytes, server: Server) -> None:
    """Send a request of a client that then says no more; wait until the server hangs up."""
    with connect(server.url) as client, suppress(ConnectionError):  # what it has not read is lost
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        while client.recv(65536):
            pass


def test_a_line_per_request_tells_code_delay_and_status(
    quiet_server: Server, client: httpx.Client
) -> None:
    before = len(quiet_server.lines())
    for where in ('/flags/br/br.gif', '/flags/zz/zz.gif', '/../x'):
        client.get(site_of(quiet_server) + where)
    with connect(quiet_server.url) as other_client:
        other_client.sendall(b'GET /\x1b[31mred HTTP/1.1\r\n\r\n')
        assert other_client.recv(65536).startswith(b'HTTP/1.1 404')
    wait_until(lambda: len(quiet_server.lines()) == before + 4)
    assert quiet_server.lines()[before:] == [
        'BR  0.000s  200',
        'ZZ  0.000s  404',
        '/x  0.000s  404',
        r'/\x1b[31mred  0.000s  404',
    ]


def test_refused_name_is_told_to_the_client_and_on_stderr(
    quiet_server: Server, client: httpx.Client
) -> None:
    logged = quiet_server.requests()
    answer = client.get(quiet_server.url + path('br'), headers={'Host': 'example.com'})
    assert answer.text == 'example.com is not a name of this server: see --bind and --allow-host.\n'
    told = [line.partition('  ')[2] for line in quiet_server.lines()]
    assert f'refused: {answer.text.rstrip()}' in told
    assert quiet_server.requests() == logged


@pytest.mark.parametrize('nonsense', NONSENSE, ids=range(len(NONSENSE)))
def test_nonsense_costs_a_line_at_most(
    nonsense: bytes, quiet_server: Server, client: httpx.Client
) -> None:
    before = len(quiet_server.lines())
    send_all(nonsense, quiet_server)
    assert client.get(quiet_server.url + path('br')).content == flag('br')
    wait_until(lambda: 'BR  0.000s  200' in quiet_server.lines()[before:])
    assert len(quiet_server.lines()) <= before + 2


@needs_posix
@pytest.mark.parametrize('name', ['SIGINT', 'SIGTERM', 'SIGHUP'])
def test_signal_ends_it_at_once_whatever_it_does(name: str, start_script: StartScript) -> None:
    server = start_script('slow_server.py', 0, '--min-delay', LONG, '--max-delay', LONG)
    url = greeting(server)
    clients = [connect(url) for _ in range(3)]
    for client in clients:
        client.sendall(ask('br'))
    time.sleep(0.1)
    server.send_signal(signal.Signals[name])
    _, errors = server.communicate(timeout=LONG / 2)
    assert server.returncode == -signal.Signals[name]
    assert errors == 'slow_server.py: interrupted\n'
    for client in clients:
        client.close()


@needs_posix
def test_signals_that_are_ignored_at_the_start_stay_ignored() -> None:
    with started(in_shell('trap "" INT TERM HUP')) as server:
        url = greeting(server)
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            server.send_signal(signum)
        time.sleep(0.1)
        assert httpx.get(url + path('br')).status_code == 200
        assert server.poll() is None


def test_help_names_a_folder_with_a_percent_sign(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr('sys.argv', ['slow_server.py', '-h'])
    monkeypatch.setattr(slow_server, 'ROOT', Path('50% off'))
    with pytest.raises(SystemExit, match='0'):
        slow_server.main()
    assert '(default: 50% off)' in ' '.join(capsys.readouterr().out.split())


OUT_OF_RANGE = [
    '--min-delay 2 --max-delay 1',
    '--min-delay 5.001',  # the default of the other is 5
    '--max-delay -1',
    '--max-delay nan',
    '--min-delay inf',
    '--error-rate 1.01',
    '--error-rate -0.01',
    '--error-rate nan',
    '--directory /no/such/directory',
    '--bind a..b',
    '65536',
    '-1',
    '80.5',
]


@pytest.mark.parametrize('args', OUT_OF_RANGE)
def test_arguments_out_of_range_are_refused(
    args: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr('sys.argv', ['slow_server.py', *args.split()])
    with pytest.raises(SystemExit, match='2'):
        slow_server.main()
    usage, *_, reason = capsys.readouterr().err.splitlines()
    assert usage.startswith('usage:')
    assert reason.startswith('slow_server.py: error:')


def test_log_that_cannot_be_written_is_told_in_one_line(run_script: RunScript) -> None:
    run = run_script('slow_server.py', 0, '--log', '/no/such/directory/log')
    assert run.returncode == 1
    assert one_line('slow_server.py', run.stderr)
    assert f'cannot write {Path("/no/such/directory/log")}' in run.stderr


def test_busy_port_is_told_in_one_line_and_no_log_is_emptied(
    fast_server: Server, run_script: RunScript
) -> None:
    httpx.get(fast_server.url + path('br'))
    fast_server.first_requests(1)
    port = urlsplit(fast_server.url).port
    run = run_script('slow_server.py', port, '--log', fast_server.log)
    assert run.returncode == 1
    assert one_line('slow_server.py', run.stderr)
    assert f'cannot listen on {LOCALHOST} port {port}: ' in run.stderr
    assert len(fast_server.requests()) == 1


def test_log_is_continued_by_the_next_server_and_shared_with_others(
    start_script: StartScript, client: httpx.Client
) -> None:
    args = ['slow_server.py', 0, '--max-delay', 0, '--log', 'log']
    urls = [greeting(start_script(*args)) for _ in range(2)]
    for cc in CODES[:10]:
        assert [client.get(url + path(cc)).status_code for url in urls] == [200, 200]
    wait_until(lambda: len(Path('log').read_bytes().splitlines()) == 20)
    logged = [json.loads(line)['code'] for line in Path('log').read_bytes().splitlines()]
    assert Counter(logged) == {cc.upper(): 2 for cc in CODES[:10]}


def test_log_that_is_emptied_goes_on_from_its_beginning(
    start_server: StartServer, client: httpx.Client
) -> None:
    server = start_server('--max-delay', 0)
    for cc in ('br', 'cn'):
        client.get(server.url + path(cc))
        server.first_requests(1)
        if cc == 'br':
            server.log.write_bytes(b'')
    assert [request['code'] for request in server.requests()] == ['CN']


def test_old_client_that_keeps_its_connection_is_told_that_it_may(fast_server: Server) -> None:
    """Some that speak HTTP/1.0, such as ab -k, would wait for the end of the connection."""
    with connect(fast_server.url) as client:
        for cc, status in (('zz', b'404'), ('br', b'200')):
            request = f'GET /flags{path(cc)} HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n'
            client.sendall(request.encode())
            head, _, _ = client.recv(65536).partition(b'\r\n\r\n')
            assert head.split()[1] == status
            assert b'\r\nConnection: keep-alive' in head
        client.sendall(b'GET / HTTP/1.0\r\n\r\n')
        while answer := client.recv(65536):
            assert b'keep-alive' not in answer


def test_server_for_all_addresses_greets_with_one_that_others_can_type() -> None:
    assert names.site('localhost', 8001) == 'http://localhost:8001'
    assert names.site('::1', 8001) == 'http://[::1]:8001'
    for everywhere in ('0.0.0.0', '::'):
        host = urlsplit(names.site(everywhere, 8001)).hostname or ''
        assert host == 'localhost' or is_own(ip_address(host))


@needs_full_disk
def test_full_disk_ends_the_log_but_not_the_serving(tmp_path: Path, client: httpx.Client) -> None:
    errors = tmp_path / 'err'
    args = command('slow_server.py', 0, '--max-delay', 0, '--log', '/dev/full')
    with errors.open('wb') as stderr, started(args, stderr=stderr) as server:
        url = greeting(server)
        assert [client.get(url + path(cc)).content == flag(cc) for cc in CODES[:3]] == [True] * 3
        wait_until(lambda: errors.read_text('utf-8').count('\n') == 4)
    complaint = 'slow_server.py: cannot write /dev/full: No space left on device; '
    assert errors.read_text('utf-8').count(complaint) == 1


@needs_posix
def test_it_serves_when_nobody_reads_its_greeting_and_stderr_is_closed(free_port: int) -> None:
    args = command('slow_server.py', free_port, '--max-delay', 0, '--log', 'log')
    with started(['sh', '-c', 'exec "$@" 2>&-', 'sh', *args]) as server:
        assert server.stdout
        server.stdout.close()
        wait_until(lambda: accepts_connections(free_port))
        time.sleep(1)  # in which a script would end that has no reader
        with httpx.Client(base_url=f'http://{LOCALHOST}:{free_port}/flags') as client:
            assert [client.get(path(cc)).status_code for cc in CODES[:3]] == [200] * 3
    ports = {json.loads(line)['lane'] for line in Path('log').read_bytes().splitlines()}
    assert len(ports) == 1


@needs_posix
@pytest.mark.parametrize('closed', ['<&-', '>&-', '<&- >&- 2>&-'])
def test_closed_standard_streams_do_not_matter(closed: str) -> None:
    run = subprocess.run(
        in_shell(f'exec {closed}', '--until-eof'),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (run.returncode, run.stderr) == (0, '')


@needs_posix
def test_flag_is_unavailable_not_missing_without_file_descriptors(
    tmp_path: Path, client: httpx.Client
) -> None:
    few_files = in_shell('ulimit -n 40', '--min-delay', 0.3, '--max-delay', 0.3)
    with (tmp_path / 'err').open('wb') as stderr, started(few_files, stderr=stderr) as server:
        url = greeting(server)
        clients = [connect(url) for _ in range(60)]
        answers = []
        for _ in range(2):
            clients[0].sendall(ask('br'))
            answers.append(clients[0].recv(65536)[:12])
        for other in clients:
            other.close()
        wait_until(lambda: client.get(url + path('br')).status_code == 200)
    assert answers == [b'HTTP/1.1 503'] * 2
    assert (tmp_path / 'err').read_text('utf-8').startswith('BR  0.300s  503\n')


@needs_posix
def test_limit_of_open_files_is_raised(client: httpx.Client) -> None:
    with started(in_shell('ulimit -Sn 40')) as server:
        url = greeting(server)
        clients = [connect(url) for _ in range(60)]
        assert client.get(url + path('br')).content == flag('br')
        for other in clients:
            other.close()


@pytest.mark.parametrize(
    ('soft', 'granted', 'expected'),
    [(256, 10240, [10240]), (256, 4096, [4096]), (256, 0, []), (20000, 30000, [])],
)
def test_less_is_tried_if_the_upper_limit_of_open_files_is_refused(
    soft: int, granted: int, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = pytest.importorskip('resource')
    accepted = []

    def set_limit(_: int, limits: tuple[int, int]) -> None:
        if not 0 <= limits[0] <= granted:  # as macOS refuses RLIM_INFINITY
            raise ValueError
        accepted.append(limits[0])

    monkeypatch.setattr(resource, 'getrlimit', lambda _: (soft, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, 'setrlimit', set_limit)
    raise_file_limit()
    assert accepted == expected


@needs_linux
def test_free_port_that_is_taken_at_another_address_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Somebody takes the port at 127.0.0.2 as soon as it was chosen at 127.0.0.1."""
    names = [(socket.AF_INET, 1, 6, '', (f'127.0.0.{number}', 0)) for number in (1, 2)]
    monkeypatch.setattr('socket.getaddrinfo', lambda *_args, **_options: names)
    create_server = socket.create_server
    taken: list[socket.socket] = []

    def and_take_the_same_port(address: tuple[str, int], **options: Any) -> socket.socket:
        listener = create_server(address, **options)
        if not taken:
            taken.append(create_server(('127.0.0.2', listener.getsockname()[1])))
        return listener

    monkeypatch.setattr('socket.create_server', and_take_the_same_port)
    listeners = listening.listen('localhost', 0)
    ports = {listener.getsockname()[1] for listener in listeners}
    assert (len(listeners), len(ports)) == (2, 1)
    assert ports != {taken[0].getsockname()[1]}
    with pytest.raises(OSError, match='in use'):
        listening.listen('localhost', taken[0].getsockname()[1])
    for each in [*listeners, *taken]:
        each.close()
