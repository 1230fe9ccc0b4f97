"""Layouts of tables and bars, as facts and as invariants."""

import base64
import io
import os
import re

import pytest
from comparing.conclusions import busy_note, conclusion, notes
from comparing.timelines import MAX_ROWS, binned, shaded, timeline, timelines
from comparing.work import Call, Work
from conftest import flag, needs_posix
from hypothesis import given
from hypothesis import strategies as st

from comparing.entries import Entry
from comparing.page import page_data
from comparing.report import (
    ASCII_BLOCKS,
    bar,
    bars,
    colored,
    markdown,
    report,
    rows,
    table,
)
from comparing.runs import Request, Run, RunError, content, limit, memory, most_in_flight, run_of

seconds = st.floats(0, 100)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Draw a request that takes at least as long as its delay."""
    start, delay, more = draw(seconds), draw(seconds), draw(st.floats(0.01, 1))
    return Request('BR', start, start + delay + more, delay)


some_requests = st.lists(requests(), min_size=1, max_size=60)


def test_bar_is_a_share_of_the_width_in_eighths_or_number_signs() -> None:
    assert bar(7, 7, 10) == '█' * 10
    assert bar(3, 8, 1) == '▍'
    assert bar(12, 16, 2) == '█▌'
    assert bar(1, 2, 10, ASCII_BLOCKS) == '#####'


def test_many_requests_share_rows() -> None:
    many = [Request('AD', start, start + 1, 1) for start in range(2 * MAX_ROWS - 1)]
    timelines = timeline(many, 2 * MAX_ROWS, 5 + MAX_ROWS)
    assert timelines[0] == ('AD+1', '█')
    assert timelines[-1] == ('AD  ', (MAX_ROWS - 1) * ' ' + '█')


@given(st.floats(0, 1), st.integers(1, 200))
def test_as_many_cells_are_filled_as_the_share_says(share: float, cells: int) -> None:
    line = shaded(share, cells, '#', '-')
    assert len(line) == cells
    assert abs(line.count('#') - share * cells) <= 0.5


@given(some_requests, st.integers(1, 50))
def test_bins_keep_all_requests_in_order(many: list[Request], max_rows: int) -> None:
    assert [request for group in binned(many, max_rows) for request in group] == many


def test_requests_are_in_flight_together_if_they_overlap() -> None:
    """One that takes no time by a coarse clock was in flight, too."""
    assert most_in_flight([]) == 0
    assert most_in_flight([Request('BR', 0, 1, 1), Request('CN', 1, 2, 1)]) == 1
    assert most_in_flight([Request('BR', 0, 0, 0.001)] * 3) == 1


def test_limit_is_the_longest_delay_or_the_shared_sum() -> None:
    assert limit([1, 1, 4], concurrency=3) == 4
    assert limit([1, 1, 4], concurrency=1) == 6


@given(some_requests)
def test_nothing_is_faster_than_the_limit(many: list[Request]) -> None:
    elapsed = max(request.end for request in many) - min(request.start for request in many)
    delays = [request.delay for request in many]
    assert limit(delays, most_in_flight(many)) <= elapsed * 1.000001


def entry(name: str = 'flags.py', times: tuple[float, ...] = (2.0,), errors: int = 0) -> Entry:
    """Return a script that has been run, with two requests one after the other."""
    requests = [Request('BR', 0, 1, 1), Request('CN', 1, 2, 1)]
    return Entry(name, [], runs=[Run(time, 10**8, requests, errors=errors) for time in times])


def test_what_tells_least_leaves_first_as_a_terminal_gets_narrower() -> None:
    everything = rows([entry(times=(2.0, 4.0))])
    left = list(everything[0])
    gone = []
    for width in range(80, 0, -1):
        lines = table(everything, width)
        heads = re.split('  +', lines[0])
        gone += [name for name in left if name not in heads]
        left = heads
        assert left == ['script'] or max(map(len, lines)) <= width
    assert gone == ['MB', 'min', 'max', 'eff.', 'median', 'limit', 'in flight', 'speed-up']


def test_one_run_has_one_time() -> None:
    assert rows([entry()])[0][:3] == ['script', 'time', 'speed-up']
    assert rows([entry()])[1][:3] == ['flags.py', '2.00', '1.0x']


def test_row_has_the_median_of_times_and_limits_and_the_most_of_the_rest() -> None:
    facts = [(6.0, 1, 3.0, 0), (1.0, 3, 0.25, 5), (2.0, 2, 0.5, 1)]
    runs = [
        Run(time, 10**6 * at_once, [Request('BR', 0, 5, delay)] * at_once, errors=errors)
        for time, at_once, delay, errors in facts
    ]
    head, _, cells = rows([entry(times=(3.0,)), Entry('flags_asyncio.py', [], runs=runs)])
    assert dict(zip(head, cells, strict=True)) == {
        'script': 'flags_asyncio.py',
        'min': '1.00',
        'median': '2.00',
        'max': '6.00',
        'speed-up': '1.5x',
        'MB': '3',
        'in flight': '3',
        'limit': '0.50',
        'eff.': '0.25',
        'errors': '5',
    }


def test_errors_have_a_column_where_there_are_some() -> None:
    assert 'errors' not in rows([entry()])[0]
    table = rows([entry(), entry(times=(2.0, 2.0), errors=3)])
    assert [row[-1] for row in table] == ['errors', '0', '3']


def test_entry_that_has_failed_takes_no_part() -> None:
    failed = entry('flags_asyncio.py')
    failed.failure = 'exit status 1'
    table = rows([entry(), failed])
    assert table[2] == ['flags_asyncio.py', 'failed', *['-'] * (len(table[0]) - 2)]
    assert [line.split()[0] for line in list(report([entry(), failed]))[4:]] == ['flags.py']


def test_busy_machine_is_told() -> None:
    assert busy_note(2.0, 2) == ''
    assert busy_note(2.6, 2).startswith('The machine was busy before this began (load 2.6, 2 CPUs)')


@pytest.mark.parametrize(
    ('times', 'shown', 'concluded'),
    [
        ((2.0,), '3.0x', ''),
        ((2.0, 2.2), '2.9x', ''),
        ((1.8, 2.0, 2.2), '3.0±.4x', 'b.py is 3.0 ± .4 times as fast as a.py.'),
        ((5.95, 6.0, 6.1), '1.0±.1x', 'These runs do not tell whether a.py or b.py is faster.'),
        ((60.0, 60.0, 60.0), '0.10±.01x', 'a.py is 10.0 ± .8 times as fast as b.py.'),
    ],
)
def test_three_runs_show_how_sure_a_speed_up_is(
    times: tuple[float, ...], shown: str, concluded: str
) -> None:
    """6 s ± .5 s by 2 s ± .2 s is 3 ± .39."""
    entries = [entry('a.py', (5.5, 6.0, 6.5)), entry('b.py', times)]
    assert entries[1].speed_up(entries[0]) == shown
    assert conclusion(entries) == concluded


def test_conclusion_is_about_the_first_row_or_the_next_best() -> None:
    times = {'a.py': (2.0, 2.0, 2.0), 'b.py': (8.0, 8.0, 8.0), 'c.py': (4.0, 4.0, 4.0)}
    entries = [entry(name, seconds) for name, seconds in times.items()]
    assert conclusion(entries) == 'a.py is 2.0 times as fast as c.py.'
    assert conclusion(entries[::-1]) == 'a.py is 2.0 times as fast as c.py.'
    assert conclusion([entries[1], *entries]) == 'a.py is 4.0 times as fast as b.py.'
    assert conclusion(entries[:1]) == ''


@pytest.mark.parametrize(
    ('times', 'doubted'),
    [((2.0, 2.0, 2.07), []), ((2.0, 2.0, 2.08), ['2.08']), ((1.0, 2.0, 3.0, 4.0, 40.0), ['40.00'])],
)
def test_run_far_from_the_others_of_its_row_is_doubted(
    times: tuple[float, ...], doubted: list[str]
) -> None:
    told = [
        re.match(r'A run of flags.py took (\S+) s, far', note)
        for note in notes([entry(times=times)])
    ]
    assert [found and found[1] for found in told] == doubted


@pytest.mark.parametrize(
    ('lane', 'shares', 'doubted'),
    [
        ('process', (0.9, 0.9, 0), None),
        ('process', (0.6, 0.6, 0), '60%'),
        ('process', (0.5, 0.5, 0.5), None),
        ('thread', (0.5, 0.5, 0), None),
        ('thread', (0.3, 0.3, 0), '60%'),
    ],
)
def test_workers_without_a_cpu_are_doubted_unless_they_are_more_than_can_run(
    lane: str, shares: tuple[float, ...], doubted: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two CPUs, one of which can run threads of Python; the last worker alone has no doubt."""
    monkeypatch.setattr('comparing.conclusions.cpu_count', lambda: 2)
    calls = [Call('7', 0, 4 if share else 0, share, 0) for share in shares]
    computed = Entry('primes.py', [], runs=[Run(9.0, None, [], Work([f'{lane} 1'], calls))])
    told = [re.match(r'primes.py had (\d+%) of the time', note) for note in notes([computed])]
    assert [found and found[1] for found in told] == ([doubted] if doubted else [])


@pytest.mark.parametrize(
    ('codes', 'told'),
    [
        (['BR', 'CN'], []),
        (['BR', 'BR'], ['Not the same work as a.py (2 requests): b.py (2 others).']),
        ([], ['Not the same work as a.py (2 requests): b.py (0).']),
    ],
)
def test_other_work_than_that_of_the_first_is_told(codes: list[str], told: list[str]) -> None:
    other = Entry('b.py', [], runs=[Run(1.0, None, [Request(code, 0, 1, 1) for code in codes])])
    assert list(notes([entry('a.py'), other])) == told


def test_bars_are_no_part_of_what_a_script_tells() -> None:
    told = b'  0%|    | 0/2\r 50%|##  | 1/2 [00:01<00:01]\r\nflags2_asyncio.py: BR: timed out\r\n'
    assert content(io.BytesIO(told)) == 'flags2_asyncio.py: BR: timed out\n'
    assert content(io.BytesIO(10**6 * b'1')) == 10**6 * '1'  # without ado


def reported(*lines: str) -> str:
    """Return what a script of the flags2 series prints at the end."""
    return '\n'.join(['LOCAL site: http://localhost/flags', *lines, 'Elapsed time: 1.50s', ''])


def test_run_counts_if_some_flags_were_downloaded() -> None:
    run = run_of(reported('3 flags downloaded.', '2 not found.'), '', 0)
    assert (run.elapsed, run.errors, run.first_error) == (1.5, 0, '')
    errors = 'flags2_asyncio.py: BR: HTTP error 418\n'
    run = run_of(reported('3 flags downloaded.', '2 errors.'), errors, 1)
    assert (run.elapsed, run.errors, run.first_error) == (1.5, 2, 'BR: HTTP error 418')


@pytest.mark.parametrize(
    ('lines', 'status', 'why'),
    [
        (['0 flags downloaded.', '5 errors.'], 1, 'nothing was downloaded'),
        (['0 flags downloaded.', '5 not found.'], 0, 'nothing was downloaded'),
        (['0 flags downloaded.', '5 not found.'], 1, 'exit status 1'),
        (['3 flags downloaded.', '1 cancelled.'], 0, '1 cancelled'),
        (['3 flags downloaded.'], 1, 'exit status 1'),
        (['3 flags downloaded.'], -15, 'ended by SIGTERM'),
        (['3 flags downloaded.', '1 error.'], -2, 'ended by SIGINT'),
    ],
)
def test_run_fails_if_it_did_not_do_its_work(lines: list[str], status: int, why: str) -> None:
    with pytest.raises(RunError, match=rf'\({why}\)$'):
        run_of(reported(*lines), '', status)


@needs_posix
@pytest.mark.parametrize(
    ('name', 'value', 'shown'),
    [('TERM', 'xterm', '\x1b[34m█\x1b[0m'), ('NO_COLOR', '1', '█'), ('TERM', 'dumb', '█')],
)
def test_terminal_gets_colour_unless_none_is_wanted(
    name: str, value: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pty  # which Windows does not have

    monkeypatch.setenv('TERM', 'xterm')
    monkeypatch.setenv(name, value)
    controller, terminal = pty.openpty()
    with os.fdopen(terminal, 'w', encoding='utf-8') as stdout:
        monkeypatch.setattr('sys.stdout', stdout)
        assert colored('█', entry(), [entry()]) == shown
        monkeypatch.undo()
    os.close(controller)


def test_markdown_aligns_numbers_right() -> None:
    assert markdown([['script', 'min'], ['flags.py', '7.1']]) == (
        '| script | min |\n| --- | ---: |\n| flags.py | 7.1 |\n'
    )


def test_times_that_round_to_nothing_have_no_speed_up() -> None:
    quick = Entry('flags.py', [], runs=[Run(0.0, None, [Request('BR', 0, 0.001, 0.0005)])])
    cells = ['flags.py', '0.00', '-', '1', '-', '-']
    assert rows([quick])[1] == cells
    assert list(bars([quick], 30)) == ['flags.py ▏ 0.00 s']


def test_memory_that_the_system_does_not_tell_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_process: object) -> None:
        raise OSError(22, 'The parameter is incorrect')  # as Windows may

    monkeypatch.setattr('psutil.Process.memory_info', refuse)
    assert memory(os.getpid()) == 0


@pytest.mark.parametrize(('count', 'pictured'), [(60, 59), (61, 0)])
def test_page_has_the_flags_of_a_run_with_room_for_them(count: int, pictured: int) -> None:
    requests = [*[Request('BR', 0, 1, 1)] * (count - 1), Request('CN', 0, 1, 1, status=404)]
    (data,) = page_data([Entry('flags.py', [], runs=[Run(1.0, None, requests)])])
    picture = f'data:image/gif;base64,{base64.b64encode(flag("BR")).decode()}'
    pictures = [picture] * pictured + [None] * (count - pictured)
    assert [request.get('picture') for request in data['requests']] == pictures


def test_page_has_the_times_and_speed_ups_of_the_table() -> None:
    entries = [entry('a.py', (4.0, 6.0, 9.0)), entry('b.py', (1.0, 2.0, 3.0))]
    told = [(f'{each["elapsed"]:.2f}', each['speed_up']) for each in page_data(entries)]
    head, *cells = rows(entries)
    assert told == [(row[head.index('median')], row[head.index('speed-up')]) for row in cells]


@pytest.mark.parametrize('columns', [1, 2, 3, 20])
def test_very_narrow_terminal_gets_figures_and_timelines(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('COLUMNS', str(columns))
    lines = [*report([entry()]), *timelines([entry()])]
    assert 'flags.py 2.00 s' in [re.sub(' █+', '', line) for line in lines]
    assert any(re.fullmatch('BR +█.*', line) for line in lines)
    assert re.fullmatch(r'0 s *2\.00 s', lines[-1])
