"""What the picture of a comparison shows, in words and in lines."""

import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from comparisons import PNG

from comparing.entries import Entry
from comparing.runs import Run
from comparing.spans import Span

matplotlib = pytest.importorskip('matplotlib')
plots = pytest.importorskip('comparing.plots')

REQUESTS = Run(4.0, spans=[Span('BR', 1, 3, 1, delay=2), Span('CN', 0, 1, 1, delay=1)])
CALL = Span('7', 0, 2, 'thread 1', share=0.5)
WORK = Run(4.0, spans=[CALL], held=[replace(CALL, start=2, end=3, kind='held')])
SIGNS = 'filled: share of a CPU; grey: result waits for an earlier one'


def downloads(name: str, concurrency: int | None, *times: float, delay: float = 1) -> Entry:
    """Return an entry; one request of each run has had this delay."""
    runs = [Run(time, spans=[Span('BR', 0, 6, 1, delay)]) for time in times]
    return Entry(name, [], concurrency, runs=runs)


def words_of(entries: list[Entry]) -> set[str]:
    """Return the texts of a picture, which are texts there, too, for this once."""
    svg = plots.picture(entries, '.svg').decode()
    return {text.strip() for text in re.findall(r'<!-- (.*?) -->', svg)}


@pytest.fixture
def axes() -> Any:
    """Return something to draw on."""
    return plots.Figure().add_subplot()


@pytest.mark.parametrize(
    ('run', 'title'),
    [(REQUESTS, '2 requests'), (WORK, f'1 number; {SIGNS}')],
    ids=['downloads', 'work'],
)
def test_words_are_times_speed_ups_and_titles(run: Run, title: str) -> None:
    seen = replace(run, is_printed=False)
    second = Entry('second', [], computes=run is WORK, runs=[seen])
    shown = words_of([downloads('first', None, 6.0), second])
    assert {'first', 'second', '6.00 s, 1.0×', '4.00 s*, 1.5×', f'second: {title}'} <= shown


@pytest.mark.parametrize(
    'name', ['$$', '$a_b$ $', '_x.py', r'\frac{', 'スレッド\ue000.py', '', '%&#']
)
@pytest.mark.parametrize('suffix', ['.png', '.svg'])
def test_names_are_plain_text_whatever_a_matplotlibrc_says(name: str, suffix: str) -> None:
    """Nor is there a warning, such as one of missing glyphs."""
    entries = [downloads(f'{name} -m {n}', n, 2.0) for n in (1, 5)]
    with warnings.catch_warnings(action='error'), matplotlib.rc_context({'text.usetex': True}):
        drawn = plots.picture(entries, suffix)
        assert matplotlib.rcParams['text.usetex']
    assert drawn.startswith(PNG if suffix == '.png' else b'<?xml')
    if suffix == '.svg' and name.isascii():
        svg = drawn.decode().replace('&amp;', '&')
        assert f'<!-- {name} -m 5 -->' in svg
        assert f'<!--  {name} -->' in svg  # in the legend


def test_bars_are_medians_with_lines_from_the_shortest_run_to_the_longest(axes: Any) -> None:
    entries = [downloads('a.py', None, 6.0, 2.0, 1.0), downloads('b.py', None, 1.0, 0.5, 3.0)]
    plots.draw_bars(axes, entries, entries[0], dict.fromkeys(['a.py', 'b.py'], 'blue'))
    assert [bar.get_width() for bar in axes.patches] == [2, 1]
    ranges = [segment[:, 0].tolist() for segment in axes.collections[0].get_segments()]
    assert ranges == [[1, 6], [0.5, 3]]


def test_scan_is_a_curve_over_the_requests_at_once_with_a_dashed_limit(axes: Any) -> None:
    measured = [(30, 1), (1, 9), (5, 3)]
    entries = [downloads(f'a.py -m {n}', n, time, delay=time / 2) for n, time in measured]
    plots.draw_scan(axes, entries, {'a.py': 'blue'})
    assert [(line.get_label(), line.get_linestyle()) for line in axes.lines] == [
        (' a.py', '-'),
        (' limit for a.py', '--'),
    ]
    points = [line.get_xydata().tolist() for line in axes.lines]
    assert points == [[[1, 9], [5, 3], [30, 1]], [[1, 4.5], [5, 1.5], [30, 0.5]]]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ['1', '5', '30']


def test_timeline_has_a_bar_for_each_request_the_first_one_on_top(axes: Any) -> None:
    plots.draw_timeline(axes, Entry('flags.py', [], runs=[REQUESTS]), 'blue')
    assert [(bar.get_x(), bar.get_width()) for bar in axes.patches[:2]] == [(0, 1), (1, 2)]
    assert axes.yaxis_inverted()


def test_bar_of_a_call_is_as_full_as_it_had_a_cpu_and_its_result_waits_behind_it(axes: Any) -> None:
    plots.draw_timeline(axes, Entry('p.py', [], computes=True, runs=[WORK]), 'blue')
    bars = [(bar.get_x(), bar.get_width(), round(bar.get_height(), 2)) for bar in axes.patches]
    assert bars == [(0, 2, 0.8), (2, 1, 0.2), (0, 2, 0.4), (2, 1, 0.2)]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ['thread 1']


def test_matplotlibrc_of_the_folder_has_no_say(run_script: Any) -> None:
    Path('matplotlibrc').write_text('text.usetex: True\nbackend: TkAgg\n', 'utf-8')
    options = ['--scan', 1, 2, '-n', 1, '--delay', 0, 0.01, '--plot', 'p.svg', '--name', '$x$']
    run = run_script('compare.py', 'flags2', 'br', 'flags2_asyncio.py', *options)
    assert (run.returncode, run.stderr) == (0, '')
