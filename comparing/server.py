"""The server that scripts download from, and what it tells of their requests."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx

from comparing.runs import Request, requests_of
from support import clients, servers

TIMEOUT = 2.0  # seconds
NO_CHANGE = 10**9  # after that many, there are none to tell of


class State(NamedTuple):
    """The time by a server's clock, how often a request has begun or ended, and requests."""

    now: float
    change: int
    requests: list[dict[str, Any]]


class Server(NamedTuple):
    """A base URL, and the URL at which its server tells of requests, if it does."""

    url: str = ''
    history_url: str = ''

    @property
    def hint(self) -> str:
        """Why nothing may be known of a run."""
        if not self.url:
            return 'no call was recorded: does it import is_prime from primes?'
        asked = 'no request has come: does it take -s, {url} or FLAGS_URL?'
        return asked if self.history_url else 'this server does not tell of requests'

    def state(self) -> State | None:
        """Return how things stand, without requests; None if the server has no history."""
        return history(self.history_url, NO_CHANGE) if self.history_url else None

    def requests_since(self, before: State | None) -> list[Request]:
        """Return the requests that have begun since, and ended; none without a history."""
        state = history(self.history_url, before.change) if before else None
        if not before or not state:
            return []
        try:
            ended = [each for each in state.requests if each['end'] is not None]
            return requests_of(each for each in ended if each['start'] >= before.now)
        except (KeyError, TypeError):
            return []


def history(url: str, after: int) -> State | None:
    """Return what a slow_server.py tells, with the requests that have changed after a change.

    Return None if another kind of server answers.
    """
    try:
        told = clients.get(f'{url}?after={after}', timeout=TIMEOUT).json()
        return State(told['now'], told['change'], told['requests'])
    except (httpx.HTTPError, KeyError, RecursionError, TypeError, ValueError):
        return None


@contextmanager
def chosen_server(name: str | None, delay: tuple[float, float] | None) -> Iterator[Server]:
    """Context manager: yield the server of that name, or a private one with these delays."""
    if name:
        with servers.running(name) as url:
            yield telling_server(url)
    elif delay:
        with servers.private_server(f'--min-delay={delay[0]}', f'--max-delay={delay[1]}') as url:
            yield telling_server(url)
    else:
        yield Server()


def telling_server(url: str) -> Server:
    """Return a server that runs, which may tell of its requests."""
    parts = urlsplit(url)
    server = Server(url, f'{parts.scheme}://{parts.netloc}/requests')
    return server if server.state() else Server(url)
