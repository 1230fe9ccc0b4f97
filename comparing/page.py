"""Runs as a page of HTML that opens from disk: slow_server.html with their data in it."""

import base64
import json
import re
from collections.abc import Sequence
from typing import Any

from comparing.entries import Entry
from comparing.runs import ROOT, Request
from comparing.work import Call

PLACEHOLDER = '<script type="application/json" id="runs">null</script>'
MAX_PICTURES = 60  # of a run with more requests, the bars have no room for flags


def html_page(template: str, data: list[dict[str, Any]]) -> str:
    """Return slow_server.html, which template is, as a page that shows these runs.

    A run is a label and its requests. Their times are seconds, on a clock that may begin
    anywhere; a lane is a connection. A request may have a picture, the URL of an image.

    >>> run = {
    ...     'label': 'flags.py',
    ...     'requests': [
    ...         {'lane': 1, 'code': 'BR', 'start': 0.0, 'end': 1.5, 'delay': 1.4, 'status': 200}
    ...     ],
    ... }
    >>> '"label": "flags.py"' in html_page(PLACEHOLDER, [run])
    True
    """
    if template.count(PLACEHOLDER) != 1:
        raise ValueError('the template has no single place for the runs')
    text = json.dumps(data, allow_nan=False).replace('<', r'\u003c')  # no end tag, no comment
    return template.replace(PLACEHOLDER, PLACEHOLDER.replace('null', text))


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
