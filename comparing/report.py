"""What compare.py knows of a script's runs, and how it prints that."""

import os
import shutil
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from comparing import charts
from comparing.runs import Run
from support.console import say

MEGABYTE = 1e6  # bytes
MAX_TIMELINE_ROWS = 40
COLORS = [34, 33, 32, 35, 36, 31]  # of a terminal that knows ANSI's
RESET = '\033[0m'


@dataclass
class Entry:
    """A script with its arguments, and how its runs went."""

    name: str
    command: list[str]
    concurrency: int | None = None  # where a scan has set it
    runs: list[Run] = field(default_factory=list)
    failure: str = ''

    @property
    def variant(self) -> str:
        """The name without the concurrency of a scan."""
        return self.name.partition(' -m ')[0]

    @property
    def elapsed(self) -> list[float]:
        """The times of all runs, in seconds."""
        return [run.elapsed for run in self.runs]

    @property
    def median(self) -> float:
        """The time of the run in the middle, in seconds."""
        return statistics.median(self.elapsed)

    @property
    def in_flight(self) -> int:
        """How many requests were under way at once, at the most."""
        return max(charts.most_in_flight(run.requests) for run in self.runs)

    @property
    def limit(self) -> float:
        """The least time that the server's delays and the requests in flight allow."""
        return statistics.median(
            charts.limit([each.delay for each in run.requests], charts.most_in_flight(run.requests))
            for run in self.runs
        )


def has_requests(entry: Entry) -> bool:
    """Tell whether a server has told of every run."""
    return bool(entry.runs) and all(run.requests for run in entry.runs)


def last_duration(entries: Sequence[Entry]) -> float:
    """Return how long the longest of the last runs took, as the server saw it, in seconds."""
    return max((each.end for entry in entries for each in entry.runs[-1].requests), default=0)


def rows(entries: list[Entry]) -> list[list[str]]:
    """Return the table: a header, and a row for each entry."""
    return [header(entries), *(row(entry, entries) for entry in entries)]


def header(entries: list[Entry]) -> list[str]:
    """Return the heads of the table's columns; times are in seconds."""
    columns = ['script', 'min', 'median', 'max', 'speed-up', 'MB']
    if any(has_requests(entry) for entry in entries):
        columns += ['in flight', 'limit', 'eff.']
    return columns


def row(entry: Entry, entries: list[Entry]) -> list[str]:
    """Return an entry's row of the table; the speed-up is that over the first of all."""
    cells = [entry.name]
    if entry.runs:
        cells += [f'{seconds:.2f}' for seconds in (min(entry.elapsed), entry.median)]
        cells += [f'{max(entry.elapsed):.2f}']
        first = entries[0]
        cells += [f'{first.median / entry.median:.1f}x' if first.runs else '-']
        memory = [run.peak_memory for run in entry.runs if run.peak_memory]
        cells += [f'{max(memory) / MEGABYTE:.0f}' if memory else '-']
    if has_requests(entry):
        cells += [str(entry.in_flight)]
        if entry.limit:
            cells += [f'{entry.limit:.2f}', f'{entry.limit / entry.median:.2f}']
    if entry.failure:
        cells[1:2] = ['failed']
    missing = len(header(entries)) - len(cells)
    return cells + ['-'] * missing


def print_report(entries: list[Entry], with_timeline: bool) -> None:
    """Print a table and bars, and on request what went on between scripts and server."""
    width = shutil.get_terminal_size().columns
    for line in charts.table(rows(entries), width):
        say(line)
    complete = [entry for entry in entries if entry.runs]
    say('')
    print_bars(complete, width)
    if with_timeline:
        print_timelines([entry for entry in complete if has_requests(entry)], width)


def print_bars(entries: list[Entry], width: int) -> None:
    """Print a bar for each median."""
    longest = max((entry.median for entry in entries), default=0)
    label_width = max((len(entry.name) for entry in entries), default=0)
    figures = [f'{entry.median:.2f} s' for entry in entries]
    space = max(width - label_width - max(map(len, figures), default=0) - 2, 1)
    for entry, figure in zip(entries, figures, strict=True):
        line = charts.bar(entry.median, longest, space, blocks())
        say(f'{entry.name:{label_width}} {colored(line, entry, entries)} {figure}')


def print_timelines(entries: list[Entry], width: int) -> None:
    """Print a bar for each request of the last runs, all on one axis of time."""
    if not entries:
        say('\nThere is no timeline, as no server has told of any request.')
    duration = last_duration(entries)
    for entry in entries:
        requests = entry.runs[-1].requests
        title = f'\n{entry.name}: {len(requests)} requests'
        if len(requests) > MAX_TIMELINE_ROWS:
            title += f', {len(charts.binned(requests, MAX_TIMELINE_ROWS)[0])} to a row'
        say(title)
        for line in charts.timeline(requests, duration, width, MAX_TIMELINE_ROWS, blocks()):
            code, _, cells = line.partition(' ')
            say(f'{code} {colored(cells, entry, entries)}')
    if entries:
        say(f'0 s{f"{duration:.2f} s":>{width - 3}}')


def blocks() -> str:
    """Return the characters to draw with that standard output can take."""
    try:
        charts.BLOCKS.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return charts.ASCII_BLOCKS
    return charts.BLOCKS


def colored(text: str, entry: Entry, entries: list[Entry]) -> str:
    """Return text in the colour of the variant, if a terminal shows it: see no-color.org."""
    if not sys.stdout.isatty() or os.environ.get('NO_COLOR') or not text.strip():
        return text
    variants = list(dict.fromkeys(each.variant for each in entries))
    color = COLORS[variants.index(entry.variant) % len(COLORS)]
    return f'\033[{color}m{text}{RESET}'
