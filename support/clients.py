"""What httpx offers, for many workers: `get` for threads and processes, AsyncClient for coroutines.

Each worker keeps a client, and so its connection; all share a TLS context, which takes longer to
build than a flag to download. A response that is overdue, too large or empty is an error.
"""

import copyreg
import os
import socket
import ssl
import sys
import threading
import time
import weakref
from contextvars import ContextVar
from functools import cache, partial
from typing import Any

import anyio
import httpx

from support import interrupts
from support.console import fail, printable, reason, script_name, system_error
from support.servers import MAX_PORT, is_loopback

DEADLINE = 10.0  # seconds for one response, which may come byte by byte
MAX_SIZE = 10_000_000  # bytes

_clients = threading.local()  # of each thread
_exchange: ContextVar['_Exchange'] = ContextVar('_exchange')  # of each thread or task


class _Exchange:
    """A GET on its way through httpx, with what the network streams below see of it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.deadline = time.monotonic() + DEADLINE
        self.peer = ''  # to connect to, unless a connection is open
        self.received = 0  # bytes
        self.is_repeated = False
        _exchange.set(self)

    def handle(self, exc: Exception) -> None:
        """Raise httpx.HTTPError for whatever went wrong, unless it is worth another attempt."""
        # A kept connection may be closed: https://www.rfc-editor.org/rfc/rfc9112#section-9.3.1
        is_final = self.peer or self.received or self.is_repeated
        if isinstance(exc, httpx.NetworkError | httpx.RemoteProtocolError) and not is_final:
            self.is_repeated = True
            return
        kind: type[httpx.RequestError] = httpx.TransportError
        request = httpx.Request('GET', self.url)
        if isinstance(exc, httpx.RequestError):
            kind, request = type(exc), exc.request
        words = system_error(exc) or str(exc) or 'timed out'  # httpx is silent on nothing else
        if isinstance(exc, httpx.ConnectError) and self.peer != request.url.raw_host.decode():
            words += f' by {self.peer}'  # a proxy
        raise kind(words, request=request) from exc

    def trace(self, event: str, info: dict[str, Any], read: Any = None) -> None:
        """Learn of connections and headers: https://www.encode.io/httpcore/extensions/#trace."""
        if event.endswith('connect_tcp.started'):
            self.peer = info['host']
            if info['port'] > MAX_PORT:  # which some systems take for another one
                raise ValueError(f'{self.peer} has no port {info["port"]}')
        elif event.endswith(('connect_tcp.complete', 'start_tls.complete')):
            stream = info['return_value']
            stream.read = partial(read or _read, stream.read)
            if not read:  # SSLSocket's own shutdown would wait for its peer
                interrupts.break_off[stream.get_extra_info('socket')] = lambda sock: (
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
                )
        elif event.endswith('receive_response_headers.complete'):
            encoding = httpx.Headers(info['return_value'][3]).get('content-encoding', 'identity')
            if encoding != 'identity':  # there is no telling how large it will be
                raise ValueError(f'unasked encoding {encoding}')

    async def async_trace(self, event: str, info: dict[str, Any]) -> None:
        self.trace(event, info, _async_read)

    def time_left(self, timeout: float | None) -> float:
        """Return how long a read may take, in seconds."""
        return max(min(timeout or DEADLINE, self.deadline - time.monotonic()), 0.001)

    def receive(self, data: bytes) -> bytes:
        """Count what arrives; raise ValueError if it is too much."""
        self.received += len(data)
        if self.received > MAX_SIZE:
            raise ValueError(f'more than {MAX_SIZE:,} bytes')
        return data


def _read(stream_read: Any, max_bytes: int, timeout: float | None = None) -> bytes:
    """Do what a network stream's read does, within the limits of the exchange."""
    exchange = _exchange.get()
    return exchange.receive(stream_read(max_bytes, exchange.time_left(timeout)))


async def _async_read(stream_read: Any, max_bytes: int, timeout: float | None = None) -> bytes:
    exchange = _exchange.get()
    return exchange.receive(await stream_read(max_bytes, exchange.time_left(timeout)))


def _checked(response: httpx.Response) -> httpx.Response:
    """Return a response that can be shown; raise ValueError for a success without content."""
    response.extensions['reason_phrase'] = printable(response.reason_phrase).encode()
    if response.is_success and not response.content:
        raise ValueError('empty response')
    return response


def get(url: str, **options: Any) -> httpx.Response:
    """Do what httpx.get does, on a connection that the calling thread keeps.

    Raise httpx.HTTPError unless a response comes in time; KeyboardInterrupt after a signal.
    """
    exchange = _Exchange(url)
    options['extensions'] = {'trace': exchange.trace}
    try:
        while not interrupts.stop_signal:
            try:
                return _checked(_client(url).get(url, **options))
            except Exception as exc:
                exchange.handle(exc)
        raise KeyboardInterrupt
    finally:
        interrupts.check()  # it may have been broken off


class AsyncClient(httpx.AsyncClient):
    """A client for coroutines, with a `get` like the one for threads."""

    def __init__(self, base_url: str) -> None:
        """Open a client for URLs that begin with base_url."""
        super().__init__(**_client_options('/'.join(base_url.split('/', 3)[:3])))

    async def get(self, url: httpx.URL | str, **options: Any) -> httpx.Response:
        """Do what the function does, but raise asyncio.CancelledError after a signal."""
        import asyncio  # scripts without coroutines do not need it

        exchange = _Exchange(str(url))
        options['extensions'] = {'trace': exchange.async_trace}
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        if not self.trust_env:  # an address of this machine takes no thread to look up
            loop.getaddrinfo = _look_up  # type: ignore[method-assign]
        interrupts.break_off[task] = lambda task: loop.call_soon_threadsafe(task.cancel)
        try:
            while not interrupts.stop_signal:
                try:
                    return _checked(await super().get(url, **options))
                except Exception as exc:
                    exchange.handle(exc)
            raise asyncio.CancelledError
        finally:
            interrupts.break_off.pop(task, None)


async def _look_up(*args: Any, **options: Any) -> Any:
    return socket.getaddrinfo(*args, **options)


def _client(url: str) -> httpx.Client:
    """Return the calling thread's client for a host; it is closed after the thread has ended."""
    origin = '/'.join(url.split('/', 3)[:3])
    key = f'{os.getpid()} {origin}'  # a forked process must not use its parent's connection
    clients: dict[str, httpx.Client] = vars(_clients)
    if key not in clients:
        clients[key] = httpx.Client(**_client_options(origin))
        weakref.finalize(threading.current_thread(), clients[key].close)
    return clients[key]


@cache
def _client_options(origin: str) -> dict[str, Any]:
    """Return the arguments for clients of one host, which share a TLS context."""
    # By default, pickle forgets the keywords of errors that pass from process to process
    copyreg.pickle(
        httpx.HTTPStatusError,
        lambda exc: (partial(type(exc), request=exc.request, response=exc.response), exc.args),
    )
    is_near = is_loopback(httpx.URL(origin).host)
    quick = is_near and origin.startswith('http:')  # a context without authorities will do
    return {
        'verify': ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if quick else httpx.create_ssl_context(),
        'trust_env': not is_near,  # it may name a proxy
        'headers': {'Accept-Encoding': 'identity', 'User-Agent': script_name()},
    }


def prepare(base_url: str) -> None:
    """Load what httpx puts off until it needs it, so that it is not part of the timing."""
    try:
        _client(base_url)
    except OSError as exc:
        fail(f'SSL_CERT_FILE: {reason(exc)}: {os.environ.get("SSL_CERT_FILE")}')
    except (httpx.InvalidURL, ImportError, ValueError) as exc:
        fail(f'proxy: {reason(exc)}')
    if 'asyncio' in sys.modules:
        sys.modules.setdefault('sniffio', None)  # type: ignore[arg-type]  # searched per request
        anyio.run(anyio.sleep, 0)
