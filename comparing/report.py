"""Text that shows how runs compare: a table, notes, bars and timelines. Nothing here prints."""

import math
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence

from comparing.entries import Entry, longest_shown, share_of_cpus
from comparing.runs import MEASURES_MEMORY, Run
from comparing.spans import Span
from support.console import plural

MEGABYTE = 1e6  # bytes
FIRST_TO_GO = ['MB', 'min', 'max', 'eff.', 'median', 'time']  # bars show the last two
MAX_ROWS = 40  # of a timeline
LEAST_SHARE = 0.7  # of the time that CPUs could have given to workers
BLOCKS = ' ▏▎▍▌▋▊▉█'
ASCII_BLOCKS = ' #'
# For a request or a call that runs, a call that waits for a CPU, and a result that waits
SIGNS = {BLOCKS: ('█', '░', '·'), ASCII_BLOCKS: ('#', '-', '.')}
COLORS = [34, 33, 32, 35, 36, 31]  # of a terminal that knows ANSI's


def report(entries: Sequence[Entry], with_timelines: bool) -> Iterator[str]:
    """Yield all lines."""
    width = shutil.get_terminal_size().columns
    complete = [entry for entry in entries if entry.is_complete]
    yield from table(rows(entries), width)
    for note in notes(complete):
        yield from ['', *textwrap.wrap(note, width)]
    yield from bars(complete, width)
    if with_timelines:
        yield from timelines(complete, width)


def rows(entries: Sequence[Entry]) -> list[list[str]]:
    """Return the table: a header, and a row for each entry; times are in seconds."""
    is_repeated = any(len(entry.runs) > 1 for entry in entries)
    cells = [row(entry, entries[0], is_repeated) for entry in entries]
    usual = ['script', 'min', 'median', 'time', 'max', 'speed-up', 'MB', 'in flight', 'limit']
    heads = [name for name in [*usual, 'eff.', 'errors'] if any(name in each for each in cells)]
    return [heads, *([each.get(name, '-') for name in heads] for each in cells)]


def row(entry: Entry, first: Entry, is_repeated: bool) -> dict[str, str]:
    """Return what is known of an entry; the speed-up is that over the first of all."""
    time = 'median' if is_repeated else 'time'
    if not entry.is_complete:
        return {'script': entry.name, time: 'failed', 'speed-up': '-'}
    cells = {'script': entry.name, time: f'{entry.median:.2f}{entry.mark}'}
    if is_repeated:
        cells |= {'min': f'{min(entry.elapsed):.2f}', 'max': f'{max(entry.elapsed):.2f}'}
    cells['speed-up'] = entry.speed_up(first)
    if peak := max(run.peak_memory for run in entry.runs):
        cells['MB'] = f'{peak / MEGABYTE:.0f}'
    if entry.has_requests:
        cells['in flight'] = str(entry.in_flight)
        if entry.limit and entry.median:
            cells |= {'limit': f'{entry.limit:.2f}', 'eff.': f'{entry.limit / entry.median:.2f}'}
    if errors := max(run.errors for run in entry.runs):
        cells['errors'] = str(errors)
    return cells


def table(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return the rows in columns, the first one aligned left and the others right.

    As long as they do not fit into the width, a column that is dispensable is left out, or else
    the last one.
    """
    columns = [list(column) for column in zip(*rows, strict=True)]
    while len(columns) > 1 and sum(map(width_of, columns)) + 2 * (len(columns) - 1) > width:
        heads = [column[0] for column in columns]
        del columns[next((heads.index(name) for name in FIRST_TO_GO if name in heads), -1)]
    cells = [
        [f'{cell:{">" if number else "<"}{width_of(column)}}' for cell in column]
        for number, column in enumerate(columns)
    ]
    return ['  '.join(row).rstrip() for row in zip(*cells, strict=True)]


def width_of(column: Sequence[str]) -> int:
    """Return the width of the widest cell."""
    return max(map(len, column))


def notes(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield what to know about the figures of a table."""
    if not MEASURES_MEMORY:
        yield "Memory is not shown: pip install '.[compare]' brings psutil."
    if any(entry.mark for entry in entries):
        yield '* Not printed, but seen: from the first request or call to the last answer.'
    known = [entry for entry in entries if entry.has_timeline]
    if others := [each for each in known if each.work != known[0].work]:
        counts = ', '.join(f'{each.name} ({each.work.total()})' for each in others)
        noun = 'number' if known[0].function else 'request'
        size = plural(known[0].work.total(), noun)
        yield f'Not the same work as {known[0].name} ({size}): {counts}.'
    for entry in known:
        if entry.function and (share := share_of_cpus(entry.shown)) < LEAST_SHARE:
            yield (
                f'{entry.name} had {share:.0%} of the time of the CPUs that its workers asked for: '
                'something else kept the machine busy, so this time says little.'
            )


def bars(entries: Sequence[Entry], width: int) -> Iterator[str]:
    """Yield a line for each median, with a bar where there is room for one."""
    labels = [entry.name for entry in entries]
    figures = [f'{entry.median:.2f} s{entry.mark}' for entry in entries]
    longest = max((entry.median for entry in entries), default=0)
    space = width - width_of(['', *labels]) - width_of(['', *figures]) - 2
    for entry, figure in zip(entries, figures, strict=True):
        yield from [''] * (entry is entries[0])
        if space > 0:
            line = colored(bar(entry.median, longest, space, blocks()), entry, entries)
            yield f'{entry.name:{width_of(labels)}} {line} {figure}'
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


def colored(text: str, entry: Entry, entries: Sequence[Entry]) -> str:
    """Return text in the colour of the variant, if a terminal shows it: see no-color.org."""
    unwanted = os.environ.get('NO_COLOR') or os.environ.get('TERM') == 'dumb'
    if unwanted or not sys.stdout.isatty() or not text.strip():
        return text
    variants = list(dict.fromkeys(each.variant for each in entries))
    return f'\033[{COLORS[variants.index(entry.variant) % len(COLORS)]}m{text}\033[0m'


def timelines(entries: Sequence[Entry], width: int) -> Iterator[str]:
    """Yield a line for each request or call of the shown runs, all on one axis of time."""
    shown = [entry for entry in entries if entry.has_timeline]
    duration = longest_shown(shown)
    for entry in entries:
        if entry not in shown:
            yield f'\n{entry.name}: no timeline, as nothing has told of any request or call.'
    for entry in shown:
        run = entry.shown
        yield f'\n{entry.name}: {title(run)}'
        for label, cells in timeline(run, duration, width):
            yield f'{label} {colored(cells, entry, entries)}'
    if shown:
        yield '0 s' + f'{duration:.2f} s'.rjust(width - 3)


def title(run: Run) -> str:
    """Return what is to be seen on the rows of a run."""
    if not run.computes:
        more = f', {size_of_rows(run)} to a row' if size_of_rows(run) > 1 else ''
        return f'{plural(len(run.work), "request")}{more}'
    runs, waits, held = SIGNS[blocks()]
    kind = str(run.work[0].lane).split()[0]
    workers = plural(len({span.lane for span in run.work}), kind)
    return (
        f'{workers}; {runs} runs, {waits} waits for a CPU, {held} result waits for an earlier one'
    )


def size_of_rows(run: Run) -> int:
    """Return how many requests share a row of a timeline; a call has one."""
    return 1 if run.computes else math.ceil(len(run.work) / MAX_ROWS)


def timeline(run: Run, duration: float, width: int) -> list[tuple[str, str]]:
    """Return a label and a line for each request, or for several where there are too many.

    Calls have a line each, those of a worker together, beginning with its number.

    >>> spans = [Span('7', 0, 2, 'thread 1', share=0.5), Span('7', 2, 3, 'thread 1', kind='held')]
    >>> timeline(Run(spans=spans, computes=True), duration=4, width=12)
    [('1 7', '█░█░··')]
    """
    held = {(span.code, span.start): span for span in run.spans if span.kind}
    lanes = list(dict.fromkeys(span.lane for span in run.work)) if run.computes else []
    order = {lane: number for number, lane in enumerate(lanes, 1)}
    spans = sorted(run.work, key=lambda span: (order.get(span.lane, 0), span.start))
    size = size_of_rows(run)
    groups = [spans[first : first + size] for first in range(0, len(spans), size)]
    numbers = [f'{order[group[0].lane]} ' if order else '' for group in groups]
    codes = [group[0].code + f'+{len(group) - 1}' * (len(group) > 1) for group in groups]
    labels = [
        number.rjust(width_of(numbers)) + code.rjust(width_of(codes) if order else 0)
        for number, code in zip(numbers, codes, strict=True)
    ]
    cells = max(width - width_of(labels) - 1, 1)
    lines = []
    for label, group in zip(labels, groups, strict=True):
        line = [' '] * cells
        for span in group:
            for part in filter(None, [held.get((span.code, span.end)), span]):
                first = min(int(part.start / duration * cells), cells - 1)
                end = min(max(math.ceil(part.end / duration * cells), first + 1), cells)
                line[first:end] = signs(part, end - first)
        lines.append((label.ljust(width_of(labels)), ''.join(line).rstrip()))
    return lines


def signs(span: Span, cells: int) -> str:
    """Return so many cells, of which as many as its share of a CPU, evenly spread, are full."""
    full, waits, held = SIGNS[blocks()]
    if span.kind:
        return held * cells
    steps = [math.floor(number * span.share + 0.5) for number in range(cells + 1)]
    return ''.join(full if steps[i + 1] > steps[i] else waits for i in range(cells))
