"""Layouts of tables and bars, as facts and as invariants."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from comparing.report import (
    ASCII_BLOCKS,
    BLOCKS,
    bar,
    bars,
    binned,
    markdown,
    report,
    rows,
    table,
    timeline,
)
from comparing.runs import Entry, Request, Run, limit, most_in_flight

seconds = st.floats(0, 100)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Draw a request that takes at least as long as its delay."""
    start, delay, more = draw(seconds), draw(seconds), draw(st.floats(0.01, 1))
    return Request('BR', start, start + delay + more, delay)


some_requests = st.lists(requests(), min_size=1, max_size=60)


def test_bar_of_the_longest_fills_the_width() -> None:
    assert bar(7, 7, 10) == '█' * 10


def test_bar_shows_eighths() -> None:
    assert bar(3, 8, 1) == '▍'
    assert bar(12, 16, 2) == '█▌'


def test_bar_without_blocks_is_made_of_number_signs() -> None:
    assert bar(1, 2, 10, ASCII_BLOCKS) == '#####'


@given(st.floats(0, 1e6), st.floats(0.001, 1e6), st.integers(1, 300))
def test_bar_is_never_empty_nor_wider_than_its_width(
    value: float, longest: float, width: int
) -> None:
    assume(value <= longest)
    for blocks in (BLOCKS, ASCII_BLOCKS):
        assert 1 <= len(bar(value, longest, width, blocks)) <= width


@given(st.floats(0, 100), st.floats(0, 100), st.integers(1, 300))
def test_longer_values_have_longer_bars(value: float, other: float, width: int) -> None:
    short, long = sorted([value, other])
    assert len(bar(short, 100, width)) <= len(bar(long, 100, width))


def test_staircase_and_wall() -> None:
    one_by_one = [Request('BR', 0, 2, 2), Request('CN', 2, 4, 2)]
    at_once = [Request('BR', 0, 2, 2), Request('CN', 0, 3, 3)]
    assert timeline(one_by_one, 4, 11, 9) == ['BR ████', 'CN     ████']
    assert timeline(at_once, 4, 11, 9) == ['BR ████', 'CN ██████']


def test_many_requests_share_rows() -> None:
    many = [Request(cc, start, start + 1, 1) for start, cc in enumerate(['AD', 'AE', 'AF'])]
    assert timeline(many, 4, 9, 2) == ['AD+1 ██', 'AF     █']
    assert timeline(many, 4, 13, 2) == ['AD+1 ████', 'AF       ██']


@given(some_requests, st.integers(1, 200), st.integers(1, 50))
def test_timeline_keeps_to_its_width_and_rows(
    many: list[Request], width: int, max_rows: int
) -> None:
    duration = max(request.end for request in many)
    rows = timeline(many, duration, width, max_rows)
    label_width = max(len(row.partition(' ')[0]) for row in rows)
    assert len(rows) <= max_rows
    assert all(len(row) <= max(width, label_width + 2) for row in rows)
    assert all(set(row[label_width:]) == {' ', '█'} for row in rows)


@given(some_requests, st.integers(1, 50))
def test_bins_keep_all_requests_in_order(many: list[Request], max_rows: int) -> None:
    assert [request for group in binned(many, max_rows) for request in group] == many


def test_no_requests_make_no_rows() -> None:
    assert timeline([], 1, 80, 40) == []
    assert most_in_flight([]) == 0


def test_requests_that_follow_each_other_are_not_in_flight_together() -> None:
    assert most_in_flight([Request('BR', 0, 1, 1), Request('CN', 1, 2, 1)]) == 1


def test_limit_is_the_longest_delay_or_the_shared_sum() -> None:
    assert limit([1, 1, 4], concurrency=3) == 4
    assert limit([1, 1, 4], concurrency=1) == 6


@given(some_requests)
def test_nothing_is_faster_than_the_limit(many: list[Request]) -> None:
    elapsed = max(request.end for request in many) - min(request.start for request in many)
    delays = [request.delay for request in many]
    assert limit(delays, most_in_flight(many)) <= elapsed * 1.000001


def test_table_aligns_and_drops_columns_that_do_not_fit() -> None:
    rows = [['script', 'min', 'max'], ['flags.py', '7.1', '12.2']]
    assert table(rows, 80) == ['script    min   max', 'flags.py  7.1  12.2']
    assert table(rows, 14) == ['script    min', 'flags.py  7.1']
    assert table(rows, 1) == ['script', 'flags.py']


def test_markdown_aligns_numbers_right() -> None:
    assert markdown([['script', 'min'], ['flags.py', '7.1']]) == (
        '| script | min |\n| --- | ---: |\n| flags.py | 7.1 |\n'
    )


def test_times_that_round_to_nothing_have_no_speed_up() -> None:
    entry = Entry('flags.py', [], runs=[Run(0.0, None, [Request('BR', 0, 0.001, 0.0005)])])
    cells = ['flags.py', '0.00', '0.00', '0.00', '-', '-', '1', '-', '-']
    assert rows([entry])[1] == cells
    assert list(bars([entry], 30)) == ['flags.py ▏ 0.00 s']


@pytest.mark.parametrize('columns', [1, 2, 3, 20])
def test_very_narrow_terminal_gets_figures_and_timelines(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('COLUMNS', str(columns))
    requests = [Request('BR', 0, 1, 1), Request('CN', 1, 2, 1)]
    entries = [Entry('flags.py', [], runs=[Run(2.0, 10**8, requests)])]
    lines = list(report(entries, with_timeline=True))
    assert 'flags.py 2.00 s' in [re.sub(' █+', '', line) for line in lines]
    assert any(re.fullmatch('BR +█.*', line) for line in lines)
    assert re.fullmatch(r'0 s *2\.00 s', lines[-1])
