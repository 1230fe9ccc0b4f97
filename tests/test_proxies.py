"""How other machines are reached: proxies, certificates, and what is told if they fail."""

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
from conftest import LOCALHOST, ROOT, RunScript, Server, altered_copy, with_sitecustomize, without
from endings import complaints, counts
from promises import one_line
from raw_server import FLAG, converse, misbehaving, raw_server, response

from support import hosts, servers

each_client = pytest.mark.parametrize('script', ['flags2_threadpool.py', 'flags2_asyncio.py'])
each_of_flags = pytest.mark.parametrize('script', ['flags.py', 'flags_asyncio.py'])

THIS_MACHINE = (
    '127.0.0.1 127.5.5.5 127.1 2130706433 ::1 0:0::1 ::ffff:127.0.0.1 0.0.0.0 :: '
    'localhost localhost. LocalHost flags.localhost'
)
OTHERS = (
    '127 128.0.0.1 127.0.0.1.example.com localhost.example.com nolocalhost ::2 example.com .. \x00'
)


def test_names_and_addresses_of_this_machine_are_known() -> None:
    assert [host for host in THIS_MACHINE.split(' ') if not hosts.is_loopback(host)] == []
    assert [host for host in ['', *OTHERS.split(' ')] if hosts.is_loopback(host)] == []


def test_localhost_that_means_another_machine_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up = socket.getaddrinfo
    other = '192.0.2.1'
    monkeypatch.setattr(
        socket,
        'getaddrinfo',
        lambda host, *args, **how: look_up(other if host == 'localhost' else host, *args, **how),
    )
    assert hosts.localhost() == '127.0.0.1'


def test_nothing_on_this_machine_is_asked_of_a_proxy(
    fast_server: Server, run_script: RunScript
) -> None:
    with misbehaving('refuses') as proxy:
        environ = {'http_proxy': proxy.url, 'ALL_PROXY': 'socks5://localhost:1'}
        run = run_script('flags2_sequential.py', 'br', '-s', fast_server.url, **environ)
    assert counts(run.stdout) == {'downloaded': 1}


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and says nothing of it."""

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture
def https_url(tmp_path: Path) -> Iterator[str]:
    """Serve the flags over TLS, with a certificate of an authority in authority.pem."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / 'authority.pem'))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(LOCALHOST).configure_cert(context)
    handler = partial(QuietHandler, directory=str(ROOT))
    with ThreadingHTTPServer((LOCALHOST, 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        yield f'https://{LOCALHOST}:{server.server_port}/flags'
        server.shutdown()


LOADING_IS_TOLD = """
import ssl
load = ssl.SSLContext.load_verify_locations
def tell_and_load(*args, **options):
    print('Loading the authorities')
    load(*args, **options)
ssl.SSLContext.load_verify_locations = tell_and_load
"""


@each_client
def test_all_workers_download_over_tls_with_authorities_that_are_loaded_once(
    script: str, https_url: str, run_script: RunScript
) -> None:
    environ = with_sitecustomize(LOADING_IS_TOLD) | {'SSL_CERT_FILE': 'authority.pem'}
    run = run_script(script, '-s', https_url, **environ)
    assert counts(run.stdout) == {'downloaded': 20}
    assert run.stdout.count('Loading the authorities') == 1


@each_client
def test_redirect_to_tls_on_this_machine_is_followed(
    script: str, https_url: str, run_script: RunScript
) -> None:
    moved = response('302 Found', b'', f'Location: {https_url}/br/br.gif')
    with raw_server(partial(converse, [moved], [])) as server:
        run = run_script(script, 'br', '-s', server.url, SSL_CERT_FILE='authority.pem')
    assert counts(run.stdout) == {'downloaded': 1}


@each_of_flags
def test_unknown_authority_is_told_in_one_line(
    script: str, https_url: str, run_script: RunScript, monkeypatch: pytest.MonkeyPatch
) -> None:
    # httpcore leaves a connection open if its handshake is cancelled
    monkeypatch.setenv('PYTHONWARNINGS', 'ignore::ResourceWarning')
    run = run_script(script, '-s', https_url)
    assert run.returncode == 1
    assert 'certificate verify failed' in run.stderr
    assert one_line(script, run.stderr)


KEYS = {'SSLKEYLOGFILE': 'missing/keys', 'SSL_CERT_FILE': 'good.pem'}
BAD_ENVIRONMENTS = [
    ('flags.py', {'SSL_CERT_FILE': 'missing.pem'}, r'SSL_CERT_FILE=missing\.pem: No such file .*'),
    ('flags2_asyncio.py', {'SSL_CERT_FILE': 'empty.pem'}, r'SSL_CERT_FILE=empty\.pem: .*'),
    ('flags.py', KEYS, '.*SSLKEYLOGFILE=missing/keys.*: No such file or directory: missing/keys'),
    ('flags2_asyncio.py', KEYS, '.*: No such file or directory: missing/keys'),
    ('flags.py', {'https_proxy': 'gopher://x'}, r"https_proxy: Unknown scheme .*'gopher://x'\) .*"),
    ('flags.py', {'ALL_PROXY': 'socks5://x'}, 'all_proxy: Using SOCKS proxy, but .*'),
    *[
        (
            script,
            {'https_proxy': proxy},
            'https_proxy: not the URL of a proxy; write special .* %23.*',
        )
        for script in ('flags.py', 'flags2_asyncio.py')
        for proxy in (
            'http://bob:s3cret#w@proxy:8080',
            ' http://bob:s3cret@proxy:8080',
            '"http://bob:s3cret@proxy:8080"',
            'htp://bob:s3cret@proxy:8080',
            'http://proxy:8080\r',
        )
    ],
]


@pytest.mark.parametrize(('script', 'environ', 'told'), BAD_ENVIRONMENTS)
def test_variable_that_is_of_no_use_is_named(
    script: str, environ: dict[str, str], told: str, run_script: RunScript
) -> None:
    Path('empty.pem').touch()
    Path('good.pem').write_bytes(trustme.CA().cert_pem.bytes())
    run = run_script(script, '-s', 'REMOTE', **without('socksio') | environ)
    assert run.returncode == 1
    assert re.fullmatch(rf'{script}: {told}\n', run.stderr)


@each_client
def test_certificates_that_matter_only_after_a_redirect_make_an_error_of_that_flag(
    script: str, run_script: RunScript
) -> None:
    moved = response('302 Found', b'', 'Location: https://far.example/br.gif')
    with raw_server(partial(converse, [moved], [])) as server:
        run = run_script(script, '-v', 'br', '-s', server.url, SSL_CERT_FILE='missing.pem')
    assert re.search(r'^BR error: No such file or directory \(', run.stdout, re.M)
    assert (counts(run.stdout), run.stderr) == ({'downloaded': 0, 'error': 1}, '')


def test_certificates_do_not_matter_to_http(fast_server: Server, run_script: RunScript) -> None:
    run = run_script('flags.py', '-s', fast_server.url, SSL_CERT_FILE='missing.pem')
    assert (run.returncode, run.stderr) == (0, '')


@pytest.mark.parametrize(
    ('no_proxy', 'asks_proxy'),
    [
        (':::9,http://[,far.example:x,[::1],fe80::/10', True),
        ('invalid', False),
        ('far.invalid:81', False),
        ('far.invalid:82', True),
    ],
)
def test_hosts_in_no_proxy_are_asked_directly_and_nonsense_does_not_matter(
    no_proxy: str, asks_proxy: bool, run_script: RunScript
) -> None:
    asked: list[str] = []
    with raw_server(partial(converse, [FLAG], asked)) as proxy:
        environ = {'http_proxy': proxy.url, 'no_proxy': no_proxy}
        run = run_script('flags2_sequential.py', 'br', '-s', 'http://far.invalid:81', **environ)
    assert counts(run.stdout)['downloaded'] == len(asked) == asks_proxy
    assert run.returncode == (0 if asks_proxy else 1)


@each_client
def test_proxy_with_a_port_that_is_too_large_makes_errors(
    script: str, run_script: RunScript
) -> None:
    run = run_script(script, 'br', '-s', 'REMOTE', https_proxy='http://127.0.0.1:99999')
    assert counts(run.stdout) == {'downloaded': 0, 'error': 1}
    assert len(complaints(run.stderr)) == 1


@each_of_flags
def test_unreachable_site_of_the_book_suggests_the_local_server(
    script: str, run_script: RunScript
) -> None:
    with misbehaving('refuses') as proxy:
        run = run_script(script, https_proxy=proxy.url)
    assert run.returncode == 1
    assert re.search(r'refused.* via https_proxy \(ConnectError\)', run.stderr)
    assert one_line(script, run.stderr.lstrip())
    assert run.stderr.endswith('; try -s LOCAL\n')


@each_of_flags
def test_answer_of_the_site_of_the_book_suggests_no_other_server(
    script: str, run_script: RunScript
) -> None:
    with misbehaving('answers 500') as server:
        folder = altered_copy('support/servers.py', servers.SERVERS['REMOTE'], server.url)
        run = run_script(script, '-s', 'REMOTE', folder=folder)
    assert re.fullmatch(rf'{script}: HTTP error 500 .*: {server.url}/../..\.gif\n', run.stderr)


def test_password_is_refused_and_not_shown(run_script: RunScript) -> None:
    run = run_script('compare.py', '-s', 'http://user:secret@localhost/flags')
    assert run.returncode == 2
    assert 'secret' not in run.stdout + run.stderr
