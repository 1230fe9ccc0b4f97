"""The server that delays and spoils what it serves."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from conftest import (
    PATIENCE,
    ROOT,
    RunScript,
    Server,
    StartScript,
    StartServer,
    accepts_connections,
    command,
    flag,
    started,
    wait_until,
    with_sitecustomize,
)

import slow_server
from support.files import raise_file_limit

CODES = (ROOT / 'country_codes.txt').read_text('ascii').lower().split()
ALL_CODES = [chr(a) + chr(b) for a in range(97, 123) for b in range(97, 123)]
LONG = 30  # seconds of delay that no test waits for


@pytest.fixture
def own_server(start_server: StartServer) -> Server:
    """Return a server that answers at once, and whose stderr no other test fills."""
    return start_server('--max-delay', 0)


def path(cc: str) -> str:
    """Return the path of a flag below the base URL."""
    return f'/{cc}/{cc}.gif'


def connect(url: str) -> socket.socket:
    """Connect to a server as a client that has not said anything yet."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=5)


def ask(cc: str) -> bytes:
    """Return a request for a flag."""
    return f'GET /flags{path(cc)} HTTP/1.1\r\nHost: localhost\r\n\r\n'.encode()


def site_of(server: Server) -> str:
    """Return the URL of a server, without the folder of the flags."""
    return server.url.removesuffix('/flags')


def greeting(server: subprocess.Popen[str]) -> str:
    """Return the base URL that a server prints when it is ready."""
    assert server.stdout
    return server.stdout.readline().split()[-1]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a folder to serve, next to a file that is none of the clients' business."""
    (tmp_path / 'secret').write_text('SECRET', 'utf-8')
    folder = tmp_path / 'site'
    folder.mkdir()
    (folder / 'link').symlink_to('../secret')
    (folder / 'loop').symlink_to('loop')
    (folder / 'page').write_text('public', 'utf-8')
    (folder / 'sub/.hidden').mkdir(parents=True)
    (folder / 'sub/.hidden/file').write_text('SECRET', 'utf-8')
    (folder / '.env').write_text('SECRET', 'utf-8')
    (folder / 'env').symlink_to('.env')
    (folder / '.page').symlink_to('page')
    return folder


def test_only_loopback_addresses_are_listened_to(fast_server: Server) -> None:
    first_address = str(socket.getaddrinfo('localhost', 0)[0][4][0])
    port = urlsplit(fast_server.url).port
    socket.create_connection((first_address, port), 1).close()
    with pytest.raises(OSError, match=r'refused|timed out|unreachable'):
        socket.create_connection(('127.0.0.2', port), 1)


def test_676_requests_of_one_client_share_a_connection_and_all_flags_arrive(
    fast_server: Server,
) -> None:
    with httpx.Client(base_url=fast_server.url) as client:
        answers = {cc: client.get(path(cc)) for cc in ALL_CODES}
    found = {cc: answer.content for cc, answer in answers.items() if answer.status_code == 200}
    assert found == {cc: flag(cc) for cc in CODES}
    assert {answers[cc].status_code for cc in answers.keys() - found.keys()} == {404}
    assert len({request['client_port'] for request in fast_server.first_requests(676)}) == 1


def test_error_rate_is_the_share_of_teapots_which_a_connection_survives(
    start_server: StartServer,
) -> None:
    server = start_server('--max-delay', 0, '--error-rate', 0.25)
    with httpx.Client(base_url=server.url) as client:
        statuses = [client.get(path('br')).status_code for _ in range(200)]
    assert set(statuses) == {200, 418}
    assert 20 < statuses.count(418) < 80
    assert len({request['client_port'] for request in server.first_requests(200)}) == 1


def test_each_response_is_delayed_within_bounds_as_the_log_tells(
    start_server: StartServer,
) -> None:
    server = start_server('--min-delay', 0.05, '--max-delay', 0.1)
    before = time.time()
    with httpx.Client(base_url=server.url) as client:
        waits = [client.get(path(cc)).elapsed.total_seconds() for cc in [*CODES[:9], 'zz']]
    requests = server.first_requests(10)
    delays = [request['delay'] for request in requests]
    assert all(0.05 <= delay <= 0.1 for delay in delays)
    assert all(wait >= delay for wait, delay in zip(waits, delays, strict=True))
    assert len(set(delays)) > 1
    last = requests[-1]
    assert (last['code'], last['path'], last['status']) == ('ZZ', '/flags/zz/zz.gif', 404)
    assert before <= last['start'] <= last['end'] - last['delay'] <= time.time()
    assert isinstance(last['client_port'], int)


def test_requests_are_delayed_side_by_side(start_server: StartServer) -> None:
    server = start_server('--min-delay', 0.5, '--max-delay', 0.5)
    clients = [connect(server.url) for _ in range(10)]
    for client in clients:
        client.sendall(ask('br'))
    requests = server.first_requests(10)
    first_end = min(request['end'] for request in requests)
    assert sum(request['start'] < first_end for request in requests) > 5
    for client in clients:
        client.close()


def test_a_line_per_request_tells_code_delay_and_status(own_server: Server) -> None:
    with httpx.Client(base_url=own_server.url) as client:
        for cc in ['br', 'zz']:
            client.get(path(cc))
        client.get('/../x')
    own_server.first_requests(3)
    assert own_server.lines() == ['BR  0.000s  200', 'ZZ  0.000s  404', '/x  0.000s  404']


def test_requests_are_offered_as_json_when_they_begin_and_when_they_end(
    start_server: StartServer,
) -> None:
    server = start_server('--min-delay', 0.3, '--max-delay', 0.3)
    with httpx.Client(base_url=site_of(server), headers={'User-Agent': 'me'}) as page:
        with connect(server.url) as client:
            client.sendall(ask('br'))
            wait_until(lambda: page.get('/requests').json()['requests'])
            before = page.get('/requests').json()
            (logged,) = server.first_requests(1)
        after = page.get('/requests', params={'after': before['change']}).json()
        last = page.get('/requests', params={'after': after['change']}).json()
    assert [(r['code'], r['status'], r['end']) for r in before['requests']] == [('BR', None, None)]
    assert after['requests'] == [logged | {'lane': logged['client_port']}]
    assert last['requests'] == []


def test_it_says_where_it_serves_and_where_to_watch_after_what_others_print() -> None:
    talkative = with_sitecustomize('print("Hello from the site")')
    args = command('slow_server.py', 0, '--max-delay', 0, '--bind', '127.0.0.1')
    with started(args, env=os.environ | talkative) as server:
        assert server.stdout
        hello, serving, watch = (server.stdout.readline() for _ in range(3))
        site = watch.split()[-1]
        assert '<title>' in httpx.get(site).text
    assert hello == 'Hello from the site\n'
    assert re.fullmatch(r'Serving flags at http://127\.0\.0\.1:\d+/flags\n', serving)
    assert watch == f'Watch the requests at {serving.split()[-1].removesuffix("flags")}\n'


def test_it_serves_without_the_page_too(site: Path) -> None:
    shutil.copy(ROOT / 'slow_server.py', site)
    shutil.copytree(ROOT / 'support', site / 'support')
    args = [sys.executable, str(site / 'slow_server.py'), '0', '--max-delay', '0']
    with started(args) as server:
        url = greeting(server)
        statuses = [httpx.get(url.replace('/flags', path)).status_code for path in ('/', '/page')]
        server.terminate()
        assert server.communicate()[0] == ''
    assert statuses == [404, 200]


def test_without_a_number_all_requests_are_offered(start_server: StartServer) -> None:
    server = start_server('--max-delay', 0)
    httpx.get(server.url + path('br'), headers={'User-Agent': '<b>' * 1000})
    for query in ['', '?after=', '?after=x', '?after=-1', '?x=1', '?after=' + '9' * 5000]:
        (request,) = httpx.get(site_of(server) + '/requests' + query).json()['requests']
        assert request['agent'] == ('<b>' * 1000)[:200]


def test_what_the_page_asks_for_is_neither_delayed_nor_logged(start_server: StartServer) -> None:
    server = start_server('--min-delay', LONG, '--max-delay', LONG, '--error-rate', 1)
    with httpx.Client(base_url=site_of(server)) as page:
        responses = [page.get('/requests'), page.get(f'/flags{path("br")}?picture')]
    assert [response.status_code for response in responses] == [200, 200]
    assert responses[1].content == flag('br')
    assert responses[0].json()['requests'] == []
    assert (server.requests(), server.lines()) == ([], [])


def test_only_the_last_runs_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('sys.argv', ['slow_server.py', '0'])
    monkeypatch.setattr(slow_server, 'RUN_PAUSE', -1)
    monkeypatch.setattr(slow_server, 'MAX_KEPT', 3)
    with slow_server.SlowServer(slow_server.process_args()) as server:
        for _ in range(7):
            server.end(server.begin('/', 1, ''), 200)
        overfull = [server.begin('/', 1, '') for _ in range(4)]
        kept = json.loads(server.changes(0))['requests']
    assert [request['run'] for request in kept] == [4, 5, 6, 7, 8, 8, 8, 9]
    assert [request.run.number for request in overfull] == [8, 8, 8, 9]


def test_a_second_without_a_request_ends_a_run(start_server: StartServer) -> None:
    server = start_server('--max-delay', 0)
    for pause in (0.3, 1.1, 0):
        httpx.get(server.url + path('br'))
        time.sleep(pause)
    assert [request['run'] for request in server.first_requests(3)] == [1, 1, 2]


def test_clients_have_runs_of_their_own_which_a_long_request_keeps_open(
    start_server: StartServer,
) -> None:
    server = start_server('--min-delay', 1.5, '--max-delay', 1.5)

    def get(cc: str, agent: str) -> None:
        httpx.get(server.url + path(cc), headers={'User-Agent': agent})

    with ThreadPoolExecutor(4) as executor:
        executor.submit(get, 'br', 'one')
        time.sleep(0.1)
        executor.submit(get, 'cn', 'two')
        time.sleep(1.1)  # more than a pause between runs
        executor.submit(get, 'in', 'one')
        executor.submit(get, 'us', 'two')
    runs = [(request['agent'], request['run']) for request in server.first_requests(4)]
    assert sorted(runs) == [('one', 1), ('one', 1), ('two', 2), ('two', 2)]


def test_times_in_the_log_do_not_step_when_the_clock_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr('sys.argv', ['slow_server.py', '0'])
    with slow_server.SlowServer(slow_server.process_args()) as server:
        request = server.begin('/', 1, '')
        monkeypatch.setattr('time.time', lambda: 0.0)
        server.end(request, 200)
    assert request.end is not None
    assert 0 <= request.end - request.start < 1


HOST = socket.gethostname()
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


@pytest.mark.parametrize('bind', NAMES)
def test_only_names_of_this_machine_are_answered(bind: str, start_server: StartServer) -> None:
    server = start_server('--bind', bind, '--max-delay', 0)

    def statuses(host: str) -> set[int]:
        targets = [server.url + path('br'), site_of(server) + '/requests', site_of(server)]
        return {client.get(target, headers={'Host': host}).status_code for target in targets}

    answered, refused = NAMES[bind]
    with httpx.Client() as client:
        assert [host for host in answered.split(' ') if statuses(host) != {200}] == []
        assert [host for host in refused.split(' ') if statuses(host) != {403}] == []


def test_refused_name_is_told_to_the_client_and_on_stderr(own_server: Server) -> None:
    answer = httpx.get(own_server.url + path('br'), headers={'Host': 'example.com'})
    assert answer.text == 'example.com is not a name of this server: see --bind.\n'
    (line,) = own_server.lines()
    assert line.endswith('refused: example.com is not a name of this server: see --bind.')
    assert own_server.requests() == []


def test_other_sites_may_show_flags_but_not_the_page(fast_server: Server) -> None:
    def status(where: str, come_from: str) -> int:
        headers = {'Sec-Fetch-Site': come_from}
        return httpx.get(site_of(fast_server) + where, headers=headers).status_code

    assert {status(where, 'cross-site') for where in ('/', '/requests', '/?x')} == {403}
    assert status('/flags/br/br.gif', 'cross-site') == 200
    assert status('/', 'none') == status('/requests', 'same-origin') == 200


def test_browsers_neither_guess_media_types_nor_frame_the_page(fast_server: Server) -> None:
    for where in ('/', '/requests', '/flags/', '/flags/br/br.gif', '/flags/zz/zz.gif'):
        answer = httpx.get(site_of(fast_server) + where)
        assert answer.headers['X-Content-Type-Options'] == 'nosniff'
        if not where.endswith('br.gif'):
            assert answer.headers['Content-Security-Policy'] == "frame-ancestors 'none'"


def test_control_characters_do_not_reach_the_terminal(own_server: Server) -> None:
    with connect(own_server.url) as client:
        client.sendall(b'GET /\x1b[31mred HTTP/1.1\r\n\r\n')
        own_server.first_requests(1)
    assert own_server.lines()[0] == r'/\x1b[31mred  0.000s  404'


def test_200_clients_can_connect_before_any_is_accepted(fast_server: Server) -> None:
    fast_server.process.send_signal(signal.SIGSTOP)
    clients = [connect(fast_server.url) for _ in range(200)]
    fast_server.process.send_signal(signal.SIGCONT)
    for client in clients:
        client.sendall(ask('br'))
    assert all(client.recv(12) == b'HTTP/1.1 200' for client in clients)
    for client in clients:
        client.close()


def test_small_response_leaves_in_one_write(fast_server: Server) -> None:
    with connect(fast_server.url) as client:
        for cc in CODES[:50]:
            client.sendall(ask(cc))
            assert client.recv(65536).endswith(flag(cc))


def test_head_is_answered_without_a_body_and_a_body_is_not_taken_for_another_request(
    fast_server: Server,
) -> None:
    with httpx.Client(base_url=fast_server.url) as client:
        head = client.head(path('br'))
        assert client.request('GET', path('cn'), content=ask('us')).content == flag('cn')
    assert int(head.headers['content-length']) == len(flag('br'))
    codes = [request['code'] for request in fast_server.first_requests(2)]
    assert codes == ['BR', 'CN']


@pytest.mark.parametrize('requests', [1, 5])
def test_client_that_hangs_up_costs_one_line_at_once(
    requests: int, start_server: StartServer
) -> None:
    server = start_server('--min-delay', LONG, '--max-delay', LONG)
    with connect(server.url) as client:
        client.sendall(ask('br') * requests)
    (request,) = server.first_requests(1)
    assert request['status'] == 499
    assert request['delay'] == request['end'] - request['start'] < LONG / 2
    wait_until(server.lines)
    time.sleep(0.1)
    assert server.lines() == [f'BR  {request["delay"]:.3f}s  client gone']


def test_pipelined_requests_are_delayed_one_by_one(start_server: StartServer) -> None:
    server = start_server('--min-delay', 0.1, '--max-delay', 0.1)
    with connect(server.url) as client:
        client.sendall(ask('br') * 3)
        requests = server.first_requests(3)
    assert all(request['end'] - request['start'] >= 0.1 for request in requests)
    assert {request['status'] for request in requests} == {200}


def test_silent_clients_keep_nobody_waiting(fast_server: Server) -> None:
    silent = [connect(fast_server.url) for _ in range(50)]
    assert httpx.get(fast_server.url + path('br')).content == flag('br')
    for client in silent:
        client.close()


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


def test_nothing_outside_the_directory_or_hidden_is_served(
    site: Path, start_server: StartServer
) -> None:
    """Have each request come before one on the same connection that is answered."""
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


def test_list_of_a_directory_leaves_out_hidden_names(site: Path, start_server: StartServer) -> None:
    (site / 'sub/a&b').mkdir()
    (site / 'sub/c<d').touch()
    server = start_server('--directory', site, '--max-delay', 0)
    response = httpx.get(server.url.replace('/flags', '/sub/'))
    assert re.findall('<li>.*</li>', response.text) == [
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


def test_nonsense_costs_a_line_at_most(own_server: Server) -> None:
    def answered(count: int) -> bool:
        return own_server.lines().count('BR  0.000s  200') == count

    for count, nonsense in enumerate(NONSENSE, 1):
        before = len(own_server.lines())
        with connect(own_server.url) as client:
            client.sendall(nonsense)
            client.shutdown(socket.SHUT_WR)
            with suppress(ConnectionResetError):  # what it has not read is lost
                while client.recv(65536):
                    pass
        assert httpx.get(own_server.url + path('br')).content == flag('br')
        wait_until(partial(answered, count))
        assert len(own_server.lines()) <= before + 2, nonsense[:20]


@pytest.mark.parametrize(('signum', 'pending'), [(signal.SIGINT, 3), (signal.SIGTERM, 0)])
def test_signals_end_it_at_once_with_status_0(
    signum: signal.Signals, pending: int, start_script: StartScript
) -> None:
    server = start_script('slow_server.py', 0, '--min-delay', LONG, '--max-delay', LONG)
    url = greeting(server)
    clients = [connect(url) for _ in range(pending)]
    for client in clients:
        client.sendall(ask('br'))
    time.sleep(0.1)
    server.send_signal(signum)
    output, errors = server.communicate(timeout=LONG / 2)
    assert output.count('\n') <= 1  # where to watch the requests
    assert (server.returncode, errors) == (0, '')
    for client in clients:
        client.close()


def test_signals_that_are_ignored_at_the_start_stay_ignored() -> None:
    args = command('slow_server.py', 0, '--max-delay', 0)
    with started(['sh', '-c', 'trap "" INT TERM HUP; exec "$@"', 'sh', *args]) as server:
        url = greeting(server)
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            server.send_signal(signum)
        time.sleep(0.1)
        assert httpx.get(url + path('br')).status_code == 200
        assert server.poll() is None


def test_hangup_ends_it(start_script: StartScript) -> None:
    server = start_script('slow_server.py', 0)
    greeting(server)
    server.send_signal(signal.SIGHUP)
    assert server.wait(timeout=PATIENCE) == -signal.SIGHUP


def test_help_is_shown_in_a_folder_with_a_percent_sign(tmp_path: Path) -> None:
    folder = tmp_path / '50%s off'
    folder.mkdir()
    script = shutil.copy(ROOT / 'slow_server.py', folder)
    shutil.copytree(ROOT / 'support', folder / 'support')
    run = subprocess.run(
        [sys.executable, script, '-h'], capture_output=True, text=True, timeout=PATIENCE
    )
    assert (run.returncode, run.stderr) == (0, '')
    assert '50%s off' in ' '.join(run.stdout.split())


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


@pytest.mark.parametrize('log', ['/no/such/directory/log', '/'])
def test_log_that_cannot_be_written_is_told_in_one_line(log: str, run_script: RunScript) -> None:
    run = run_script('slow_server.py', 0, '--log', log)
    assert run.returncode == 1
    assert run.stderr.startswith(f'slow_server.py: cannot write {log}')
    assert run.stderr.count('\n') == 1


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='no /dev/full, a disk that is full')
def test_full_disk_ends_the_log_but_not_the_serving(tmp_path: Path) -> None:
    args = command('slow_server.py', 0, '--max-delay', 0, '--log', '/dev/full')
    with (tmp_path / 'err').open('wb') as stderr, started(args, stderr=stderr) as server:
        url = greeting(server)
        with httpx.Client(base_url=url) as client:
            assert [client.get(path(cc)).content == flag(cc) for cc in CODES[:3]] == [True] * 3
        wait_until(lambda: (tmp_path / 'err').read_text('utf-8').count('\n') == 4)
    lines = (tmp_path / 'err').read_text('utf-8').splitlines()
    complaint = 'slow_server.py: cannot write /dev/full: No space left on device; '
    assert sorted(line.startswith(complaint) for line in lines) == [False, False, False, True]


def test_busy_port_is_told_in_one_line_and_no_log_is_emptied(
    fast_server: Server, run_script: RunScript
) -> None:
    httpx.get(fast_server.url + path('br'))
    fast_server.first_requests(1)
    port = urlsplit(fast_server.url).port
    run = run_script('slow_server.py', port, '--log', fast_server.log)
    assert run.returncode == 1
    assert run.stderr.startswith(f'slow_server.py: cannot listen on localhost port {port}')
    assert run.stderr.count('\n') == 1
    assert len(fast_server.requests()) == 1


def test_connections_are_kept_alive_without_stderr() -> None:
    args = command('slow_server.py', 0, '--max-delay', 0, '--log', 'log')
    with (
        started(['sh', '-c', 'exec "$@" 2>&-', 'sh', *args]) as server,
        httpx.Client(base_url=greeting(server)) as client,
    ):
        assert [client.get(path(cc)).status_code for cc in CODES[:3]] == [200] * 3
    ports = {json.loads(line)['client_port'] for line in Path('log').read_bytes().splitlines()}
    assert len(ports) == 1


def test_flag_is_unavailable_not_missing_without_file_descriptors(tmp_path: Path) -> None:
    args = command('slow_server.py', 0, '--min-delay', 0.5, '--max-delay', 0.5)
    few_files = ['sh', '-c', 'ulimit -n 40; exec "$@"', 'sh', *args]
    with (tmp_path / 'err').open('wb') as stderr, started(few_files, stderr=stderr) as server:
        url = greeting(server)
        clients = [connect(url) for _ in range(60)]
        answers = []
        for _ in range(2):
            clients[0].sendall(ask('br'))
            answers.append(clients[0].recv(65536)[:12])
        for client in clients[1:]:
            client.close()
        wait_until(lambda: httpx.get(url + path('br')).status_code == 200)
        clients[0].close()
    assert answers == [b'HTTP/1.1 503'] * 2
    assert (tmp_path / 'err').read_text('utf-8').startswith('BR  0.500s  503\n')


def test_limit_of_open_files_is_raised() -> None:
    args = command('slow_server.py', 0, '--max-delay', 0)
    few_files = ['sh', '-c', 'ulimit -Sn 40; exec "$@"', 'sh', *args]
    with started(few_files) as server:
        url = greeting(server)
        clients = [connect(url) for _ in range(60)]
        assert httpx.get(url + path('br')).content == flag('br')
        for client in clients:
            client.close()


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


def test_greeting_that_nobody_reads_does_not_matter(free_port: int) -> None:
    with started(command('slow_server.py', free_port, '--max-delay', 0)) as server:
        assert server.stdout
        server.stdout.close()
        wait_until(lambda: accepts_connections(free_port))
        url = f'http://localhost:{free_port}/flags{path("br")}'
        assert httpx.get(url).content == flag('br')


def test_end_of_standard_input_ends_it_on_request() -> None:
    args = command('slow_server.py', 0, '--until-eof')
    with started(args, stdin=subprocess.PIPE) as server:
        greeting(server)
        assert server.poll() is None
        assert server.stdin
        server.stdin.close()
        assert server.wait(timeout=PATIENCE) == 0


@pytest.mark.parametrize('closed', ['>&-', '<&- >&- 2>&-'])
def test_closed_standard_streams_do_not_matter(closed: str) -> None:
    args = command('slow_server.py', 0, '--until-eof')
    run = subprocess.run(
        ['sh', '-c', f'exec "$@" {closed}', 'sh', *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (run.returncode, run.stderr) == (0, '')


def test_log_stays_whole_with_many_clients(fast_server: Server) -> None:
    barrier = threading.Barrier(20)

    def download(cc: str) -> int:
        with httpx.Client(base_url=fast_server.url) as client:
            barrier.wait(PATIENCE)
            return client.get(path(cc)).status_code

    with ThreadPoolExecutor(20) as executor:
        assert set(executor.map(download, CODES[:20])) == {200}
    assert {request['path'] for request in fast_server.first_requests(20)} == {
        f'/flags{path(cc)}' for cc in CODES[:20]
    }
