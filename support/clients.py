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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache, partial
from typing import Any

import httpcore
import httpx

from support import interrupts
from support.console import fail, printable, reason, script_name

DEADLINE = 10.0  # seconds for one response, which may come byte by byte
MAX_SIZE = 10_000_000  # bytes

_clients = threading.local()  # of each thread


class Attempt:
    """One GET on its way through httpx, as seen from the network streams below."""

    def __init__(self, url: str) -> None:
        """Begin now."""
        self.request = httpx.Request('GET', url)
        self.deadline = time.monotonic() + DEADLINE
        self.connects = False  # or uses an open connection
        self.received = 0  # bytes
        _attempt.set(self)

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Learn of connections and headers: https://www.encode.io/httpcore/extensions/#trace."""
        if event.endswith('connect_tcp.started'):
            self.connects = True
        elif event.endswith(('connect_tcp.complete', 'start_tls.complete')):
            stream = info['return_value']
            if isinstance(stream, httpcore.NetworkStream):
                stream.read = partial(read, stream.read)  # type: ignore[method-assign]
                interrupts.break_off[stream.get_extra_info('socket')] = shut_down
            else:
                stream.read = partial(async_read, stream.read)
        elif event.endswith('receive_response_headers.complete'):
            encoding = httpx.Headers(info['return_value'][3]).get('content-encoding', 'identity')
            if encoding != 'identity':  # there is no telling how large it will be
                raise httpx.DecodingError(f'unasked encoding {encoding}', request=self.request)

    async def async_trace(self, event: str, info: dict[str, Any]) -> None:
        """Do the same where httpx wants a coroutine."""
        self.trace(event, info)

    def receive(self, data: bytes) -> bytes:
        """Count what arrives; raise httpx.DecodingError if it is too much."""
        self.received += len(data)
        if self.received > MAX_SIZE:
            raise httpx.DecodingError(f'more than {MAX_SIZE:,} bytes', request=self.request)
        return data

    def may_be_repeated(self) -> bool:
        """Tell whether the server may have closed the connection before the request arrived.

        https://www.rfc-editor.org/rfc/rfc9112#section-9.3.1
        """
        return not (self.connects or self.received or interrupts.stop_signal)


_attempt: ContextVar[Attempt] = ContextVar('_attempt')


def read(stream_read: Any, max_bytes: int, timeout: float | None = None) -> bytes:
    """Do what a network stream's read does, but no later than the attempt's deadline."""
    attempt = _attempt.get()
    left = max(attempt.deadline - time.monotonic(), 0.001)
    return attempt.receive(stream_read(max_bytes, min(timeout or left, left)))


async def async_read(stream_read: Any, max_bytes: int, timeout: float | None = None) -> bytes:
    """Do what a network stream's read does; AsyncClient sees to the deadline."""
    return _attempt.get().receive(await stream_read(max_bytes, timeout))


def shut_down(sock: socket.socket) -> None:
    """Make a read or write in another thread return at once."""
    socket.socket.shutdown(sock, socket.SHUT_RDWR)  # SSLSocket's would wait for its peer


def get(url: str, **options: Any) -> httpx.Response:
    """Do what httpx.get does, on a connection that the calling thread keeps.

    Raise httpx.HTTPError if there is no complete response in time, and KeyboardInterrupt if
    the program has to stop.
    """
    with http_errors_only(url):
        try:
            return _get(url, options)
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            if not _attempt.get().may_be_repeated():
                raise
        return _get(url, options)


def _get(url: str, options: dict[str, Any]) -> httpx.Response:
    interrupts.check()
    trace = Attempt(url).trace
    try:
        return with_content(_client(url).get(url, **options, extensions={'trace': trace}))
    finally:
        interrupts.check()  # it may have been broken off


class AsyncClient(httpx.AsyncClient):
    """A client for coroutines, with a `get` like the one for threads."""

    def __init__(self, base_url: str) -> None:
        """Open a client for URLs that begin with base_url."""
        super().__init__(**client_options(base_url))

    async def get(self, url: httpx.URL | str, **options: Any) -> httpx.Response:
        """Raise what `get` does, but asyncio.CancelledError if the program has to stop."""
        with http_errors_only(str(url)):
            try:
                return await self._get(str(url), options)
            except (httpx.NetworkError, httpx.RemoteProtocolError):
                if not _attempt.get().may_be_repeated():
                    raise
            return await self._get(str(url), options)

    async def _get(self, url: str, options: dict[str, Any]) -> httpx.Response:
        import asyncio  # scripts without coroutines do not need it

        task = asyncio.current_task()
        if interrupts.stop_signal:
            raise asyncio.CancelledError
        interrupts.break_off[task] = cancel
        try:
            async with asyncio.timeout(DEADLINE):
                trace = Attempt(url).async_trace
                return with_content(await super().get(url, **options, extensions={'trace': trace}))
        finally:
            interrupts.break_off.pop(task, None)


def cancel(task: Any) -> None:
    """Cancel a task of another thread's event loop."""
    task.get_loop().call_soon_threadsafe(task.cancel)


@contextmanager
def http_errors_only(url: str) -> Iterator[None]:
    """Context manager: raise httpx.HTTPError for whatever httpx lets through."""
    try:
        yield
    except httpx.TimeoutException as exc:
        exc.args = ('timed out',)  # often it says nothing
        raise
    except httpx.HTTPError:
        raise
    except TimeoutError as exc:
        raise httpx.ReadTimeout('timed out', request=httpx.Request('GET', url)) from exc
    except Exception as exc:  # a redirect to no host, a proxy with no port
        raise httpx.ConnectError(str(exc), request=httpx.Request('GET', url)) from exc


def with_content(response: httpx.Response) -> httpx.Response:
    """Return the response; raise httpx.HTTPStatusError if it is a success without content."""
    if response.is_success and not response.content:
        raise httpx.HTTPStatusError('empty', request=response.request, response=response)
    return response


def _client(url: str) -> httpx.Client:
    """Return the calling thread's client for a host; it is closed after the thread has ended."""
    clients = vars(_clients)
    origin = '/'.join(url.split('/', 3)[:3])
    key = f'{os.getpid()} {origin}'  # a forked process must not use its parent's connection
    if key not in clients:
        clients[key] = httpx.Client(**client_options(url))
        weakref.finalize(threading.current_thread(), clients[key].close)
        copyreg.pickle(httpx.HTTPStatusError, reduce_status_error)
    client: httpx.Client = clients[key]
    return client


def client_options(url: str) -> dict[str, Any]:
    """Return the arguments for a client of a URL's host."""
    host = httpx.URL(url).host
    plain = is_loopback(host) and url.startswith('http:')
    return {
        'verify': ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else tls_context(),
        'trust_env': not is_loopback(host),  # it may name a proxy
        'headers': {
            'Accept-Encoding': 'identity',
            'User-Agent': f'{script_name()} (httpx/{httpx.__version__})',
        },
    }


@cache
def tls_context() -> ssl.SSLContext:
    """Return the TLS context of this process, made when it is first needed."""
    return httpx.create_ssl_context()


def is_loopback(host: str) -> bool:
    """Tell whether a name or address means this machine.

    >>> is_loopback('localhost'), is_loopback('127.1'), is_loopback('0:0::1')
    (True, True, True)
    """
    with suppress(OSError):
        return socket.inet_aton(host)[0] == 127
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return f'.{host}'.rstrip('.').endswith('.localhost')


def prepare(base_url: str) -> None:
    """Load what httpx puts off until it needs it, so that it is not part of the timing."""
    try:
        _client(base_url)
    except (httpx.InvalidURL, ImportError, ValueError) as exc:
        fail(f'proxy: {reason(exc)}')
    if 'asyncio' in sys.modules:
        import anyio

        anyio.run(anyio.sleep, 0)


def reduce_status_error(exc: httpx.HTTPStatusError) -> tuple[Any, ...]:
    """Let errors pass from process to process: by default pickle forgets their keywords."""
    rebuild = partial(httpx.HTTPStatusError, request=exc.request, response=exc.response)
    return rebuild, (str(exc),)


def status(response: httpx.Response) -> str:
    """Return the status of a response in words, such as "404 - Not Found"."""
    words = f'{response.status_code} - {response.reason_phrase}'
    return printable(words if response.content else f'{words}, empty')


def describe(exc: Exception) -> str:
    """Return one line that says what went wrong, and with which URL."""
    if isinstance(exc, ExceptionGroup):
        return describe(exc.exceptions[0])
    if isinstance(exc, httpx.HTTPStatusError):
        return f'HTTP error {status(exc.response)}: {exc.request.url}'
    if isinstance(exc, httpx.RequestError):
        return f'{reason(exc)}: {exc.request.url}'
    return reason(exc)
