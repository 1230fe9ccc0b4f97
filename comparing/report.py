"""Text that shows how runs compare: a table and bars. Nothing here prints."""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence

from comparing.conclusions import notes
from comparing.entries import Entry

MEGABYTE = 1e6  # bytes
FIRST_TO_GO = ['MB', 'min', 'max', 'eff.', 'median', 'time']  # bars show the last two
BLOCKS = ' ▏▎▍▌▋▊▉█'
ASCII_BLOCKS = ' #'
COLORS = [34, 33, 32, 35, 36, 31]  # of a terminal that knows ANSI's
RESET = '\033[0m'


def report(entries: list[Entry]) -> Iterator[str]:
    """Yield the lines of a table and of bars."""
    width = shutil.get_terminal_size().columns
    complete = [entry for entry in entries if entry.is_complete]
    yield from table(rows(entries), width)
    for note in notes(entries):
        yield from ['', *textwrap.wrap(note, width)]
    if complete:
        yield ''
    yield from bars(complete, width)


def rows(entries: list[Entry]) -> list[list[str]]:
    """Return the table: a header, and a row for each entry."""
    head = header(entries)
    cells = [row(entry, entries) for entry in entries]
    return [head, *([each.get(name, '-') for name in head] for each in cells)]


def header(entries: list[Entry]) -> list[str]:
    """Return the heads of the table's columns; times are in seconds."""
    is_repeated = any(len(entry.runs) > 1 for entry in entries)
    columns = ['script', *(['min', 'median', 'max'] if is_repeated else ['time']), 'speed-up']
    if any(entry.peak_memory for entry in entries):
        columns += ['MB']
    if any(entry.has_requests for entry in entries):
        columns += ['in flight', 'limit', 'eff.']
    if any(entry.errors for entry in entries):
        columns += ['errors']
    return columns


def row(entry: Entry, entries: list[Entry]) -> dict[str, str]:
    """Return what is known of an entry; the speed-up is that over the first of all."""
    cells = {'script': entry.name}
    if not entry.is_complete:
        return cells | {'median': 'failed', 'time': 'failed'}
    times = {'min': min(entry.elapsed), 'median': entry.median, 'max': max(entry.elapsed)}
    cells |= {name: f'{seconds:.2f}' for name, seconds in times.items()}
    cells['median'] += entry.mark
    cells |= {'time': cells['median'], 'speed-up': entry.speed_up(entries[0])}
    if entry.peak_memory:
        cells |= {'MB': f'{entry.peak_memory / MEGABYTE:.0f}'}
    if entry.has_requests:
        cells |= {'in flight': str(entry.in_flight)}
        if entry.limit and entry.median:
            cells |= {'limit': f'{entry.limit:.2f}', 'eff.': f'{entry.limit / entry.median:.2f}'}
    return cells | {'errors': str(entry.errors)}


def table(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return the rows in columns, the first one aligned left and the others right.

    As long as they do not fit into the width, a column that is dispensable is left out, or else
    the last one.
    """
    columns = [list(column) for column in zip(*rows, strict=True)]
    while len(columns) > 1 and sum(map(width_of, columns)) + 2 * (len(columns) - 1) > width:
        heads = [column[0] for column in columns]
        to_go = next((heads.index(name) for name in FIRST_TO_GO if name in heads), -1)
        del columns[to_go]
    cells = [
        [f'{cell:{">" if number else "<"}{width_of(column)}}' for cell in column]
        for number, column in enumerate(columns)
    ]
    return ['  '.join(row).rstrip() for row in zip(*cells, strict=True)]


def width_of(column: Sequence[str]) -> int:
    """Return the width of the widest cell."""
    return max(map(len, column))


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows as a table in Markdown, the first one being the header."""
    header, *body = rows
    rule = ['---', *['---:'] * (len(header) - 1)]
    cells = ([cell.replace('|', r'\|') for cell in row] for row in (header, rule, *body))
    return ''.join(f'| {" | ".join(row)} |\n' for row in cells)


def bars(entries: list[Entry], width: int) -> Iterator[str]:
    """Yield a line for each median, with a bar where there is room for one."""
    longest = max((entry.median for entry in entries), default=0)
    label_width = max((len(entry.name) for entry in entries), default=0)
    figures = [f'{entry.median:.2f} s{entry.mark}' for entry in entries]
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


def blocks() -> str:
    """Return the characters to draw with that standard output can take."""
    try:
        BLOCKS.encode(sys.stdout.encoding or 'utf-8')  # a StringIO takes all
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
