"""Timelines as text, with a row for each request or call. Nothing here prints."""

import math
import shutil
from collections.abc import Iterator, Sequence

from comparing.entries import Entry, longest_shown
from comparing.report import colored
from comparing.runs import Run
from comparing.spans import Span
from comparing.texts import ASCII_BLOCKS, BLOCKS, blocks
from support.console import plural

MAX_ROWS = 40  # for requests
# A request or a call that runs, a call that waits for a CPU, and a result that waits
SIGNS = {BLOCKS: ('█', '░', '·'), ASCII_BLOCKS: ('#', '-', '.')}


def timelines(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield a line for each request or call of the shown runs, all on one time axis."""
    width = shutil.get_terminal_size().columns
    complete = [entry for entry in entries if entry.is_complete]
    shown = [entry for entry in complete if entry.shown.spans]
    duration = longest_shown(shown)
    for entry in complete:
        if not entry.shown.spans:
            yield f'\n{entry.name}: no timeline, because no request or call was recorded.'
            continue
        yield f'\n{entry.name}: {title(entry)}'
        for label, line in timeline(entry.shown, duration, width, entry.computes):
            yield f'{label} {colored(line, entry, entries)}'
    if shown:
        yield '0 s' + f'{duration:.2f} s'.rjust(width - 3)


def title(entry: Entry) -> str:
    """Return a title that explains the rows of a run."""
    run = entry.shown
    if not entry.computes:
        size = math.ceil(len(run.spans) / MAX_ROWS)
        return plural(len(run.spans), 'request') + (f', {size} to a row' if size > 1 else '')
    runs, waits, held = SIGNS[blocks()]
    workers = plural(len(run.lanes), str(run.lanes[0]).split()[0])
    more = f', {held} result waits for an earlier one' if run.held else ''
    return f'{workers}; {runs} runs, {waits} waits for a CPU{more}'


def timeline(run: Run, duration: float, width: int, computes: bool) -> Iterator[tuple[str, str]]:
    """Yield a label and a line for each row; the label of a call begins with its worker."""
    order = {lane: str(number) for number, lane in enumerate(run.lanes, 1)} if computes else {}
    spans = sorted(run.spans, key=lambda span: (int(order.get(span.lane, 0)), span.start))
    size = 1 if computes else math.ceil(len(spans) / MAX_ROWS)
    groups = [spans[first : first + size] for first in range(0, len(spans), size)]
    codes = [group[0].code + f'+{len(group) - 1}' * (len(group) > 1) for group in groups]
    most = max(map(len, codes))
    digits = len(str(len(order)))
    cells = max(width - most - 1 - (digits + 1) * computes, 1)
    waits = {(wait.code, wait.start): wait for wait in run.held}
    for code, group in zip(codes, groups, strict=True):
        number = f'{order[group[0].lane]:>{digits}} ' if computes else ''
        line = [' '] * cells
        for span in group:
            for part in filter(None, [waits.get((span.code, span.end)), span]):
                first = min(int(part.start / duration * cells), cells - 1)
                end = min(max(math.ceil(part.end / duration * cells), first + 1), cells)
                line[first:end] = signs(part, end - first)
        label = number + (code.rjust(most) if computes else code.ljust(most))
        yield label, ''.join(line).rstrip()


def signs(span: Span, cells: int) -> str:
    """Return the cells of a span, filled evenly by its share of a CPU."""
    full, waits, held = SIGNS[blocks()]
    if span.kind:
        return held * cells
    steps = [math.floor(number * span.share + 0.5) for number in range(cells + 1)]
    return ''.join(full if steps[i + 1] > steps[i] else waits for i in range(cells))
