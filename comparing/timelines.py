"""Text that shows when requests were under way, or calls: a row for each. Nothing here prints."""

import math
import shutil
from collections.abc import Iterable, Iterator, Sequence

from comparing.entries import Entry, last_duration
from comparing.report import ASCII_BLOCKS, BLOCKS, blocks, colored
from comparing.runs import Request
from comparing.work import Call, Work
from support.console import plural

MAX_ROWS = 40
# For a call that computes or waits for a CPU, and for a result that waits
WORK_SIGNS = {BLOCKS: ('█', '░', '·'), ASCII_BLOCKS: ('#', '-', '.')}


Row = tuple[str, str]  # a label, and what stands at its right


def timelines(entries: list[Entry]) -> Iterator[str]:
    """Yield a line for each request or call of the last runs, all on one axis of time."""
    width = shutil.get_terminal_size().columns
    shown = [entry for entry in entries if entry.has_timeline]
    for entry in entries:
        if entry.is_complete and not entry.has_timeline:
            yield f'\n{entry.name}: no timeline, as nothing has told of any request or call.'
    duration = last_duration(shown)
    for entry in shown:
        run = entry.runs[-1]
        if run.work:
            title, rows = work_title(run.work), work_timeline(run.work, duration, width)
        else:
            title, rows = f'{len(run.requests)} requests', timeline(run.requests, duration, width)
        if len(run.requests) > MAX_ROWS:
            title += f', {len(binned(run.requests, MAX_ROWS)[0])} to a row'
        yield f'\n{entry.name}: {title}'
        for label, cells in rows:
            yield f'{label} {colored(cells, entry, entries)}'
    if shown:
        yield '0 s' + f'{duration:.2f} s'.rjust(width - 3)


def timeline(requests: Sequence[Request], duration: float, width: int) -> list[Row]:
    """Return a row for each request, or for several where there are too many.

    On each row stand a code and a bar from start to end; the width is that of duration.

    >>> timeline([Request('BR', 0, 1, 1), Request('CN', 1, 2, 1)], 2, 9)
    [('BR', '███'), ('CN', '   ███')]
    """
    groups = binned(sorted(requests, key=lambda request: request.start), MAX_ROWS)
    labels = [group[0].code + (f'+{len(group) - 1}' if len(group) > 1 else '') for group in groups]
    label_width = max(map(len, labels), default=0)
    cells = max(width - label_width - 1, 1)
    return [
        (f'{label:{label_width}}', covered(group, duration, cells, blocks()[-1]))
        for label, group in zip(labels, groups, strict=True)
    ]


def binned(requests: Sequence[Request], max_rows: int) -> list[Sequence[Request]]:
    """Return the requests in at most max_rows groups of neighbours, alike in size."""
    size = math.ceil(len(requests) / max_rows)
    return [requests[first : first + size] for first in range(0, len(requests), size or 1)]


def covered(requests: Iterable[Request], duration: float, cells: int, block: str) -> str:
    """Return a line with a block wherever one of the requests was under way."""
    line = [' '] * cells
    for request in requests:
        place = cells_of(request, duration, cells)
        line[place] = block * (place.stop - place.start)
    return ''.join(line).rstrip()


def cells_of(span: Request | Call, duration: float, cells: int) -> slice:
    """Return which cells of a line belong to a span, at least one."""
    first = min(int(span.start / duration * cells), cells - 1)
    end = min(max(math.ceil(span.end / duration * cells), first + 1), cells)
    return slice(first, end)


def work_title(work: Work) -> str:
    """Return a line that explains the signs on the lines below."""
    computes, waits, held = WORK_SIGNS[blocks()]
    signs = f'{computes} runs, {waits} waits for a CPU'
    if any(call.kind for call in work.calls):
        signs += f', {held} result waits for an earlier one'
    return f'{plural(len(work.lanes), work.lanes[0].split()[0])}; {signs}'


def work_timeline(work: Work, duration: float, width: int) -> list[Row]:
    """Return a row for each call, those of a worker together, beginning with its number.

    >>> calls = [Call('7', 0, 2, 0.5, lane=0), Call('7', 2, 3, 0, lane=0, kind='held')]
    >>> work_timeline(Work(['thread 1'], calls), duration=4, width=12)
    [('1 7', '█░█░··')]
    """
    held_since = {(call.code, call.start): call for call in work.calls if call.kind}
    calls = sorted(
        (call for call in work.calls if not call.kind), key=lambda call: (call.lane, call.start)
    )
    code_width = max(len(call.code) for call in calls)
    lane_width = len(str(len(work.lanes)))
    cells = max(width - lane_width - code_width - 2, 1)
    computes, waits, held = WORK_SIGNS[blocks()]
    rows = []
    for call in calls:
        line = [' '] * cells
        if later := held_since.get((call.code, call.end)):
            place = cells_of(later, duration, cells)
            line[place] = held * (place.stop - place.start)
        place = cells_of(call, duration, cells)
        line[place] = shaded(call.share, place.stop - place.start, computes, waits)
        label = f'{call.lane + 1:{lane_width}} {call.code:>{code_width}}'
        rows.append((label, ''.join(line).rstrip()))
    return rows


def shaded(share: float, cells: int, computes: str, waits: str) -> str:
    """Return so many cells, a share of which, evenly spread, is of the first kind.

    >>> shaded(0.5, 6, '#', '-')
    '#-#-#-'
    """
    steps = [math.floor(number * share + 0.5) for number in range(cells + 1)]
    return ''.join(computes if steps[i + 1] > steps[i] else waits for i in range(cells))
