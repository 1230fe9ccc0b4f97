"""The files that a comparison is saved in; they may be links, pipes or devices."""

import argparse
import base64
import csv
import io
import json
import platform
import re
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx

from comparing.entries import Entry
from comparing.runs import ROOT
from comparing.spans import Span
from comparing.texts import fit
from support.console import description

COLUMNS = 'command mean stddev median min max memory in_flight limit errors'.split()
STDOUT = Path('-')
MAX_PICTURES = 60  # with more requests, bars have no room for flags


def writable_file(text: str) -> Path:
    """Argparse type: a file that can be written, or - for stdout; leave it unchanged."""
    path = Path(text)
    try:
        exists = path.exists()
        if path != STDOUT and not path.is_fifo():  # its reader would take this for the end
            path.open('ab').close()
            if not exists:
                path.resolve().unlink()
    except OSError as exc:
        raise argparse.ArgumentTypeError(description(exc)) from exc
    return path


def write(path: Path, content: str | bytes) -> None:
    """Write to the file, pipe or device that a path leads to, in place; to stdout for -."""
    if path == STDOUT:
        print(fit(str(content)), end='', flush=True)
        return
    try:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    except OSError as exc:
        exc.filename = str(path)
        raise


def measures(entries: Sequence[Entry]) -> str:
    """Return all measurements as JSON, with the versions, platform and options."""
    facts: dict[str, Any] = {'python': platform.python_version(), 'httpx': httpx.__version__}
    facts |= {'platform': platform.platform(), 'options': sys.argv[1:]}
    return json.dumps(facts | {'scripts': [asdict(entry) for entry in entries]}, indent=2) + '\n'


def csv_table(entries: Sequence[Entry]) -> str:
    """Return a line of CSV per entry: the columns that hyperfine has, and four more."""
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow(COLUMNS)
    for entry in (entry for entry in entries if entry.is_complete):
        times, run = entry.elapsed, entry.shown
        spread = statistics.stdev(times) if len(times) > 1 else ''
        is_seen = run.spans and not entry.computes
        seen = (entry.in_flight, entry.limit) if is_seen else ('', '')
        figures = [statistics.mean(times), spread, run.elapsed, min(times), max(times)]
        writer.writerow([entry.name, *figures, run.peak_memory or '', *seen, entry.errors])
    return lines.getvalue()


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows, of which the first is the header, as a table in Markdown."""
    lines = [' | '.join(re.sub(r'[\\|*`<$]', r'\\\g<0>', cell) for cell in row) for row in rows]
    lines.insert(1, ' | '.join(['---', *['---:'] * (len(rows[0]) - 1)]))
    return ''.join(f'| {line} |\n' for line in lines)


def page_data(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return the shown run of each entry in the format of the page, with figures of the table."""
    return [
        {
            'label': entry.name,
            'elapsed': entry.median,
            'speed_up': entry.speed_up(entries[0]),
            'limit': entry.limit,
            'most': entry.in_flight,
            'work': entry.computes,
            'lanes': entry.shown.lanes if entry.computes else [],
            'requests': [
                vars(span) | picture(span, len(entry.shown.spans))
                for span in [*entry.shown.spans, *entry.shown.held]
            ],
        }
        for entry in entries
        if entry.is_complete and entry.shown.spans
    ]


def picture(request: Span, requests: int) -> dict[str, str]:
    """Return the flag that a request has downloaded, as a URL, if the chart has room for it."""
    file = Path(ROOT, f'flags/{request.code}/{request.code}.gif'.lower())
    is_flag = request.status == 200 and re.fullmatch('[A-Z]{2}', request.code) and file.exists()
    if requests > MAX_PICTURES or not is_flag:
        return {}
    encoded = base64.b64encode(file.read_bytes()).decode()
    return {'picture': f'data:image/gif;base64,{encoded}'}
