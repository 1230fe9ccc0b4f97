"""What the picture of a comparison shows, in words and in lines."""

import re
from typing import Any

import pytest
from comparing.work import Call, Work

from comparing.entries import Entry
from comparing.runs import Request, Run

matplotlib = pytest.importorskip('matplotlib')
plots = pytest.importorskip('comparing.plots')

REQUESTS = [Request('BR', 1, 3, 2), Request('CN', 0, 1, 1)]
WORK = Work(['thread 1'], [Call('7', 0, 2, 0.5, 0), Call('7', 2, 3, 0, 0, 'held')])
SIGNS = 'a bar is a number; filled: share of the time in which it had a CPU'


def downloads(name: str, concurrency: int | None, *times: float, delay: float = 1) -> Entry:
    """Return an entry; one request of each run has had this delay."""
    runs = [Run(time, None, [Request('BR', 0, 6, delay)]) for time in times]
    return Entry(name, [], concurrency, runs)


@pytest.fixture
def axes() -> Any:
    """Return something to draw on."""
    return plots.Figure().add_subplot()


@pytest.mark.parametrize(
    ('run', 'title', 'event'),
    [
        (Run(4.0, None, REQUESTS), '2 requests', 'request arrived'),
        (
            Run(4.0, None, [], WORK),
            f'{SIGNS}; grey: results that wait for an earlier one',
            'number began',
        ),
    ],
    ids=['downloads', 'work'],
)
def test_words_are_times_speed_ups_and_titles(run: Run, title: str, event: str) -> None:
    run.is_printed = False
    entries = [downloads('first', None, 6.0), Entry('second', [], runs=[run])]
    with matplotlib.rc_context({'svg.fonttype': 'none'}):
        svg = plots.picture(entries, '.svg').decode()
    shown = {text.strip() for text in re.findall(r'<text[^>]*>([^<]*)', svg)}
    assert {'first', 'second', '6.00 s, 1.0x', '4.00 s*, 1.5x', f'second: {title}'} <= shown
    assert f'seconds since the first {event}' in svg


def test_bars_are_medians_with_lines_from_the_shortest_run_to_the_longest(axes: Any) -> None:
    entries = [downloads('a.py', None, 6.0, 2.0, 1.0), downloads('b.py', None, 1.0, 0.5, 3.0)]
    plots.draw_bars(axes, entries, entries[0], plots.colors_of(entries))
    assert [bar.get_width() for bar in axes.patches] == [2, 1]
    ranges = [segment[:, 0].tolist() for segment in axes.collections[0].get_segments()]
    assert ranges == [[1, 6], [0.5, 3]]


def test_scan_is_a_curve_over_the_requests_at_once_with_a_dashed_limit(axes: Any) -> None:
    measured = [(30, 1), (1, 9), (5, 3)]
    entries = [downloads(f'a.py -m {n}', n, time, delay=time / 2) for n, time in measured]
    plots.draw_scan(axes, entries, plots.colors_of(entries))
    assert [(line.get_label(), line.get_linestyle()) for line in axes.lines] == [
        ('a.py', '-'),
        ('limit for a.py', '--'),
    ]
    points = [line.get_xydata().tolist() for line in axes.lines]
    assert points == [[[1, 9], [5, 3], [30, 1]], [[1, 4.5], [5, 1.5], [30, 0.5]]]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ['1', '5', '30']


def test_timeline_has_a_bar_for_each_request_the_first_one_on_top(axes: Any) -> None:
    plots.draw_timeline(axes, Entry('flags.py', [], runs=[Run(4.0, None, REQUESTS)]), 'blue')
    assert [(bar.get_x(), bar.get_width()) for bar in axes.patches] == [(0, 1), (1, 2)]
    assert axes.yaxis_inverted()
