"""Layouts of tables and bars, as facts and as invariants."""

import base64
import io
import os
import re
from dataclasses import replace

import pytest
from conftest import flag, needs_posix
from hypothesis import given
from hypothesis import strategies as st

from comparing.entries import Entry
from comparing.files import csv_table, markdown, page_data
from comparing.printed import RunError, content, count_errors, time_of
from comparing.report import bars, colored, notes, report, rows, table
from comparing.runs import Run
from comparing.spans import Span, most_in_flight
from comparing.texts import columns, fit, shortened
from comparing.timelines import signs, timeline, timelines

BR, CN = Span('BR', 0, 1, 1, delay=1), Span('CN', 1, 2, 1, delay=1)
CALL = Span('7', 0, 2, 'thread 1', share=0.5)
WAIT = Span('7', 2, 3, 'thread 1', kind='held')

seconds = st.floats(0, 100)


@st.composite
def requests(draw: st.DrawFn) -> Span:
    """Draw a request that takes at least as long as its delay."""
    start, delay, more = draw(seconds), draw(seconds), draw(st.floats(0.01, 1))
    return Span('BR', start, start + delay + more, 1, delay)


some_requests = st.lists(requests(), min_size=1, max_size=60)


def entry(name: str = 'flags.py', times: tuple[float, ...] = (2.0,), errors: int = 0) -> Entry:
    """Return a script that has been run, with two requests one after the other."""
    return Entry(name, [], runs=[Run(time, 10**8, [BR, CN], errors=errors) for time in times])


def test_bar_of_the_longest_fills_the_width_and_others_are_shares_in_eighths() -> None:
    compared = [entry('a.py', (8.0,)), entry('b.py', (1.5,))]
    assert list(bars(compared, 20)) == ['a.py ████████ 8.00 s', 'b.py █▌ 1.50 s']


def test_forty_rows_are_the_most_and_then_requests_share_them() -> None:
    many = [Span('AD', start, start + 1, 1) for start in range(79)]
    lines = list(timeline(Run(spans=many), 80, 45, computes=False))
    assert (lines[0], lines[-1]) == (('AD+1', '█'), ('AD  ', 39 * ' ' + '█'))
    assert len(lines) == 40


def test_call_is_full_where_it_had_a_cpu_and_its_result_may_wait() -> None:
    run = Run(spans=[CALL], held=[WAIT])
    assert list(timeline(run, duration=4, width=12, computes=True)) == [('1 7', '█░█░··')]
    *_, axis = timelines([Entry('procs.py', [], computes=True, runs=[run])])
    assert axis.endswith(' 3.00 s')


@given(st.floats(0, 1), st.integers(1, 200))
def test_as_many_cells_are_filled_as_the_share_says(share: float, cells: int) -> None:
    line = signs(replace(CALL, share=share), cells)
    assert len(line) == cells
    assert abs(line.count('█') - share * cells) <= 0.5 + 1e-9


@given(some_requests, st.integers(20, 120))
def test_timeline_keeps_its_width_and_order(many: list[Span], width: int) -> None:
    duration = max(each.end for each in many)
    lines = list(timeline(Run(spans=many), duration, width, computes=False))
    assert max(len(label) + 1 + len(line) for label, line in lines) == width
    starts = [len(line) - len(line.lstrip()) for _, line in lines]
    assert starts == sorted(starts)


def test_limit_is_the_longest_delay_or_what_each_worker_has_to_wait() -> None:
    """Three requests, two at once, wait four seconds in all."""
    for longest, limit in ((1.5, 2), (3, 3)):
        delays = longest, 1, 3 - longest
        many = [
            Span('BR', start, start + 5, 1, delay)
            for start, delay in zip((0, 4, 6), delays, strict=True)
        ]
        assert Entry('flags.py', [], runs=[Run(9.0, spans=many)]).limit == limit


def test_requests_one_after_the_other_are_never_two_in_flight() -> None:
    assert most_in_flight([BR, CN]) == 1
    assert most_in_flight([BR, replace(CN, start=0.9)]) == 2
    assert most_in_flight([]) == 0


@pytest.mark.parametrize(
    ('line', 'time'),
    [
        ('20 downloads in 7.26s', 7.26),
        ('It took 9.25 seconds.', 9.25),
        ('1.50s', 1.5),
        ('Done: 1.50 sec', 1.5),
        ('(1.50s)', 1.5),
        ('2s', 2),
        ('Total: 1 min 4.05 s', 64.05),
        ('elapsed:1h2m3s', 3723),
        ('2 hours, 3 minutes and 4 seconds', 7384),
        ('default: 812.5 ms', 0.8125),
        ('min 0.11 s max 0.53 s', 0.53),
        ('0.11 s 0.53 s', 0.53),
        ('took 5 m', 300),
        ('7.26', None),
        ('20 flags', None),
        ('1.2.3 s', None),
        ('1,50 s', None),
        ('1:04.05 s', None),
        ('v2s', None),
        ('5 meters', None),
        ('7.26s for 20 flags', None),
        ('', None),
    ],
)
def test_time_is_what_the_last_line_ends_with(line: str, time: float | None) -> None:
    assert time_of(f'Elapsed time: 3.00s\n{line or "Done"}\n\n') == time


@pytest.mark.parametrize(
    ('printed', 'duration', 'is_believed'),
    [(2.0, 3, True), (1.98, 3, False), (3.01, 3, True), (3.03, 3, False), (None, 3, False)],
)
def test_printed_time_is_believed_between_the_last_answer_and_the_end(
    printed: float | None, duration: float, is_believed: bool
) -> None:
    """The last delay was over after two seconds, and the server saw the answer a bit later."""
    run = Run(spans=[BR, replace(CN, end=2.1)])
    run.take_time(printed, duration, '')
    assert (run.elapsed, run.is_printed) == ((printed, True) if is_believed else (2.1, False))
    assert bool(run.doubt) == (printed is not None and not is_believed)


def test_printed_time_of_calls_is_not_less_than_that_to_the_end_of_the_last() -> None:
    for printed, is_believed in ((2.0, True), (1.9, False)):
        run = Run(spans=[replace(CALL, end=1), CALL])
        run.take_time(printed, 3, '')
        assert run.is_printed == is_believed


def test_time_that_cannot_be_true_is_none_if_nothing_was_seen() -> None:
    with pytest.raises(RunError, match=r'it printed 9 s, more than the 1\.00 s .*, and why'):
        Run().take_time(9.0, 1, 'why')
    believed = Run()
    believed.take_time(0.5, 1, '')
    assert believed.elapsed == 0.5


def test_what_tells_least_leaves_first_as_a_terminal_gets_narrower() -> None:
    everything = rows([entry(times=(2.0, 4.0))])
    left, longest = list(everything[0]), 80
    gone = []
    for width in range(80, 0, -1):
        lines = table(everything, width)
        heads = re.split('  +', lines[0])
        gone += [name for name in left if name not in heads]
        assert heads == left or longest > width  # nothing leaves that has room
        left, longest = heads, max(map(len, lines))
        assert left == ['script'] or longest <= width
    assert gone == ['MB', 'min', 'max', 'eff.', 'median', 'limit', 'in flight', 'speed-up']


def test_row_is_the_run_in_the_middle_but_for_the_extremes_and_the_most_errors() -> None:
    facts = [(6.0, 1, 3.0, 0), (1.0, 3, 0.25, 5), (2.0, 2, 0.5, 1)]
    runs = [
        Run(time, 10**6 * at_once, [Span('BR', 0, 5, 1, delay)] * at_once, errors=errors)
        for time, at_once, delay, errors in facts
    ]
    runs[0].is_printed = False
    compared = [entry(times=(3.0,)), Entry('flags_asyncio.py', [], runs=runs)]
    head, _, cells = rows(compared)
    assert dict(zip(head, cells, strict=True)) == {
        'script': 'flags_asyncio.py',
        'min': '1.00',
        'median': '2.00',
        'max': '6.00',
        'speed-up': '1.5×',
        'MB': '2',
        'in flight': '2',
        'limit': '0.50',
        'eff.': '0.25',
        'errors': '5',
    }
    figures = csv_table(compared).splitlines()[2].split(',')
    assert figures[:2] == ['flags_asyncio.py', '3.0']  # the mean
    assert figures[3:] == ['2.0', '1.0', '6.0', '2000000', '2', '0.5', '5']
    assert float(figures[2]) == pytest.approx(7**0.5)
    page = page_data(compared)[1]
    told = [f'{page["elapsed"]:.2f}', page['speed_up'], str(page['most']), f'{page["limit"]:.2f}']
    assert told == ['2.00', '1.5×', '2', '0.50']
    assert len(page['requests']) == 2


def test_entry_that_has_failed_takes_no_part() -> None:
    failed = entry('flags_asyncio.py')
    failed.failure = 'exit status 1'
    table = rows([entry(), failed])
    assert table[2] == ['flags_asyncio.py', 'failed', *['-'] * (len(table[0]) - 2)]
    assert [line.split()[0] for line in list(report([entry(), failed]))[4:]] == ['flags.py']


@pytest.mark.parametrize(
    ('times', 'shown'),
    [
        ((2.0,), '3.0×'),
        ((2.0, 1.9), '3.0×'),
        ((1.8, 2.0, 2.2), '3.0±.4×'),
        ((5.95, 6.0, 6.1), '1.0±.1×'),
        ((60.0, 60.0, 60.0), '0.10±.01×'),
    ],
)
def test_three_runs_show_how_sure_a_speed_up_is(times: tuple[float, ...], shown: str) -> None:
    """6 s ± .5 s by 2 s ± .2 s is 3 ± .39."""
    assert entry('b.py', times).speed_up(entry('a.py', (5.5, 6.0, 6.5))) == shown


@pytest.mark.parametrize(
    ('times', 'doubted'),
    [((2.0, 2.0, 4.0), []), ((2.0, 2.0, 4.2), ['4.20']), ((0.01, 0.01, 0.1), [])],
)
def test_run_far_from_the_others_of_its_row_is_doubted(
    times: tuple[float, ...], doubted: list[str]
) -> None:
    told = ' '.join(notes([entry(times=times)]))
    assert re.findall(r'A run of flags.py took (\S+) s, far', told) == doubted


@pytest.mark.parametrize(
    ('lane', 'shares', 'doubted'),
    [
        ('process', (0.9,), []),
        ('process', (0.9, 0.9, 0), []),
        ('process', (0.6, 0.6, 0), ['60%']),
        ('process', (0.5, 0.5, 0.5), []),
        ('interpreter', (0.6, 0.6, 0), ['60%']),
        ('thread', (0.5, 0.5, 0), []),
        ('thread', (0.3, 0.3, 0), ['60%']),
    ],
)
def test_workers_without_a_cpu_are_doubted_unless_they_are_more_than_can_run(
    lane: str, shares: tuple[float, ...], doubted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two CPUs, one of which can run threads of Python; the last worker alone has no doubt.

    Nor does a result take part that waits.
    """
    monkeypatch.setattr('comparing.entries.cpu_count', lambda: 2)
    calls = [Span('7', 0, 4 if share else 0, f'{lane} 1', share=share) for share in shares]
    run = Run(9.0, spans=calls, held=[replace(WAIT, start=4, end=99)])
    computed = Entry('primes.py', [], computes=True, runs=[run])
    assert (
        re.findall(r'primes.py had (\d+%) of the CPU time', ' '.join(notes([computed]))) == doubted
    )


@pytest.mark.parametrize(
    ('codes', 'told'),
    [
        (['BR', 'CN'], []),
        (['BR', 'BR'], ['Not the same work as a.py (2 requests): b.py (2 others).']),
        ([], ['Not the same work as a.py (2 requests): b.py (0).']),
    ],
)
def test_other_work_than_that_of_the_first_is_told(codes: list[str], told: list[str]) -> None:
    other = Entry('b.py', [], runs=[Run(1.0, spans=[Span(code, 0, 1, 1) for code in codes])])
    other.runs[0].held = [WAIT]
    assert list(notes([entry('a.py'), other])) == told


def test_bars_are_no_part_of_what_a_script_tells() -> None:
    told = b'  0%|    | 0/2\r 50%|##  | 1/2 [00:01<00:01]\r\nflags2_asyncio.py: BR: timed out\r\n'
    assert content(io.BytesIO(told)) == 'flags2_asyncio.py: BR: timed out\n'
    assert content(io.BytesIO(10**6 * b'1')) == 10**6 * '1'  # without ado


def reported(*lines: str) -> str:
    """Return what a script of the flags2 series prints at the end."""
    return '\n'.join(['LOCAL site: http://localhost/flags', *lines, 'Elapsed time: 1.50s', ''])


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
    with pytest.raises(RunError) as failure:
        count_errors(reported(*lines), '', status)
    assert failure.value.args == (why, reported(*lines))


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


def test_markdown_aligns_numbers_right_and_takes_names_as_they_are() -> None:
    assert markdown([['script', 'min'], ['flags_a.py', '7.1'], ['a|b `*', '1*']]) == (
        '| script | min |\n| --- | ---: |\n| flags_a.py | 7.1 |\n| a\\|b \\`\\* | 1\\* |\n'
    )


def test_times_that_round_to_nothing_have_no_speed_up() -> None:
    quick = Entry('flags.py', [], runs=[Run(0.0, spans=[Span('BR', 0, 0.001, 1, 0.0005)])])
    assert rows([quick])[1] == ['flags.py', '0.00', '-', '1']
    assert list(bars([quick], 30)) == ['flags.py ▏ 0.00 s']


def test_wide_characters_keep_the_columns() -> None:
    assert columns('スレッド.py') == 11
    assert columns('e\u0301') == 1
    lines = table([['script', 'time'], ['スレッド.py', '1.00'], ['flags.py', '10.00']], 80)
    assert [columns(line) for line in lines] == [18, 18, 18]
    compared = [entry('スレッド.py', (1.0,)), entry()]
    assert [line.index('█') for line in bars(compared, 80)] == [8, 12]


def test_names_are_shortened_in_the_middle_to_columns() -> None:
    assert shortened('long_name.py', 8) == 'long….py'
    assert shortened('abcdef', 4) == 'ab…f'
    assert shortened('スレッド.py', 8) == 'スレ….py'
    assert shortened('flags.py', 8) == 'flags.py'


def test_signs_that_cannot_be_shown_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fit('1.0±.1× …') == '1.0±.1× …'
    monkeypatch.setattr('sys.stdout', io.TextIOWrapper(io.BytesIO(), 'latin-1'))
    assert fit('1.0±.1× … ス') == '1.0±.1× ... ?'


@pytest.mark.parametrize(('count', 'pictured'), [(60, 59), (61, 0)])
def test_page_has_the_flags_of_a_run_with_room_for_them(count: int, pictured: int) -> None:
    many = [*[BR] * (count - 1), replace(CN, status=404)]
    (data,) = page_data([Entry('flags.py', [], runs=[Run(1.0, spans=many)])])
    picture = f'data:image/gif;base64,{base64.b64encode(flag("BR")).decode()}'
    pictures = [picture] * pictured + [None] * (count - pictured)
    assert [request.get('picture') for request in data['requests']] == pictures


@pytest.mark.parametrize('columns', [1, 2, 3, 20])
def test_very_narrow_terminal_gets_figures_and_timelines(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('COLUMNS', str(columns))
    lines = [*report([entry()]), *timelines([entry()])]
    assert 'flags.py 2.00 s' in [re.sub(' █+', '', line) for line in lines]
    assert any(re.fullmatch('BR +█.*', line) for line in lines)
    assert re.fullmatch(r'0 s *2\.00 s', lines[-1])
    assert len(lines[-1]) == max(columns, len('0 s2.00 s'))
