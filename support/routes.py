"""Which way a request goes: straight or through a proxy, with or without certificates."""

import os
import ssl
import sys
from contextlib import suppress
from functools import cache, partial
from importlib.util import find_spec
from typing import Any
from urllib.request import getproxies, proxy_bypass

import anyio
import httpx

from support.console import fail, reason
from support.hosts import is_this_machine

Route = tuple[str, bool]  # the URL of a proxy or '', and whether certificates are needed

without_certificates = partial(ssl.SSLContext, ssl.PROTOCOL_TLS_CLIENT)


@cache
def route_for(scheme: str, host: str) -> Route:
    """Return how to reach a host: through a proxy that the environment names, if it is far."""
    proxy = ''
    if not (is_this_machine(host) or proxy_bypass(host)):
        proxies = getproxies()
        proxy = proxies.get(scheme) or proxies.get('all', '')
    if proxy and '://' not in proxy:
        proxy = f'http://{proxy}'
    return proxy, 'https' in (scheme, proxy.partition(':')[0])


@cache
def transport_options(route: Route) -> dict[str, Any]:
    """Return the arguments for httpx's transports on a route.

    All share a TLS context, which takes longer to build than a flag to download.
    """
    proxy, needs_certificates = route
    make_context = httpx.create_ssl_context if needs_certificates else without_certificates
    return {'verify': make_context(), 'proxy': httpx.Proxy(proxy) if proxy else None}


def prepare(base_url: str) -> None:
    """Load what httpx puts off until it needs it, so that it is not part of the timing.

    Fail with one line if the environment keeps TLS or a proxy from being set up.
    """
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as exc:
        fail(f'{base_url}: {reason(exc)}')
    try:
        httpx.HTTPTransport(**transport_options(route_for(url.scheme, url.host))).close()
    except OSError as exc:
        variable = variable_at_fault()
        exc.filename = os.environ.get(variable)  # ssl names no file
        fail(f'{variable}: {reason(exc)}' if variable else reason(exc))
    except (httpx.InvalidURL, ImportError, ValueError) as exc:
        fail(f'{url.scheme if url.scheme in getproxies() else "all"}_proxy: {reason(exc)}')
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
