"""Runs as a page of HTML that opens from disk: slow_server.html with their data in it.

A run is a dict:

- label: its name;
- requests: a list, see below;
- elapsed: the seconds that the script itself has printed, or the median (may be missing or None);
- speed_up: a text such as '12.6x' or '' (may be missing, then the page compares the times of the
  requests); if it is there, elapsed is the time that the page shows;
- lanes: the names of its rows, from top to bottom (may be missing, then each lane gets a row,
  in order of appearance);
- work: True if it computes instead of downloading (may be missing); so do all runs of the page.

A request is a dict as well:

- lane: its row, such as a connection or the name of a worker;
- code: what to write on its bar;
- start, end: seconds, on a clock that may begin anywhere;
- delay: the seconds for which the server has waited;
- status: of the response;
- picture: the URL of an image, such as data:image/gif;base64,... (may be missing).

In a run that computes, a request is the check of a number by a worker. It has lane, code, start
and end as above, neither delay nor status, and one of these:

- share: CPU time divided by the time from start to end, 0 to 1; the bar is filled that far;
- kind: 'held' for a result that is ready at the start, but waits in map for an earlier one until
  the end. It is in the lane of its call, and a thin strip below the bars there.
"""

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

    >>> request = {'lane': 1, 'code': 'BR', 'start': 0.0, 'end': 1.5, 'delay': 1.4, 'status': 200}
    >>> download = {'label': 'flags.py', 'requests': [request], 'elapsed': 1.6, 'speed_up': '1x'}
    >>> check = {'lane': 'thread 1', 'code': '4444444444444423 P', 'start': 0.0, 'end': 1.5}
    >>> held = {**check, 'start': 1.5, 'end': 2.0, 'kind': 'held'}
    >>> work = {
    ...     'label': 'proc_pool.py',
    ...     'work': True,
    ...     'lanes': ['thread 1'],
    ...     'requests': [check | {'share': 0.51}, held],
    ... }
    >>> '"label": "flags.py"' in html_page(PLACEHOLDER, [download, work])
    True
    """
    if template.count(PLACEHOLDER) != 1:
        raise ValueError('the template has no single place for the runs')
    text = json.dumps(data, allow_nan=False).replace('<', r'\u003c')  # no end tag, no comment
    return template.replace(PLACEHOLDER, PLACEHOLDER.replace('null', text))


def page_data(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return the last run of each script, as the page takes it."""
    return [run_data(entry, entries[0]) for entry in entries if entry.has_timeline]


def run_data(entry: Entry, first: Entry) -> dict[str, Any]:
    """Return an entry's last run, and its speed-up over the first; workers are lanes with names."""
    run = entry.runs[-1]
    data = {'label': entry.name, 'elapsed': entry.median, 'speed_up': entry.speed_up(first)}
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
    return vars(request) | ({'picture': picture} if picture else {})


def picture_url(code: str) -> str:
    """Return the flag itself as a URL, or nothing if there is none for that code."""
    file = ROOT / f'flags/{code}/{code}.gif'.lower()
    if not re.fullmatch('[A-Z]{2}', code) or not file.exists():
        return ''
    return f'data:image/gif;base64,{base64.b64encode(file.read_bytes()).decode()}'
