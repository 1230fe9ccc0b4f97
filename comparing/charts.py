"""Text and numbers that show how runs compare: nothing here prints, waits or measures."""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

BLOCKS = ' ▏▎▍▌▋▊▉█'
ASCII_BLOCKS = ' #'


class Request(NamedTuple):
    """What a server has logged of one request, in seconds from the first one of its run."""

    code: str
    start: float
    end: float
    delay: float


def most_in_flight(requests: Iterable[Request]) -> int:
    """Return how many requests were under way at once, at the most."""
    begins_and_ends = [step for each in requests for step in ((each.end, -1), (each.start, 1))]
    in_flight = itertools.accumulate(step for _, step in sorted(begins_and_ends))
    return max(in_flight, default=0)


def limit(delays: Sequence[float], concurrency: int) -> float:
    """Return the least time in which so many workers can wait for the delays, in seconds.

    >>> limit([1, 1, 4], concurrency=2)
    4
    """
    return max(max(delays), sum(delays) / concurrency)


def bar(value: float, longest: float, width: int, blocks: str = BLOCKS) -> str:
    """Return a bar that would fill the width if value were the longest one.

    >>> bar(2.5, 10, 8, ASCII_BLOCKS)
    '##'
    """
    parts = len(blocks) - 1
    full, rest = divmod(round(value / longest * width * parts), parts)
    return blocks[-1] * full + (blocks[rest] if rest else '') or blocks[1]


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
