"""What the page of serving/page.py is told of each entry."""

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from comparing.entries import Entry
from comparing.runs import ROOT
from comparing.spans import Span

MAX_PICTURES = 60  # of a run with more requests, the bars have no room for flags


def page_data(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return the shown run of each script, as the page takes it."""
    return [run_data(entry, entries[0]) for entry in entries if entry.has_timeline]


def run_data(entry: Entry, first: Entry) -> dict[str, Any]:
    """Return an entry's shown run, and its speed-up over the first."""
    run = entry.shown
    lanes = list(dict.fromkeys(span.lane for span in run.work)) if run.computes else []
    has_room = len(run.spans) <= MAX_PICTURES and not run.computes
    return {
        'label': entry.name,
        'elapsed': entry.median,
        'speed_up': entry.speed_up(first),
        'work': run.computes,
        'lanes': lanes,
        'requests': [vars(span) | (picture(span) if has_room else {}) for span in run.spans],
    }


def picture(request: Span) -> dict[str, str]:
    """Return the flag that a request has brought, as a URL."""
    file = Path(ROOT, f'flags/{request.code}/{request.code}.gif'.lower())
    if request.status != 200 or not re.fullmatch('[A-Z]{2}', request.code) or not file.exists():
        return {}
    encoded = base64.b64encode(file.read_bytes()).decode()
    return {'picture': f'data:image/gif;base64,{encoded}'}
