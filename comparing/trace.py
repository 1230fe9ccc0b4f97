"""Runs in Chrome's trace event format, which ui.perfetto.dev and chrome://tracing show."""

from collections.abc import Sequence
from typing import Any

from comparing.entries import Entry
from comparing.work import Call

MICRO = 1e-6  # seconds


def trace(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return the last runs, one below the other: a process is a script, and a thread a lane."""
    events: list[dict[str, Any]] = []
    for number, entry in enumerate(entries, 1):
        names = {'name': 'process_name', 'ph': 'M', 'pid': number, 'args': {'name': entry.name}}
        events.append(names)
        for index, span in enumerate(entry.runs[-1].spans):
            is_held = isinstance(span, Call) and span.kind == 'held'
            place = {'pid': number, 'tid': 10**6 + index if is_held else span.lane}
            times = {'ts': span.start / MICRO, 'dur': (span.end - span.start) / MICRO}
            events.append({'name': span.code, 'ph': 'X', 'args': span._asdict(), **place, **times})
    return {'traceEvents': events}
