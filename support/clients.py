"""What httpx offers, for many workers: `get` for threads and processes, AsyncClient for coroutines.

Both take the arguments that httpx takes. Each worker keeps a client, and so a connection, from
one request to the next; all share the TLS context of their process, which takes longer to build
than a flag to download. A response that is overdue, too large or empty is an error.
"""

import copyreg
import ipaddress
import os
import socket
import ssl
import sys
import threading
import time
import weakref
from contextlib import suppress
from contextvars import ContextVar
from functools import cache, partial
from typing import Any, Self

import httpcore
import httpx

from support import interrupts
from support.console import fail, printable, reason, script_name, system_error
from support.servers import MAX_PORT

DEADLINE = 10.0  # seconds for one response, which may come byte by byte
MAX_SIZE = 10_000_000  # bytes

_clients = threading.local()  # of each thread


class _Attempt:
    """Context manager: a GET on its way through httpx, as the network streams below see it."""

    def __init__(self, url: str, is_last: bool) -> None:
        self.url = url
        self.is_last = is_last
        self.deadline = time.monotonic() + DEADLINE
        self.peer = ''  # to connect to, unless a connection is open
        self.received = 0  # bytes

    def __enter__(self) -> Self:
        _attempt.set(self)
        return self

    def __exit__(self, _kind: object, exc: BaseException | None, _traceback: object) -> bool:
        """Raise httpx.HTTPError for whatever httpx raises, unless a new attempt may succeed.

        That is if the server may have closed the connection before it got the request:
        https://www.rfc-editor.org/rfc/rfc9112#section-9.3.1
        """
        if not isinstance(exc, Exception) or isinstance(exc, httpx.HTTPStatusError):
            return False
        is_final = self.is_last or self.peer or self.received or interrupts.stop_signal
        if isinstance(exc, httpx.NetworkError | httpx.RemoteProtocolError) and not is_final:
            return True
        words = system_error(exc) or str(exc) or 'timed out'  # httpx is silent on nothing else
        if isinstance(exc, httpx.ConnectError) and self.peer != exc.request.url.raw_host.decode():
            words += f' by {self.peer}'  # a proxy
        if isinstance(exc, httpx.RequestError):
            exc.args, exc.__cause__, exc.__context__ = (words,), None, None  # as processes pass it
            return False
        kind = httpx.ReadTimeout if isinstance(exc, TimeoutError) else httpx.TransportError
        raise kind(words, request=httpx.Request('GET', self.url)) from exc

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Learn of connections and headers: https://www.encode.io/httpcore/extensions/#trace."""
        if event.endswith('connect_tcp.started'):
            self.peer = info['host']
            if info['port'] > MAX_PORT:  # which some systems take for another one
                raise ValueError(f'{self.peer} has no port {info["port"]}')
        elif event.endswith(('connect_tcp.complete', 'start_tls.complete')):
            stream = info['return_value']
            if isinstance(stream, httpcore.NetworkStream):
                stream.read = partial(_read, stream.read)  # type: ignore[method-assign]
                interrupts.break_off[stream.get_extra_info('socket')] = _shut_down
            else:
                stream.read = partial(_async_read, stream.read)
        elif event.endswith('receive_response_headers.complete'):
            encoding = httpx.Headers(info['return_value'][3]).get('content-encoding', 'identity')
            if encoding != 'identity':  # there is no telling how large it will be
                raise ValueError(f'unasked encoding {encoding}')

    async def async_trace(self, event: str, info: dict[str, Any]) -> None:
        self.trace(event, info)

    def receive(self, data: bytes) -> bytes:
        """Count what arrives; raise ValueError if it is too much."""
        self.received += len(data)
        if self.received > MAX_SIZE:
            raise ValueError(f'more than {MAX_SIZE:,} bytes')
        return data


_attempt: ContextVar[_Attempt] = ContextVar('_attempt')


def _read(stream_read: Any, max_bytes: int, timeout: float | None = None) -> bytes:
    """Do what a network stream's read does, but no later than the attempt's deadline."""
    attempt = _attempt.get()
    left = max(attempt.deadline - time.monotonic(), 0.001)
    return attempt.receive(stream_read(max_bytes, min(timeout or left, left)))


async def _async_read(stream_read: Any, max_bytes: int, timeout: float | None = None) -> bytes:
    """Do what a network stream's read does; AsyncClient sees to the deadline."""
    return _attempt.get().receive(await stream_read(max_bytes, timeout))


def _shut_down(sock: socket.socket) -> None:
    socket.socket.shutdown(sock, socket.SHUT_RDWR)  # SSLSocket's would wait for its peer


def get(url: str, **options: Any) -> httpx.Response:
    """Do what httpx.get does, on a connection that the calling thread keeps.

    Raise httpx.HTTPError if there is no complete response in time, and KeyboardInterrupt if
    the program has to stop.
    """
    interrupts.check()
    client = _client(url)
    try:
        for is_last in (False, True):
            with _Attempt(url, is_last) as attempt:
                return _with_content(
                    client.get(url, **options, extensions={'trace': attempt.trace})
                )
        raise AssertionError('the last attempt returns or raises')
    finally:
        interrupts.check()  # it may have been broken off


class AsyncClient(httpx.AsyncClient):
    """A client for coroutines, with a `get` like the one for threads."""

    def __init__(self, base_url: str) -> None:
        """Open a client for URLs that begin with base_url."""
        super().__init__(**_client_options(base_url))

    async def get(self, url: httpx.URL | str, **options: Any) -> httpx.Response:
        """Raise what `get` does, but asyncio.CancelledError if the program has to stop."""
        import asyncio  # scripts without coroutines do not need it

        task = asyncio.current_task()
        if interrupts.stop_signal:
            raise asyncio.CancelledError
        loop = asyncio.get_running_loop()
        interrupts.break_off[task] = lambda task: loop.call_soon_threadsafe(task.cancel)
        try:
            for is_last in (False, True):
                with _Attempt(str(url), is_last) as attempt:
                    options['extensions'] = {'trace': attempt.async_trace}
                    async with asyncio.timeout(DEADLINE):
                        return _with_content(await super().get(url, **options))
            raise AssertionError('the last attempt returns or raises')
        finally:
            interrupts.break_off.pop(task, None)


def _with_content(response: httpx.Response) -> httpx.Response:
    """Return the response; raise httpx.HTTPStatusError if it is a success without content."""
    if response.is_success and not response.content:
        raise httpx.HTTPStatusError('empty', request=response.request, response=response)
    return response


def _client(url: str) -> httpx.Client:
    """Return the calling thread's client for a host; it is closed after the thread has ended."""
    origin = '/'.join(url.split('/', 3)[:3])
    key = f'{os.getpid()} {origin}'  # a forked process must not use its parent's connection
    clients = vars(_clients)
    if key not in clients:
        clients[key] = httpx.Client(**_client_options(url))
        weakref.finalize(threading.current_thread(), clients[key].close)
        copyreg.pickle(httpx.HTTPStatusError, _reduce_status_error)
    client: httpx.Client = clients[key]
    return client


def _client_options(url: str) -> dict[str, Any]:
    """Return the arguments for a client of a URL's host."""
    origin = httpx.URL(url)
    plain = is_loopback(origin.host) and origin.scheme == 'http'
    return {
        'verify': _tls_context(plain),
        'trust_env': not is_loopback(origin.host),  # it may name a proxy
        'headers': {
            'Accept-Encoding': 'identity',
            'User-Agent': f'{script_name()} (httpx/{httpx.__version__})',
        },
    }


@cache
def _tls_context(is_unused: bool) -> ssl.SSLContext:
    """Return the TLS context of this process, or a quick one that trusts no authorities."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if is_unused else httpx.create_ssl_context()


def _reduce_status_error(exc: httpx.HTTPStatusError) -> tuple[Any, ...]:
    """Let errors pass from process to process: by default pickle forgets their keywords."""
    rebuild = partial(httpx.HTTPStatusError, request=exc.request, response=exc.response)
    return rebuild, (str(exc),)


def is_loopback(host: str) -> bool:
    """Tell whether a name or address, such as 127.1 or 0:0::1, means this machine."""
    with suppress(OSError):
        return socket.inet_aton(host)[0] == 127
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        return (getattr(address, 'ipv4_mapped', None) or address).is_loopback
    return f'.{host}'.rstrip('.').endswith('.localhost')


def prepare(base_url: str) -> None:
    """Load what httpx puts off until it needs it, so that it is not part of the timing."""
    try:
        _client(base_url)
    except OSError as exc:
        fail(f'SSL_CERT_FILE: {reason(exc)}: {os.environ.get("SSL_CERT_FILE")}')
    except (httpx.InvalidURL, ImportError, ValueError) as exc:
        fail(f'proxy: {reason(exc)}')
    if 'asyncio' in sys.modules:
        import anyio

        anyio.run(anyio.sleep, 0)


def status(response: httpx.Response) -> str:
    """Return the status of a response in words, such as "404 - Not Found"."""
    words = f'{response.status_code} - {response.reason_phrase}'
    is_empty = response.is_success and not response.content
    return printable(f'{words}, empty' if is_empty else words)


def describe(exc: Exception) -> str:
    """Return one line that says what went wrong, and with which URL."""
    if isinstance(exc, ExceptionGroup):
        return describe(exc.exceptions[0])
    if isinstance(exc, httpx.HTTPStatusError):
        return f'HTTP error {status(exc.response)}: {exc.request.url}'
    place = f': {exc.request.url}' if isinstance(exc, httpx.RequestError) else ''
    return reason(exc) + place
