"""What httpx offers, for many workers: `get` for threads and processes, AsyncClient for coroutines.

Each worker keeps its connections. A response that is not believed raises an httpx.RequestError.
"""

import copyreg
import os
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx

from support import interrupts
from support.answers import checked
from support.console import description, script_name, system_error
from support.routes import prepare
from support.sessions import at_prompt
from support.transports import AsyncTransport, Transport

__all__ = ['AsyncClient', 'get', 'prepare']


def user_agent() -> str:
    """Return what a server learns: the script, its options, but not -s, and the main process."""
    words = iter([] if at_prompt() else sys.argv[1:])
    options = [
        word
        for word in words
        if not (word in ('-s', '--server') and next(words, '')) and not word.startswith('--server=')
    ]
    module = sys.modules.get('multiprocessing.process')  # which is there in the workers of a pool
    parent = module.parent_process() if module else None
    process = parent.pid if parent else os.getpid()
    return f'{ascii(" ".join([script_name(), *options]))[1:-1]} ({process})'


UNPACKED = {'Accept-Encoding': 'identity'}

_worker = threading.local()  # what a thread keeps: its client, and in which process it was made


def get(url: str, **options: Any) -> httpx.Response:
    """Do what httpx.get does, on a connection that the calling thread keeps.

    Raise httpx.HTTPError unless a response comes in time; KeyboardInterrupt after a signal.
    """
    interrupts.check()
    client = own_client()
    client.headers['User-Agent'] = user_agent()  # of this run, while a session has many
    with plain_errors(url):
        return checked(url, client.get(url, **options))


class AsyncClient(httpx.AsyncClient):
    """A client for many coroutines, each of whose requests under way has its own connection."""

    def __init__(self, **options: Any) -> None:
        """Take the same options as httpx's client."""
        super().__init__(transport=AsyncTransport(), **options)
        self.headers.update(UNPACKED | {'User-Agent': user_agent()})

    async def get(self, url: httpx.URL | str, **options: Any) -> httpx.Response:
        """Do what httpx's client does, but believe fewer responses."""
        with plain_errors(url):
            return checked(url, await super().get(url, **options))

    async def __aexit__(self, exc_type: Any = None, exc: Any = None, traceback: Any = None) -> None:
        """Close the client; once its block has failed, what other tasks raise is no news."""
        if exc and (asyncio := sys.modules.get('asyncio')):
            with suppress(RuntimeError):  # another library's loop
                asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        await super().__aexit__(exc_type, exc, traceback)


def own_client() -> httpx.Client:
    """Return the calling thread's client, which is closed after the thread has ended."""
    if getattr(_worker, 'process', 0) != os.getpid():  # a forked one keeps off these connections
        _worker.process = os.getpid()
        _worker.client = httpx.Client(transport=Transport(), headers=UNPACKED)
        weakref.finalize(threading.current_thread(), _worker.client.close)
    client: httpx.Client = _worker.client
    return client


@contextmanager
def plain_errors(url: httpx.URL | str) -> Iterator[None]:
    """Context manager: let errors be httpx.RequestError, about url, in the system's words.

    They have to stand in the error itself: a process cannot pass its cause on to another one.
    """
    try:
        yield
    except httpx.RequestError as exc:
        asked = httpx.Request('GET', url)
        words = system_error(exc) or str(exc).rstrip('.') or 'timed out'
        if exc.request.url != asked.url:
            words += f' at {exc.request.url}'  # where a redirect has led
        exc.args, exc.request = (words,), asked
        raise
    except (httpx.InvalidURL, UnicodeError, OverflowError, ExceptionGroup) as exc:
        # anyio groups what connecting to each address of a host has raised
        error = exc.exceptions[0] if isinstance(exc, ExceptionGroup) else exc
        raise httpx.UnsupportedProtocol(
            description(error), request=httpx.Request('GET', url)
        ) from exc


def status_error(message: str, response: httpx.Response, phrase: bytes) -> httpx.HTTPStatusError:
    """Return an error of another process, with the reason that the server has sent."""
    response.extensions['reason_phrase'] = phrase
    return httpx.HTTPStatusError(message, request=response.request, response=response)


# By default, pickle forgets the keywords of errors that pass from process to process
copyreg.pickle(
    httpx.HTTPStatusError,
    lambda exc: (
        status_error,
        (str(exc), exc.response, exc.response.extensions.get('reason_phrase', b'')),
    ),
)
