"""What httpx offers, for many workers: `get` for threads and processes, AsyncClient for coroutines.

Each worker keeps its connections. A response that is not believed raises an httpx.RequestError.
"""

import copyreg
import gc
import os
import re
import ssl
import sys
import threading
import weakref
from collections import defaultdict
from contextlib import suppress
from functools import cache, partial
from importlib.util import find_spec
from typing import Any
from urllib.request import getproxies, proxy_bypass

import httpx

from support import interrupts
from support.answers import BoundedBody, checked, plain_errors
from support.console import description, fail, script_name
from support.hosts import is_loopback
from support.sessions import at_prompt, in_session

# A server may close a kept connection at any time, so a GET may be repeated: RFC 9112, 9.3.1
BROKEN = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
HINT = 'not the URL of a proxy; write special characters of a password as %23 and so on'

# All clients share a context, which takes longer to build than a flag to download
authorities = cache(httpx.create_ssl_context)
no_authorities = cache(partial(ssl.SSLContext, ssl.PROTOCOL_TLS_CLIENT))

_worker = threading.local()  # what a thread keeps: its client, and what that was made for


def get(url: str, **options: Any) -> httpx.Response:
    """Return what httpx.get does, but on a connection that the calling thread keeps."""
    interrupts.check()
    server = origin(url)
    client = own_client(server)
    with plain_errors(url, settings(server)[1]):
        with suppress(*BROKEN):
            return checked(url, client.get(url, **options))
        return checked(url, client.get(url, **options))


class AsyncClient(httpx.AsyncClient):
    """A client for many coroutines: each request under way has a client of its own.

    One pool for all would be slow: its bookkeeping grows with the square of the connections.
    """

    def __init__(self, **options: Any) -> None:
        """Take the same options as httpx's client."""
        self.idle: defaultdict[str, list[httpx.AsyncClient]] = defaultdict(list)

        async def check(response: httpx.Response) -> None:
            check_body(response)

        hooks = dict(options.pop('event_hooks', {}))
        hooks['response'] = [check, *hooks.get('response', ())]
        self.own_options: dict[str, Any] = options | {'event_hooks': hooks}
        super().__init__(**options | {'verify': no_authorities(), 'trust_env': False})
        introduce(self)
        self.headers.update(options.get('headers'))

    async def send(self, request: httpx.Request, **how: Any) -> httpx.Response:
        """Send a request by a client that is idle, or by a new one."""
        server = origin(url := str(request.url))
        idle, (options, variable) = self.idle[server], settings(server)
        client = idle.pop() if idle else httpx.AsyncClient(**options | self.own_options)
        try:
            with plain_errors(url, variable):
                with suppress(*BROKEN if request.method == 'GET' else ()):
                    return checked(url, await client.send(request, **how))
                return checked(url, await client.send(request, **how))
        finally:
            idle.append(client)

    async def __aexit__(self, *exc_info: Any) -> None:
        """Close the connections; after an error, what other tasks raise is no news."""
        if exc_info[0] and 'asyncio' in sys.modules and not in_session():
            with suppress(RuntimeError):  # another library runs the loop
                sys.modules['asyncio'].get_running_loop().set_exception_handler(lambda *_: None)
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that are idle; others close as their requests are cancelled."""
        for idle in self.idle.values():
            while idle:
                await idle.pop().aclose()
        await super().aclose()


def own_client(server: str) -> httpx.Client:
    """Return the calling thread's client, which is closed after the thread has ended."""
    options, _ = settings(server)
    use = options, os.getpid(), *sys.argv  # a forked process makes connections of its own
    if getattr(_worker, 'use', None) != use:
        _worker.client = httpx.Client(**options, event_hooks={'response': [check_body]})
        _worker.use = use
        introduce(_worker.client)
        weakref.finalize(threading.current_thread(), _worker.client.close)
    client: httpx.Client = _worker.client
    return client


def check_body(response: httpx.Response) -> None:
    """Event hook: keep a body within bounds, and packed, as nobody has asked for a packed one."""
    response.headers.pop('Content-Encoding', None)
    response.stream = BoundedBody(response.stream)
    if response.is_redirect and response.headers.get('Location', '').startswith('https:'):
        known = authorities().get_ca_certs(binary_form=True)  # which the other context needs now
        no_authorities().load_verify_locations(cadata=b''.join(known))


def introduce(client: httpx.Client | httpx.AsyncClient) -> None:
    """Let servers learn the script, its options, but not -s, and the main process."""
    text = ' '.join([script_name(), *([] if at_prompt() else sys.argv[1:])])
    text = re.sub(' (-s|--server)[ =][^ ]*', '', text)
    module = sys.modules.get('multiprocessing.process')  # which is there in the workers of a pool
    parent = module.parent_process() if module else None
    agent = f'{ascii(text)[1:-1]} ({parent.pid if parent else os.getpid()})'
    client.headers.update({'User-Agent': agent, 'Accept-Encoding': 'identity'})
    del client.headers['Accept'], client.headers['Connection']  # each takes time, and says nothing


def origin(url: str) -> str:
    """Return the beginning of a URL that names the server, such as http://localhost:8001."""
    return '/'.join(url.split('/', 3)[:3])


@cache
def settings(server: str) -> tuple[dict[str, Any], str]:
    """Return the options of a client for a server, and the variable that names its proxy, if any.

    The environment does not matter to this machine. Only TLS needs authorities.
    """
    url, proxies = httpx.URL(server), getproxies()
    is_near = is_loopback(url.host)
    name = url.scheme if url.scheme in proxies else 'all'
    proxy = '' if is_near or proxy_bypass(url.netloc.decode()) else proxies.get(name, '')
    if proxy and '://' not in proxy:
        proxy = f'http://{proxy}'
    context = no_authorities() if is_near and url.scheme == 'http' else authorities()
    options = {'verify': context, 'proxy': proxy or None, 'trust_env': False}
    return options, f'{name}_proxy' if proxy else ''


def prepare(base_url: str) -> None:
    """Load what httpx puts off until it needs it, so that it is not part of the timing.

    Fail with one line if the environment keeps TLS or a proxy from being set up.
    """
    settings.cache_clear()  # in a session, the environment may have changed
    variable = ''
    try:
        options, variable = settings(origin(base_url))
        httpx.Client(**options).close()
    except OSError as exc:
        names = [name for name in os.environ if name.startswith(('SSL_CERT_', 'SSLKEYLOGFILE'))]
        fail(f'{", ".join(f"{name}={os.environ[name]}" for name in names)}: {description(exc)}')
    except (ImportError, ValueError, httpx.InvalidURL) as exc:
        is_secret = variable and ('@' in str(exc) or isinstance(exc, httpx.InvalidURL))
        fail(f'{variable or base_url}: {HINT if is_secret else description(exc)}')
    if 'asyncio' in sys.modules:
        import anyio

        if not find_spec('sniffio'):  # else it is searched for several times per request
            sys.modules['sniffio'] = None  # type: ignore[assignment]
        with suppress(RuntimeError):  # a notebook runs a loop already
            anyio.run(anyio.sleep, 0)
    if not in_session():
        gc.freeze()  # what is loaded stays: the garbage collector need not look at it again


# By default, pickle forgets the keywords of errors that pass from process to process
copyreg.pickle(
    httpx.HTTPStatusError,
    lambda exc: (partial(type(exc), request=exc.request, response=exc.response), exc.args),
)
