"""The files that keep a comparison, which may as well be links, pipes or devices."""

import argparse
import csv
import io
import json
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import httpx

from comparing.entries import Entry
from support.console import reason

COLUMNS = 'command mean stddev median min max memory in_flight limit errors'.split()


def writable_file(text: str) -> Path:
    """Argparse type: a file that can be written. It is left as it is."""
    path = Path(text)
    try:
        exists = path.exists()
        if not path.is_fifo():  # whose reader would take this for all there is
            path.open('ab').close()
        if not exists:
            path.resolve().unlink()
    except OSError as exc:
        raise argparse.ArgumentTypeError(reason(exc)) from exc
    return path


def write_file(path: Path, content: bytes) -> None:
    """Write to whatever path leads to; raise OSError if that fails.

    What is there is not replaced by a new file: it would have other permissions, and be no pipe.
    """
    try:
        path.write_bytes(content)
    except OSError as exc:
        exc.filename = str(path)
        raise


def measures(entries: Sequence[Entry], note: str) -> str:
    """Return all measures as JSON, where they come from, and maybe why not to trust them."""
    facts = {
        'python': platform.python_version(),
        'httpx': httpx.__version__,
        'platform': platform.platform(),
        'options': sys.argv[1:],
        'note': note,
        'scripts': [asdict(entry) for entry in entries],
    }
    return json.dumps(facts, indent=2)


def csv_table(entries: Sequence[Entry]) -> str:
    """Return a line for each, with the columns that hyperfine has too, and ours behind them."""
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow(COLUMNS)
    for entry in entries:
        if entry.is_complete:
            times = entry.elapsed
            spread = statistics.stdev(times) if len(times) > 1 else ''
            seen = (entry.in_flight, entry.limit) if entry.has_requests else ('', '')
            figures = [statistics.mean(times), spread, entry.median, min(times), max(times)]
            writer.writerow([entry.name, *figures, entry.peak_memory or '', *seen, entry.errors])
    return lines.getvalue()
