"""The last runs of a comparison, as page.py puts them into a page."""

import base64
import re
from collections.abc import Sequence
from typing import Any

from comparing.entries import Entry
from comparing.runs import ROOT, Request
from comparing.work import Call

MAX_PICTURES = 60  # of a run with more requests, the bars have no room for flags


def page_data(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return the last run of each script, as the page takes it."""
    return [run_data(entry) for entry in entries if entry.has_timeline]


def run_data(entry: Entry) -> dict[str, Any]:
    """Return an entry's last run; one that computes has lanes with names."""
    run = entry.runs[-1]
    data = {'label': entry.name, 'elapsed': run.elapsed}
    if run.work:
        calls = [call_data(call, run.work.lanes) for call in run.work.calls]
        return data | {'work': True, 'lanes': run.work.lanes, 'requests': calls}
    with_pictures = len(run.requests) <= MAX_PICTURES
    return data | {'requests': [request_data(request, with_pictures) for request in run.requests]}


def call_data(call: Call, lanes: list[str]) -> dict[str, Any]:
    """Return a call with what the page asks of each request."""
    times = {'start': call.start, 'end': call.end, 'delay': 0}
    more = {'kind': call.kind} if call.kind else {'share': call.share}
    return {'lane': lanes[call.lane], 'code': call.code, 'status': 200} | times | more


def request_data(request: Request, with_pictures: bool) -> dict[str, Any]:
    """Return a request, maybe with the flag that it has brought."""
    picture = with_pictures and request.status == 200 and picture_url(request.code)
    return request._asdict() | ({'picture': picture} if picture else {})


def picture_url(code: str) -> str:
    """Return the flag itself as a URL, or nothing if there is none for that code."""
    file = ROOT / f'flags/{code}/{code}.gif'.lower()
    if not re.fullmatch('[A-Z]{2}', code) or not file.exists():
        return ''
    return f'data:image/gif;base64,{base64.b64encode(file.read_bytes()).decode()}'
