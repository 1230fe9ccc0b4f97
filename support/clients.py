"""What httpx offers, for many workers: `get` for threads and processes, AsyncClient for coroutines.

Each worker keeps its connections, also if a redirect leads elsewhere and back. A response that
takes too long, or that is not believed, raises an httpx.RequestError.
"""

import copyreg
import os
import socket
import threading
import time
import weakref
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx

from support import interrupts
from support.answers import check_size, checked, is_packed, with_body
from support.console import command_name, reason, system_error
from support.routes import Route, prepare, route_for, transport_options

__all__ = ['AsyncClient', 'get', 'prepare']

DEADLINE = 10.0  # seconds for one response, which may come byte by byte
# A server may close a connection at any time, and a GET may be repeated then:
# https://www.rfc-editor.org/rfc/rfc9112#section-9.3.1
BROKEN = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
HEADERS = {'Accept-Encoding': 'identity', 'User-Agent': command_name()}

_worker = threading.local()  # what a thread keeps: its client, and the deadline of its request


def get(url: str, **options: Any) -> httpx.Response:
    """Do what httpx.get does, on a connection that the calling thread keeps.

    Raise httpx.HTTPError unless a response comes in time; KeyboardInterrupt after a signal.
    """
    interrupts.check()
    _worker.deadline = time.monotonic() + DEADLINE
    try:
        with plain_errors(url):
            return checked(url, own_client().get(url, **options))
    finally:
        interrupts.check()  # the request may have been broken off


class AsyncClient(httpx.AsyncClient):
    """A client for many coroutines, each of whose requests under way has its own connection."""

    def __init__(self, **options: Any) -> None:
        """Take the same options as httpx's client."""
        super().__init__(transport=AsyncTransport(), **options)
        self.headers.update(HEADERS)

    async def get(self, url: httpx.URL | str, **options: Any) -> httpx.Response:
        """Do what httpx's client does, but raise asyncio.CancelledError after a signal."""
        import asyncio  # scripts without coroutines do not need it

        task = asyncio.current_task()
        interrupts.on_stop(task, cancel)
        try:
            if interrupts.stop_signal:
                raise asyncio.CancelledError
            with plain_errors(url):
                async with asyncio.timeout(DEADLINE):
                    return checked(url, await super().get(url, **options))
        except TimeoutError as exc:
            raise httpx.ReadTimeout('timed out', request=httpx.Request('GET', url)) from exc
        finally:
            interrupts.done(task)

    async def __aexit__(self, exc_type: Any = None, exc: Any = None, traceback: Any = None) -> None:
        """Close the client; once its block has failed, what other tasks raise is no news."""
        import asyncio

        if exc or interrupts.stop_signal:
            asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        await super().__aexit__(exc_type, exc, traceback)


class Transport(httpx.BaseTransport):
    """Sends the requests of one thread, redirected ones too, each by the route for its URL."""

    def __init__(self) -> None:
        """Begin without connections."""
        self.by_route: dict[Route, httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return a response whose body has come."""
        request.extensions = request.extensions | {'trace': watch_connection}
        route = route_for(request.url.scheme, request.url.host)
        transport = self.by_route.get(route) or httpx.HTTPTransport(**transport_options(route))
        self.by_route[route] = transport
        try:
            return self.exchange(transport, request)
        except BROKEN:
            if request.method != 'GET' or interrupts.stop_signal:
                raise
            return self.exchange(transport, request)

    def exchange(self, transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        """Send a request and read the response."""
        response = transport.handle_request(request)
        try:
            is_packed(response)
            body = bytearray()
            for chunk in response.iter_raw():
                body += chunk
                check_size(body)
        finally:
            response.close()
        return with_body(response, body)

    def close(self) -> None:
        """Close all connections."""
        for transport in self.by_route.values():
            transport.close()


class AsyncTransport(httpx.AsyncBaseTransport):
    """Sends requests of many coroutines, each on an idle connection of its route.

    One pool for all would be slow: its bookkeeping grows with the square of the connections.
    """

    def __init__(self) -> None:
        """Begin without connections."""
        self.idle: defaultdict[Route, list[httpx.AsyncHTTPTransport]] = defaultdict(list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return a response whose body has come."""
        route = route_for(request.url.scheme, request.url.host)
        idle = self.idle[route]
        transport = idle.pop() if idle else httpx.AsyncHTTPTransport(**transport_options(route))
        try:
            return await self.exchange(transport, request)
        except BROKEN:
            if request.method != 'GET':
                raise
            return await self.exchange(transport, request)
        finally:
            idle.append(transport)

    async def exchange(
        self, transport: httpx.AsyncHTTPTransport, request: httpx.Request
    ) -> httpx.Response:
        """Send a request and read the response."""
        response = await transport.handle_async_request(request)
        try:
            is_packed(response)
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                check_size(body)
        finally:
            await response.aclose()
        return with_body(response, body)

    async def aclose(self) -> None:
        """Close the connections that are idle; others close as their requests are cancelled."""
        for transports in self.idle.values():
            while transports:
                await transports.pop().aclose()


def own_client() -> httpx.Client:
    """Return the calling thread's client, which is closed after the thread has ended."""
    clients: dict[int, httpx.Client] = vars(_worker).setdefault('clients', {})
    process = os.getpid()  # a forked process must not use its parent's connections
    if process not in clients:
        clients[process] = httpx.Client(transport=Transport(), headers=HEADERS)
        weakref.finalize(threading.current_thread(), clients[process].close)
    return clients[process]


def watch_connection(event: str, info: dict[str, Any]) -> None:
    """Let a signal break off what is read from a new connection, and a deadline end it.

    httpcore calls this: https://www.encode.io/httpcore/extensions/#trace.
    """
    if event.endswith(('connect_tcp.complete', 'start_tls.complete')):
        stream = info['return_value']
        stream.read = partial(read_before_deadline, stream.read)
        interrupts.on_stop(stream.get_extra_info('socket'), shut_down)


def read_before_deadline(read: Any, max_bytes: int, timeout: float | None = None) -> bytes:
    """Do what a network stream's read does, but not beyond the deadline of the request."""
    time_left = _worker.deadline - time.monotonic()
    data: bytes = read(max_bytes, max(min(timeout or DEADLINE, time_left), 0.001))
    return data


def shut_down(sock: socket.socket) -> None:
    """Make a read in another thread return; SSLSocket's own method would wait for its peer."""
    socket.socket.shutdown(sock, socket.SHUT_RDWR)


def cancel(task: Any) -> None:
    """Cancel a task of asyncio from another thread."""
    task.get_loop().call_soon_threadsafe(task.cancel)


@contextmanager
def plain_errors(url: httpx.URL | str) -> Iterator[None]:
    """Context manager: let errors be httpx.RequestError, about url, in the system's words.

    They have to stand in the error itself: a process cannot pass its cause on to another one.
    """
    try:
        yield
    except httpx.RequestError as exc:
        asked = httpx.Request('GET', url)
        words = system_error(exc) or str(exc) or 'timed out'
        if exc.request.url != asked.url:
            words += f' at {exc.request.url}'  # where a redirect has led
        exc.args, exc.request = (words,), asked
        raise
    except (httpx.InvalidURL, UnicodeError, OverflowError, ExceptionGroup) as exc:
        # anyio groups what connecting to each address of a host has raised
        error = exc.exceptions[0] if isinstance(exc, ExceptionGroup) else exc
        raise httpx.UnsupportedProtocol(reason(error), request=httpx.Request('GET', url)) from exc


# By default, pickle forgets the keywords of errors that pass from process to process
copyreg.pickle(
    httpx.HTTPStatusError,
    lambda exc: (partial(type(exc), request=exc.request, response=exc.response), exc.args),
)
