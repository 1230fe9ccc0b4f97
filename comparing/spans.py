"""What was under way when: requests, as the server tells, and calls, as their workers do."""

import itertools
import json
from collections import defaultdict
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import ip_address
from operator import itemgetter
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx

from support import clients
from support.hosts import is_own

TIMEOUT = 2.0  # seconds for the server to tell
NO_CHANGE = 10**9  # after that many, there are none to tell of
LEAST_WAIT = 0.02  # seconds: results need some time from process to process, too


@dataclass(frozen=True)
class Span:
    """A request, or a call, or the wait of its result; in seconds from the first of its run."""

    code: str  # or the argument of a call
    start: float
    end: float
    lane: int | str  # the client's port, as it stands for a connection; or a worker's name
    delay: float = 0  # of the server
    status: int = 200
    share: float = 1  # of the time of a call, in which its worker had a CPU
    kind: str | None = None  # or 'held', while a result waits for an earlier one


def history(url: str, after: int) -> dict[str, Any]:
    """Return what a slow_server.py tells of requests, after a change; {} if another answers."""
    with suppress(httpx.HTTPError, ValueError, RecursionError):
        told = clients.get(urljoin(url, f'/requests?after={after}'), timeout=TIMEOUT).json()
        if isinstance(told, dict) and {'now', 'change', 'requests'} <= told.keys():
            return told
    return {}


def requests_since(url: str, before: dict[str, Any], processes: Collection[int]) -> list[Span]:
    """Return the requests of these processes that have begun since, and ended.

    If none of them tells its process, as our scripts do, return those of this machine that do not.
    """
    told = history(url, before['change']).get('requests', []) if before else []
    with suppress(KeyError, TypeError, ValueError):  # of a server that tells something else
        since = [each for each in told if each['start'] >= before['now']]
        here = [each for each in since if is_own(ip_address(each['client']))]
        own = [each for each in since if each['process'] in processes]
        return requests_of(own or [each for each in here if each['process'] is None])
    return []


def requests_of(told: Iterable[dict[str, Any]]) -> list[Span]:
    """Return requests as a server tells of them; times count from the first start."""
    ended = [each for each in told if each['end'] is not None]
    begin = min((each['start'] for each in ended), default=0)
    facts = itemgetter('lane', 'delay', 'status')
    return [
        Span(each['code'], each['start'] - begin, each['end'] - begin, *facts(each))
        for each in ended
    ]


def calls_of(file: Path) -> tuple[list[Span], list[Span]]:
    """Return the calls that sitecustomize.py has recorded, and how long their results had to wait.

    What map was asked for first is what it returns first, however early the others are ready.
    """
    lines = [json.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []
    calls = sorted((line for line in lines if 'start' in line), key=lambda line: line['start'])
    workers = list(dict.fromkeys(tuple(call['worker']) for call in calls))
    lanes = {worker: f'{worker[0]} {number}' for number, worker in enumerate(workers, 1)}
    spans, held, ready = [], [], defaultdict(list)
    for call in calls:
        start, end = (call[name] - calls[0]['start'] for name in ('start', 'end'))
        share = min(call['cpu'] / max(end - start, 1e-9), 1)
        spans.append(Span(call['n'], start, end, lanes[tuple(call['worker'])], share=share))
        ready[call['n']].append(spans[-1])
    shown = 0.0
    for n in (line['order'] for line in lines if 'order' in line):
        if ready[n]:
            span = ready[n].pop(0)
            if shown - span.end > LEAST_WAIT:
                held.append(replace(span, start=span.end, end=shown, kind='held'))
            shown = max(shown, span.end)
    return spans, held


def most_in_flight(spans: Iterable[Span]) -> int:
    """Return how many requests were under way at once, at the most."""
    begins_and_ends = [step for each in spans for step in ((each.end, -1), (each.start, 1))]
    in_flight = itertools.accumulate(step for _, step in sorted(begins_and_ends))
    return max(1, *in_flight) if begins_and_ends else 0  # by a coarse clock, they take no time
