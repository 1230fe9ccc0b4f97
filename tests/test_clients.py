"""Clients for workers: connections, TLS and proxies."""

import os
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
from conftest import ROOT, RunScript, Server, flag_url

from support import clients

SERIES = ['flags.py', 'flags_processpool.py', 'flags_asyncio.py']


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and says nothing of it."""

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def https_url(tmp_path: Path) -> Iterator[str]:
    """Serve the flags over TLS, with a certificate of an authority in authority.pem."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / 'authority.pem'))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert('localhost').configure_cert(context)
    handler = partial(QuietHandler, directory=str(ROOT))
    with ThreadingHTTPServer(('localhost', 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        yield f'https://localhost:{server.server_port}/flags'
        server.shutdown()


@pytest.mark.parametrize('script', SERIES)
def test_downloads_over_tls_from_a_known_authority(
    script: str, https_url: str, run_script: RunScript
) -> None:
    run = run_script(script, '-s', https_url, SSL_CERT_FILE='authority.pem')
    assert '\n20 downloads in ' in run.stdout


@pytest.mark.parametrize('script', SERIES)
def test_unknown_authority_is_an_error(script: str, https_url: str, run_script: RunScript) -> None:
    # httpcore leaves a connection open if its handshake is cancelled
    filters = [os.environ.get('PYTHONWARNINGS'), 'ignore::ResourceWarning']
    environ = {'PYTHONWARNINGS': ','.join(filter(None, filters))}
    run = run_script(script, '-s', https_url, **environ)
    assert run.returncode == 1
    assert 'certificate verify failed' in run.stderr
    assert len(run.stderr.splitlines()) == 1


@pytest.mark.parametrize('script', SERIES)
def test_no_proxy_is_asked_for_this_machine(
    script: str, fast_server: Server, run_script: RunScript
) -> None:
    run = run_script(script, '-s', fast_server.url, ALL_PROXY='socks5://localhost:1')
    assert '\n20 downloads in ' in run.stdout


def test_each_thread_keeps_a_connection_of_its_own(fast_server: Server) -> None:
    """Have three threads wait for each other before each request."""
    together = threading.Barrier(3)

    def download_all(codes: str) -> None:
        for cc in codes.split():
            together.wait()
            clients.get(flag_url(fast_server.url, cc))

    with ThreadPoolExecutor(3) as executor:
        list(executor.map(download_all, ['br bd cn', 'de eg et', 'fr id in']))
    ports = [request['client_port'] for request in fast_server.requests()]
    assert len(ports) == 9
    assert len(set(ports)) == 3


def test_676_requests_of_one_client_take_one_connection(fast_server: Server) -> None:
    letters = 'abcdefghijklmnopqrstuvwxyz'
    for cc in (first + second for first in letters for second in letters):
        clients.get(flag_url(fast_server.url, cc))
    assert len({request['client_port'] for request in fast_server.requests()}) == 1
