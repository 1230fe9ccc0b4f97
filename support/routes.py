"""Which way a request goes: straight or through a proxy, with or without certificates."""

import os
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from importlib.util import find_spec
from typing import Any, NamedTuple, TypeVar
from urllib.request import getproxies, proxy_bypass

import anyio
import httpx

from support.console import description, fail
from support.hosts import is_this_machine

T = TypeVar('T')
HINT = 'not the URL of a proxy; write special characters of a password as %23 and so on'

without_certificates = partial(ssl.SSLContext, ssl.PROTOCOL_TLS_CLIENT)


class Route(NamedTuple):
    """The URL of a proxy or '', the variable that names it, and whether TLS is needed."""

    proxy: str
    variable: str
    needs_certificates: bool


def route_for(url: httpx.URL) -> Route:
    """Return how to reach a URL: through a proxy that the environment names, if it is far."""
    return find_route(url.scheme, url.host, url.port)


@cache
def find_route(scheme: str, host: str, port: int | None) -> Route:
    """Return how to reach a port of a host, the usual one if it is None."""
    proxies = getproxies()
    name = scheme if scheme in proxies else 'all'
    proxy = proxies.get(name, '')
    if not proxy or is_this_machine(host) or proxy_bypass(f'{host}:{port}' if port else host):
        return Route('', '', scheme == 'https')
    if '://' not in proxy:
        proxy = f'http://{proxy}'
    return Route(proxy, f'{name}_proxy', 'https' in (scheme, proxy.partition(':')[0]))


def make_transport(kind: Callable[..., T], route: Route) -> T:
    """Return a transport of httpx, which is kind, for a route.

    Raise httpx.UnsupportedProtocol, naming the variable of the environment that is of no use.
    """
    try:
        return kind(**transport_options(route))
    except OSError as exc:
        variable = variable_at_fault()
        exc.filename = os.environ.get(variable)  # ssl names no file
        problem = f'{variable}: {description(exc)}' if variable else description(exc)
    except (httpx.InvalidURL, ImportError, ValueError) as exc:
        is_secret = '@' in route.proxy or isinstance(exc, httpx.InvalidURL)
        problem = f'{route.variable}: {HINT if is_secret else description(exc)}'
    raise httpx.UnsupportedProtocol(problem)


@cache
def transport_options(route: Route) -> dict[str, Any]:
    """Return the arguments for httpx's transports on a route.

    All share a TLS context, which takes longer to build than a flag to download.
    """
    make_context = httpx.create_ssl_context if route.needs_certificates else without_certificates
    return {'verify': make_context(), 'proxy': httpx.Proxy(route.proxy) if route.proxy else None}


def prepare(base_url: str) -> None:
    """Load what httpx puts off until it needs it, so that it is not part of the timing.

    Fail with one line if the environment keeps TLS or a proxy from being set up.
    """
    try:
        make_transport(httpx.HTTPTransport, route_for(httpx.URL(base_url))).close()
    except httpx.InvalidURL as exc:
        fail(f'{base_url}: {description(exc)}')
    except httpx.UnsupportedProtocol as exc:
        fail(str(exc))
    if 'asyncio' in sys.modules:
        if not find_spec('sniffio'):  # else it is searched for several times per request
            sys.modules['sniffio'] = None  # type: ignore[assignment]
        with suppress(RuntimeError):  # a notebook runs a loop already
            anyio.run(anyio.sleep, 0)


def variable_at_fault() -> str:
    """Return the name of the variable that keeps TLS from being set up, or '' if none does."""
    try:
        without_certificates().keylog_filename = os.environ.get('SSLKEYLOGFILE', os.devnull)
    except OSError:
        return 'SSLKEYLOGFILE'
    return 'SSL_CERT_FILE' if 'SSL_CERT_FILE' in os.environ else ''
