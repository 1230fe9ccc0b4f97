"""Spans of time: requests, as the server reports them, and calls, as the workers record them."""

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

TIMEOUT = 2.0  # seconds for the server to report
NO_CHANGE = 10**9  # more than there are: the server reports no request
LEAST_WAIT = 0.02  # seconds: a result takes some time from process to process


@dataclass(frozen=True)
class Span:
    """A request, a call, or the wait of its result; in seconds from the first span of the run."""

    code: str  # or the argument of a call
    start: float
    end: float
    lane: int | str  # the client's port, which stands for a connection; or a worker's name
    delay: float = 0  # set by the server
    status: int = 200
    share: float = 1  # the part of a call's time in which its worker had a CPU
    kind: str | None = None  # 'held' while a result waits for an earlier one


def history(url: str, after: int) -> dict[str, Any]:
    """Return what slow_server.py reports of requests after a change; {} for another server."""
    with suppress(httpx.HTTPError, ValueError, RecursionError):
        told = clients.get(urljoin(url, f'/requests?after={after}'), timeout=TIMEOUT).json()
        if isinstance(told, dict) and {'now', 'change', 'requests'} <= told.keys():
            return told
    return {}


def requests_since(url: str, before: dict[str, Any], processes: Collection[int]) -> list[Span]:
    """Return the requests of these processes that have begun since then, and have ended.

    Clients of other libraries do not name their process: if there are no requests of these
    processes, return the nameless ones of this machine.
    """
    told = history(url, before['change']).get('requests', []) if before else []
    with suppress(KeyError, TypeError, ValueError):  # another server may report something else
        since = [each for each in told if each['start'] >= before['now']]
        here = [each for each in since if is_own(ip_address(each['client']))]
        own = [each for each in since if each['process'] in processes]
        return requests_of(own or [each for each in here if each['process'] is None])
    return []


def requests_of(told: Iterable[dict[str, Any]]) -> list[Span]:
    """Return spans for what a server reports; times count from the first start."""
    complete = [each for each in told if each['end'] is not None]
    begin = min((each['start'] for each in complete), default=0)
    facts = itemgetter('lane', 'delay', 'status')
    return [
        Span(each['code'], each['start'] - begin, each['end'] - begin, *facts(each))
        for each in complete
    ]


def calls_of(file: Path) -> tuple[list[Span], list[Span]]:
    """Return the calls that sitecustomize.py has recorded, and the waits of their results.

    map returns results in the order of its arguments, so a result that is ready early has to wait.
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
    """Return the most spans that were under way at one time."""
    begins_and_ends = [step for each in spans for step in ((each.end, -1), (each.start, 1))]
    in_flight = itertools.accumulate(step for _, step in sorted(begins_and_ends))
    return max(1, *in_flight) if begins_and_ends else 0  # with a coarse clock, spans may be empty
