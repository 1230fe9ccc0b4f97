"""The report as text: a table, notes and bars. Nothing here prints."""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence

from comparing.entries import Entry, share_of_cpus
from comparing.runs import MEASURES_MEMORY
from comparing.texts import BLOCKS, blocks, columns, fit, width_of
from support.console import plural

MEGABYTE = 1e6  # bytes
HEADS = ['script', 'min', 'median', 'time', 'max', 'speed-up', 'MB']
HEADS += ['in flight', 'limit', 'eff.', 'errors']
FIRST_TO_GO = ['MB', 'min', 'max', 'eff.', 'median', 'time']  # the bars show the last two
MOMENT = 0.1  # seconds by which the shortest runs may differ
LEAST_SHARE = 0.7  # the share of CPU time below which a note says that the machine was busy
COLORS = [34, 33, 32, 35, 36, 31]  # ANSI codes for terminals


def report(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield the lines of the table, the notes and the bars."""
    width = shutil.get_terminal_size().columns
    complete = [entry for entry in entries if entry.is_complete]
    yield from table(rows(entries), width)
    for note in notes(complete):
        yield from ['', *textwrap.wrap(note, width)]
    yield from ['', *bars(complete, width)] if complete else []


def rows(entries: Sequence[Entry]) -> list[list[str]]:
    """Return the table: a header, and a row per entry; times are in seconds."""
    is_repeated = any(len(entry.runs) > 1 for entry in entries)
    cells = [row(entry, entries[0], is_repeated) for entry in entries]
    heads = [head for head in HEADS if any(each.get(head, '0') != '0' for each in cells)]
    return [heads, *([each.get(head, '-') for head in heads] for each in cells)]


def row(entry: Entry, first: Entry, is_repeated: bool) -> dict[str, str]:
    """Return the known figures of an entry by the head of their column."""
    time = 'median' if is_repeated else 'time'
    cells = {'script': entry.name, time: 'failed', 'speed-up': entry.speed_up(first)}
    if not entry.is_complete:
        return cells
    cells |= {time: f'{entry.median:.2f}{entry.mark}', 'errors': str(entry.errors)}
    cells['MB'] = f'{entry.shown.peak_memory / MEGABYTE:.0f}'
    if is_repeated:
        cells |= {'min': f'{min(entry.elapsed):.2f}', 'max': f'{max(entry.elapsed):.2f}'}
    if entry.shown.spans and not entry.computes:
        cells['in flight'] = str(entry.in_flight)
        if entry.limit and entry.median:
            cells |= {'limit': f'{entry.limit:.2f}', 'eff.': f'{entry.limit / entry.median:.2f}'}
    return cells


def table(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return the table as lines; without room for all columns, drop the least important ones."""
    table = [[fit(cell) for cell in column] for column in zip(*rows, strict=True)]
    while len(table) > 1 and sum(map(width_of, table)) + 2 * (len(table) - 1) > width:
        heads = [column[0] for column in table]
        del table[next((heads.index(name) for name in FIRST_TO_GO if name in heads), -1)]
    names, *others = table
    cells = [padded(names), *([cell.rjust(width_of(each)) for cell in each] for each in others)]
    return ['  '.join(row).rstrip() for row in zip(*cells, strict=True)]


def padded(names: Sequence[str]) -> list[str]:
    """Return the names, padded with spaces to the same width."""
    return [name + ' ' * (width_of(names) - columns(name)) for name in names]


def notes(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield explanations of the figures of complete entries, and doubts about them."""
    if not MEASURES_MEMORY:
        yield "Memory is not shown: pip install '.[compare]' brings psutil."
    if any(entry.mark for entry in entries):
        yield '* Measured, not printed: from the first request or call to the last answer.'
    for entry in entries:
        if doubts := [run.doubt for run in entry.runs if run.doubt]:
            yield f'{entry.name} printed {doubts[0]}, so that is not its time.'
    work = [(entry.name, entry.codes) for entry in entries]
    if others := [(name, codes.total()) for name, codes in work if codes != work[0][1]]:
        first = work[0][1].total()
        told = (f'{name} ({count}{" others" * (count == first)})' for name, count in others)
        size = plural(first, 'number' if entries[0].computes else 'request')
        yield f'Not the same work as {entries[0].name} ({size}): {", ".join(told)}.'
    for entry in entries:
        if (longest := max(entry.elapsed)) > 2 * entry.median + MOMENT:
            far_off = f'A run of {entry.name} took {longest:.2f} s, far from the median'
            yield f'{far_off}: something else may have kept the machine busy.'
        computed = [run for run in entry.runs if entry.computes and run.spans]
        if (share := min(map(share_of_cpus, computed), default=1)) < LEAST_SHARE:
            yield (
                f'{entry.name} had {share:.0%} of the CPU time that its workers could use: '
                'something else kept the machine busy, so this time is unreliable.'
            )


def bars(entries: Sequence[Entry], width: int) -> Iterator[str]:
    """Yield a line per median, with a bar if there is room for it."""
    longest = max(entry.median for entry in entries)
    names = [fit(entry.name) for entry in entries]
    figures = [f'{entry.median:.2f} s{entry.mark}' for entry in entries]
    space = width - width_of(names) - width_of(figures) - 2
    names = padded(names) if space > 0 else names
    for entry, name, figure in zip(entries, names, figures, strict=True):
        line = bar(entry.median, longest, space, blocks()) if space > 0 else ''
        yield ' '.join(filter(None, [name, colored(line, entry, entries), figure]))


def bar(value: float, longest: float, width: int, blocks: str = BLOCKS) -> str:
    """Return a bar for a value; the bar of the longest one fills the width."""
    parts = len(blocks) - 1
    share = value / longest if longest else 0
    full, rest = divmod(round(share * width * parts), parts)
    return blocks[-1] * full + (blocks[rest] if rest else '') or blocks[1]


def colored(text: str, entry: Entry, entries: Sequence[Entry]) -> str:
    """Return text in the colour of the variant, if a terminal shows colours (see no-color.org)."""
    unwanted = os.environ.get('NO_COLOR') or os.environ.get('TERM') == 'dumb'
    if unwanted or not sys.stdout.isatty() or not text.strip():
        return text
    variants = list(dict.fromkeys(each.variant for each in entries))
    return f'\033[{COLORS[variants.index(entry.variant) % len(COLORS)]}m{text}\033[0m'
