"""compare.py primes: what it shows of work that computes."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from comparing.work import add_line, read_work, record_calls
from comparisons import PLOT, needs_matplotlib, page_runs, rows, scripts_of
from conftest import PATIENCE, members, needs_posix, wait_until
from cpu_tools import METHODS, cpu_script, output_of

import primes

SLOW = 142702110479723  # a prime, which takes twelve times as long as the next smaller one
FEW = [4444444444444444, 2, 9999999999999999]
NUMBERS = [2, 4, 1000000000039, SLOW, 9999999999999999]


@pytest.fixture(scope='module')
def work(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Return the output of a comparison of work that computes, and the folder with its files."""
    folder = tmp_path_factory.mktemp('work')
    before = Path.cwd()
    os.chdir(folder)  # where the altered copy is made, too
    shown = ['--timeline', '--json', 'c.json', '--html', 'c.html', *PLOT]
    try:
        with cpu_script('compare.py', 'primes', 2, *shown, numbers=NUMBERS) as process:
            stdout, stderr = process.communicate(timeout=PATIENCE)
    finally:
        os.chdir(before)
    assert (process.returncode, stderr) == (0, '')
    return stdout, folder


def test_primes_are_compared_by_executor(work: tuple[str, Path]) -> None:
    table = rows(work[0])
    assert table['script'] == ['time', 'speed-up', 'MB']
    assert list(table)[1:4] == ['serial', 'process', 'thread']
    assert list(table)[-1] == 'procs.py'
    assert all(float(cells[0]) >= 0 for cells in list(table.values())[1:])


def test_lanes_are_workers_and_bars_are_numbers(work: tuple[str, Path]) -> None:
    runs = page_runs(work[1])
    assert {'serial', 'process', 'thread', 'procs.py'} <= runs.keys()
    for label, run in runs.items():
        calls = [each for each in run['requests'] if 'kind' not in each]
        assert sorted(int(call['code']) for call in calls) == sorted(NUMBERS)
        assert {call['lane'] for call in calls} == set(run['lanes'])
        assert run['work'] is True
        assert min(call['start'] for call in calls) == 0
        assert run['elapsed'] >= max(call['end'] - call['start'] for call in calls) - 0.005
        kind = 'thread' if label in ('serial', 'thread') else 'process'
        assert run['lanes'][0] == f'{kind} 1'
    assert len({each['lane'] for each in runs['serial']['requests'] if 'kind' not in each}) == 1


def test_slow_number_holds_up_results_of_map_but_not_of_queues(work: tuple[str, Path]) -> None:
    """It comes second in map, and last but one with processes made by hand."""
    for label, run in page_runs(work[1]).items():
        (end,) = (each['end'] for each in run['requests'] if is_call_of(SLOW, each))
        held = [each for each in run['requests'] if each.get('kind') == 'held']
        waiting = {int(each['code']) for each in held if each['end'] >= end}
        assert ({2, 4} <= waiting) == (label in ('process', 'thread'))


def is_call_of(number: int, request: dict[str, Any]) -> bool:
    """Tell whether a request of a page is the time that a worker took for a number."""
    return request['code'] == str(number) and 'kind' not in request


def test_timeline_of_work_has_a_row_per_number(work: tuple[str, Path]) -> None:
    timelines = work[0].split('\n\n')
    (threads,) = (text for text in timelines if text.startswith('thread: '))
    title, *lines = threads.splitlines()
    assert '█ runs, ░ waits for a CPU' in title
    assert sorted(int(line.split()[1]) for line in lines) == sorted(NUMBERS)
    assert {line.split()[0] for line in lines} <= {'1', '2'}
    assert max(map(len, lines)) <= 80


@needs_matplotlib
def test_plot_of_work_has_room_for_its_lanes(work: tuple[str, Path]) -> None:
    picture = (work[1] / 'c.png').read_bytes()
    assert int.from_bytes(picture[16:20], 'big') == 1000
    assert int.from_bytes(picture[20:24], 'big') > 500


@pytest.mark.parametrize('method', METHODS)
def test_calls_are_recorded_however_processes_are_started(method: str) -> None:
    script = 'comparing/recorded.py'
    with cpu_script(
        script, 'primes.is_prime', 'proc_pool.py', 2, numbers=FEW, method=method
    ) as process:
        output_of(process)
    recorded = read_work(Path('calls.jsonl'))
    assert recorded
    assert sorted(int(call.code) for call in recorded.calls if not call.kind) == sorted(FEW)
    assert recorded.lanes[0] == 'process 1'


def test_call_that_sleeps_has_no_share_of_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(primes, 'is_prime', lambda number: time.sleep(number / 10))
    record_calls('primes.is_prime', Path('calls.jsonl'))
    primes.is_prime(1)
    recorded = read_work(Path('calls.jsonl'))
    assert recorded
    assert recorded.calls[0].share < 0.5


def test_result_that_is_shown_late_waits_only_if_an_earlier_one_is_not_ready() -> None:
    """As with imap_unordered: 4 is shown long after its end, but was the first to end."""
    calls = {4: (0, 1), 2: (0, 2), 3: (1, 1.5)}
    for n, (start, end) in calls.items():
        add_line(Path('calls.jsonl'), n=n, worker=[1, n % 2], start=start, end=end, cpu=0)
    for n, shown in {4: 1.2, 2: 2.1, 3: 2.2}.items():
        add_line(Path('calls.jsonl'), n=n, shown=shown, pid=1)
    recorded = read_work(Path('calls.jsonl'))
    assert recorded
    held = [(call.code, call.start, call.end, call.lane) for call in recorded.calls if call.kind]
    assert held == [('3', 1.5, 2.2, 1)]


@needs_posix
def test_threads_that_compute_do_not_hold_up_the_report() -> None:
    with cpu_script('compare.py', 'primes', 2, numbers=[999999999999989]) as process:
        wait_until(lambda: scripts_of(process, '-x thread'))
        time.sleep(0.3)
        process.terminate()
        stdout, stderr = process.communicate(timeout=PATIENCE)
        wait_until(lambda: not members(process.pid))
    assert (process.returncode, stderr) == (-15, 'compare.py: interrupted\n')
    assert list(rows(stdout)) == ['script', 'serial', 'process']
