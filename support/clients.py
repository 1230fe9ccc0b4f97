"""HTTP clients for concurrent workers: one per thread, all over one TLS context.

A client of its own keeps a worker's connection alive from one request to the next without
waiting for others, and a TLS context takes longer to build than a flag to download.
"""

import copyreg
import socket
import ssl
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

import httpx

from support import interrupts
from support.console import reason

TIMEOUT = 6.1  # seconds without a byte, more than the longest delay of slow_server.py
DEADLINE = 10.0  # seconds for one response, which may come byte by byte
LOOPBACK = {'localhost', '127.0.0.1', '::1'}


class Worker:
    """A client, and the sockets it uses so that another thread can break off its request."""

    def __init__(self, url: str) -> None:
        """Open a client for url and its like, without a connection yet."""
        self.client = httpx.Client(**client_options(url))
        self.sockets: list[socket.socket] = []
        self.broken_off = False

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Learn of new connections: https://www.encode.io/httpcore/extensions/#trace."""
        if event.endswith(('connect_tcp.complete', 'start_tls.complete')):
            in_use = [sock for sock in self.sockets if sock.fileno() >= 0]
            self.sockets = [*in_use, info['return_value'].get_extra_info('socket')]

    def break_off(self) -> None:
        """Make a read or write in another thread return at once."""
        self.broken_off = True
        for sock in self.sockets:
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


late_loaders: list[Callable[[], object]] = []  # what other modules want prepare() to call

_local = threading.local()
_tls_lock = threading.Lock()


def get(url: str) -> httpx.Response:
    """GET url with the calling thread's client, following redirects.

    Raise httpx.HTTPError if there is no complete response in time, and
    interrupts.StoppedError if the program has to stop.
    """
    worker = _worker(url)
    worker.broken_off = False
    try:
        with interrupts.breakable(worker.break_off, DEADLINE):
            response = worker.client.get(url, extensions={'trace': worker.trace})
    except httpx.TransportError:
        if not worker.broken_off:
            raise
    except UnicodeError as exc:  # a redirect to what cannot be the name of a host
        raise httpx.ConnectError(str(exc), request=httpx.Request('GET', url)) from exc
    if worker.broken_off:
        raise timeout_error(url)
    return response


def _worker(url: str) -> Worker:
    """Return the calling thread's worker; its client is closed after the thread has ended."""
    if not hasattr(_local, 'worker'):
        _local.worker = Worker(url)
        weakref.finalize(threading.current_thread(), _local.worker.client.close)
    worker: Worker = _local.worker
    return worker


def timeout_error(url: str) -> httpx.ReadTimeout:
    """Return the error for a response that was not complete by the DEADLINE."""
    return httpx.ReadTimeout('timed out', request=httpx.Request('GET', url))


def prepare(base_url: str) -> None:
    """Load what httpx and TLS put off until they need it, lest a timed download pays for it.

    Raise OSError if the environment names a proxy that httpx cannot use.
    """
    try:
        httpx.Client(**client_options(base_url)).close()
    except (httpx.InvalidURL, ImportError, ValueError) as exc:
        raise OSError(f'proxy: {exc}') from exc
    for load in late_loaders:
        load()
    if base_url.startswith('https:'):
        full_tls_context()


def content(response: httpx.Response) -> bytes:
    """Return what was downloaded; raise httpx.HTTPStatusError if it is an error or nothing."""
    response.raise_for_status()
    if not response.content:
        message = f'{response.status_code} {response.reason_phrase} without content'
        raise httpx.HTTPStatusError(message, request=response.request, response=response)
    return response.content


def rebuild_status_error(
    message: str, request: httpx.Request, response: httpx.Response
) -> httpx.HTTPStatusError:
    """Return the error that a worker process has sent."""
    return httpx.HTTPStatusError(message, request=request, response=response)


def reduce_status_error(exc: httpx.HTTPStatusError) -> tuple[Any, ...]:
    """Let errors pass from process to process: by default pickle forgets their keywords."""
    return rebuild_status_error, (str(exc), exc.request, exc.response)


copyreg.pickle(httpx.HTTPStatusError, reduce_status_error)


def describe(exc: Exception) -> str:
    """Return one line that tells a user what went wrong, and where."""
    if isinstance(exc, httpx.HTTPStatusError):
        response = exc.response
        body = '' if response.content else ', empty'
        return f'{response.status_code} {response.reason_phrase}{body}: {response.url}'
    if isinstance(exc, httpx.TimeoutException):
        return f'timed out: {exc.request.url}'
    if isinstance(exc, httpx.RequestError):
        return f'{reason(exc)}: {exc.request.url}'
    return reason(exc)


def client_options(url: str) -> dict[str, Any]:
    """Return the arguments for a client of url and its like, also for an asynchronous one."""
    return {
        'verify': TLS_CONTEXT,
        'timeout': TIMEOUT,
        'follow_redirects': True,
        'trust_env': httpx.URL(url).host not in LOOPBACK,  # it may name a proxy
    }


class LazyTLSContext(ssl.SSLContext):
    """A TLS context that reads the certificates of authorities when it first has to.

    That takes longer than many a flag, and a download without TLS does not need them.
    """

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """Start TLS on a socket."""
        return full_tls_context().wrap_socket(*args, **kwargs)

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Start TLS on buffers."""
        return full_tls_context().wrap_bio(*args, **kwargs)


TLS_CONTEXT = LazyTLSContext(ssl.PROTOCOL_TLS_CLIENT)


def full_tls_context() -> ssl.SSLContext:
    """Return the TLS context of this process, made when first asked for."""
    with _tls_lock:
        return _full_tls_context()


@cache
def _full_tls_context() -> ssl.SSLContext:
    return httpx.create_ssl_context()
