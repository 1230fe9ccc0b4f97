"""Text that shows how runs compare: a table, bars and timelines. Nothing here prints."""

import itertools
import math
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence

from comparing.runs import Entry, Request, last_duration

MEGABYTE = 1e6  # bytes
MAX_TIMELINE_ROWS = 40
BLOCKS = ' ▏▎▍▌▋▊▉█'
ASCII_BLOCKS = ' #'
COLORS = [34, 33, 32, 35, 36, 31]  # of a terminal that knows ANSI's
RESET = '\033[0m'


def report(entries: list[Entry], with_timeline: bool) -> Iterator[str]:
    """Yield the lines of a table, of bars and, on request, of timelines."""
    width = shutil.get_terminal_size().columns
    complete = [entry for entry in entries if entry.runs]
    yield from table(rows(entries), width)
    if complete:
        yield ''
    yield from bars(complete, width)
    if with_timeline:
        yield from timelines([entry for entry in complete if entry.has_requests], width)


def rows(entries: list[Entry]) -> list[list[str]]:
    """Return the table: a header, and a row for each entry."""
    return [header(entries), *(row(entry, entries) for entry in entries)]


def header(entries: list[Entry]) -> list[str]:
    """Return the heads of the table's columns; times are in seconds."""
    columns = ['script', 'min', 'median', 'max', 'speed-up', 'MB']
    if any(entry.has_requests for entry in entries):
        columns += ['in flight', 'limit', 'eff.']
    return columns


def row(entry: Entry, entries: list[Entry]) -> list[str]:
    """Return an entry's row of the table; the speed-up is that over the first of all."""
    cells = [entry.name]
    if entry.runs:
        times = (min(entry.elapsed), entry.median, max(entry.elapsed))
        cells += [f'{seconds:.2f}' for seconds in times]
        cells += [speed_up(entry, entries[0])]
        memory = max(run.peak_memory or 0 for run in entry.runs)
        cells += [f'{memory / MEGABYTE:.0f}' if memory else '-']
    if entry.has_requests:
        cells += [str(entry.in_flight)]
        if entry.limit and entry.median:
            cells += [f'{entry.limit:.2f}', f'{entry.limit / entry.median:.2f}']
    if entry.failure:
        cells[1:2] = ['failed']
    missing = len(header(entries)) - len(cells)
    return cells + ['-'] * missing


def speed_up(entry: Entry, first: Entry) -> str:
    """Return how many times as fast as the first an entry is, or a dash if nobody knows."""
    if not first.runs or not entry.median:
        return '-'
    return f'{first.median / entry.median:.1f}x'


def table(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return the rows in columns, the first one aligned left and the others right.

    Columns that do not fit into the width are left out, beginning with the last.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    fitting = [total - 2 <= width for total in itertools.accumulate(size + 2 for size in widths)]
    shown = max(sum(fitting), 1)
    return [
        '  '.join(
            f'{cell:{"<" if column == 0 else ">"}{widths[column]}}'
            for column, cell in enumerate(row[:shown])
        ).rstrip()
        for row in rows
    ]


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows as a table in Markdown, the first one being the header."""
    header, *body = rows
    rule = ['---', *['---:'] * (len(header) - 1)]
    return ''.join(f'| {" | ".join(row)} |\n' for row in (header, rule, *body))


def bars(entries: list[Entry], width: int) -> Iterator[str]:
    """Yield a line for each median, with a bar where there is room for one."""
    longest = max((entry.median for entry in entries), default=0)
    label_width = max((len(entry.name) for entry in entries), default=0)
    figures = [f'{entry.median:.2f} s' for entry in entries]
    space = width - label_width - max(map(len, figures), default=0) - 2
    for entry, figure in zip(entries, figures, strict=True):
        if space > 0:
            line = colored(bar(entry.median, longest, space, blocks()), entry, entries)
            yield f'{entry.name:{label_width}} {line} {figure}'
        else:
            yield f'{entry.name} {figure}'


def bar(value: float, longest: float, width: int, blocks: str = BLOCKS) -> str:
    """Return a bar that would fill the width if value were the longest one.

    >>> bar(2.5, 10, 8, ASCII_BLOCKS)
    '##'
    """
    parts = len(blocks) - 1
    share = value / longest if longest else 0
    full, rest = divmod(round(share * width * parts), parts)
    return blocks[-1] * full + (blocks[rest] if rest else '') or blocks[1]


def timelines(entries: list[Entry], width: int) -> Iterator[str]:
    """Yield a line for each request of the last runs, all on one axis of time."""
    if not entries:
        yield '\nThere is no timeline, as no server has told of any request.'
        return
    duration = last_duration(entries)
    for entry in entries:
        requests = entry.runs[-1].requests
        title = f'\n{entry.name}: {len(requests)} requests'
        if len(requests) > MAX_TIMELINE_ROWS:
            title += f', {len(binned(requests, MAX_TIMELINE_ROWS)[0])} to a row'
        yield title
        for line in timeline(requests, duration, width, MAX_TIMELINE_ROWS, blocks()):
            code, _, cells = line.partition(' ')
            yield f'{code} {colored(cells, entry, entries)}'
    yield '0 s' + f'{duration:.2f} s'.rjust(width - 3)


def timeline(
    requests: Sequence[Request], duration: float, width: int, max_rows: int, blocks: str = BLOCKS
) -> list[str]:
    """Return a row for each request, or for several where there are more than max_rows.

    On each row stand a code and a bar from start to end; the width is that of duration.

    >>> timeline([Request('BR', 0, 1, 1), Request('CN', 1, 2, 1)], 2, 9, 10, ASCII_BLOCKS)
    ['BR ###', 'CN    ###']
    """
    rows = binned(sorted(requests, key=lambda request: request.start), max_rows)
    labels = [row[0].code if len(row) == 1 else f'{row[0].code}+{len(row) - 1}' for row in rows]
    label_width = max(map(len, labels), default=0)
    cells = max(width - label_width - 1, 1)
    return [
        f'{label:{label_width}} {covered(row, duration, cells, blocks[-1])}'
        for label, row in zip(labels, rows, strict=True)
    ]


def binned(requests: Sequence[Request], max_rows: int) -> list[Sequence[Request]]:
    """Return the requests in at most max_rows groups of neighbours, alike in size."""
    size = math.ceil(len(requests) / max_rows)
    return [requests[first : first + size] for first in range(0, len(requests), size or 1)]


def covered(requests: Iterable[Request], duration: float, cells: int, block: str) -> str:
    """Return a line with a block wherever one of the requests was under way."""
    line = [' '] * cells
    for request in requests:
        first = min(int(request.start / duration * cells), cells - 1)
        end = min(max(math.ceil(request.end / duration * cells), first + 1), cells)
        line[first:end] = block * (end - first)
    return ''.join(line).rstrip()


def blocks() -> str:
    """Return the characters to draw with that standard output can take."""
    try:
        BLOCKS.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return ASCII_BLOCKS
    return BLOCKS


def colored(text: str, entry: Entry, entries: list[Entry]) -> str:
    """Return text in the colour of the variant, if a terminal shows it: see no-color.org."""
    unwanted = os.environ.get('NO_COLOR') or os.environ.get('TERM') == 'dumb'
    if unwanted or not sys.stdout.isatty() or not text.strip():
        return text
    variants = list(dict.fromkeys(each.variant for each in entries))
    color = COLORS[variants.index(entry.variant) % len(COLORS)]
    return f'\033[{color}m{text}{RESET}'
