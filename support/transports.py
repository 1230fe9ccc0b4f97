"""How requests are sent: each by the route for its URL, on connections that are kept.

A response has its whole body, which neither grows without limit nor trickles. A request whose
connection has just been closed is sent once more.
"""

import time
from collections import defaultdict
from typing import cast

import httpx

from support.answers import check_progress, with_body
from support.routes import Route, make_transport, route_for

# A server may close a connection at any time, and a GET may be repeated then:
# https://www.rfc-editor.org/rfc/rfc9112#section-9.3.1
BROKEN = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)


class Transport(httpx.BaseTransport):
    """Sends the requests of one thread, redirected ones too, each by the route for its URL."""

    def __init__(self) -> None:
        """Begin without connections."""
        self.by_route: dict[Route, httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return a response whose body has come."""
        route = route_for(request.url)
        transport = self.by_route.get(route) or make_transport(httpx.HTTPTransport, route)
        self.by_route[route] = transport
        try:
            return self.exchange(transport, request)
        except BROKEN:
            if request.method != 'GET':
                raise
            return self.exchange(transport, request)

    def exchange(self, transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        """Send a request and read the response."""
        start = time.monotonic()
        response = transport.handle_request(request)
        stream = cast(httpx.SyncByteStream, response.stream)
        try:
            body = bytearray()
            for chunk in stream:
                body += chunk
                check_progress(body, start)
        finally:
            stream.close()
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
        route = route_for(request.url)
        idle = self.idle[route]
        transport = idle.pop() if idle else make_transport(httpx.AsyncHTTPTransport, route)
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
        start = time.monotonic()
        response = await transport.handle_async_request(request)
        stream = cast(httpx.AsyncByteStream, response.stream)
        try:
            body = bytearray()
            async for chunk in stream:
                body += chunk
                check_progress(body, start)
        finally:
            await stream.aclose()
        return with_body(response, body)

    async def aclose(self) -> None:
        """Close the connections that are idle; others close as their requests are cancelled."""
        for transports in self.idle.values():
            while transports:
                await transports.pop().aclose()
