"""compare.py primes: what it shows of work that computes."""

import json
import os
import re
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from comparisons import PLOT, needs_matplotlib, page_runs, rows, scripts_of
from conftest import (
    PATIENCE,
    RunScript,
    members,
    needs_dask,
    needs_posix,
    wait_until,
    with_sitecustomize,
)
from cpu_tools import METHODS, cpu_script

from comparing.spans import calls_of

SLOW = 142702110479723  # a prime, which takes twelve times as long as the next smaller one
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
    assert 0 < min(float(cells[0]) for cells in list(table.values())[1:]) < PATIENCE


def test_lanes_are_workers_and_bars_are_numbers(work: tuple[str, Path]) -> None:
    runs = page_runs(work[1])
    assert {'serial', 'process', 'thread', 'procs.py'} <= runs.keys()
    for label, run in runs.items():
        calls = [each for each in run['requests'] if not each['kind']]
        assert sorted(int(call['code']) for call in calls) == sorted(NUMBERS)
        assert {call['lane'] for call in calls} == set(run['lanes'])
        assert run['work'] is True
        assert min(call['start'] for call in calls) == 0
        assert run['elapsed'] >= max(call['end'] - call['start'] for call in calls) - 0.005
        kind = {'serial': 'thread', 'procs.py': 'process'}.get(label, label)
        assert run['lanes'][0] == f'{kind} 1'
    assert len({each['lane'] for each in runs['serial']['requests'] if not each['kind']}) == 1


def test_slow_number_holds_up_results_of_map_but_not_of_queues(work: tuple[str, Path]) -> None:
    """It comes second in map, and last but one with processes made by hand.

    On a busy machine, the second process of a pool may start when the first has done it all.
    """
    for label, run in page_runs(work[1]).items():
        (end,) = (each['end'] for each in run['requests'] if is_call_of(SLOW, each))
        held = [each for each in run['requests'] if each['kind'] == 'held']
        waiting = {int(each['code']) for each in held if each['end'] >= end}
        calls = [each for each in run['requests'] if not each['kind']]
        ready = {int(each['code']) for each in calls if each['end'] < end - 0.05} & {2, 4}
        is_map = label in ('process', 'thread', 'interpreter')
        assert waiting & {2, 4} == (ready if is_map else set())
        assert ready == {2, 4} or label in ('serial', 'process')


def is_call_of(number: int, request: dict[str, Any]) -> bool:
    """Tell whether a request of a page is the time that a worker took for a number."""
    return request['code'] == str(number) and not request['kind']


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


needs_joblib = pytest.mark.skipif(not find_spec('joblib'), reason='joblib is missing')
IMPORTS = 'import sys\nfrom primes import is_prime\nNUMBERS = [7, 4, 9]\n'
POOL = """
from concurrent import futures
from multiprocessing import get_context
if __name__ == '__main__':
    with futures.%s as executor:
        for result in executor.map(is_prime, NUMBERS):
            pass
"""
OTHERS = {  # scripts that let others call is_prime
    'thread': POOL % 'ThreadPoolExecutor(2)',
    **{
        method: POOL % f'ProcessPoolExecutor(2, mp_context=get_context("{method}"))'
        for method in METHODS
    },
    'dask': """
from distributed import Client, LocalCluster
if __name__ == '__main__':
    with LocalCluster(n_workers=1, dashboard_address=None) as cluster, Client(cluster) as client:
        list(client.get_executor().map(is_prime, NUMBERS))
""",
    'joblib': """
from joblib import Parallel, delayed
if __name__ == '__main__':
    Parallel(2)(delayed(is_prime)(n) for n in NUMBERS)
""",
    'interpreter': """
from concurrent.futures import InterpreterPoolExecutor
if __name__ == '__main__':
    with InterpreterPoolExecutor(2) as executor:
        list(executor.map(is_prime, NUMBERS))
""",
    'shell': """
import subprocess
subprocess.run([sys.executable, '-c', 'import primes; [primes.is_prime(n) for n in (7, 4, 9)]'])
""",
}
MARKS = {
    'dask': needs_dask,
    'joblib': needs_joblib,
    'interpreter': pytest.mark.skipif(sys.version_info < (3, 14), reason='Python is too old'),
}


@pytest.mark.parametrize('kind', [pytest.param(kind, marks=MARKS.get(kind, ())) for kind in OTHERS])
def test_calls_are_recorded_wherever_they_are(kind: str, run_script: RunScript) -> None:
    Path('mine.py').write_text(IMPORTS + OTHERS[kind], 'utf-8')
    run = run_script('compare.py', 'primes', 'mine.py', '--json', 'c.json')
    assert run.returncode == 0, run.stderr
    (script,) = json.loads(Path('c.json').read_text('utf-8'))['scripts']
    calls = script['runs'][0]['spans']
    assert sorted(call['code'] for call in calls) == ['4', '7', '9']
    workers = kind if kind in ('thread', 'interpreter') else 'process'
    assert {call['lane'].split()[0] for call in calls} == {workers}


def test_primes_of_a_reader_are_recorded_not_ours(run_script: RunScript) -> None:
    Path('primes.py').write_text('def is_prime(n): return "mine"', 'utf-8')
    Path('mine.py').write_text('from primes import is_prime\nassert is_prime(7) == "mine"', 'utf-8')
    run = run_script('compare.py', 'primes', 'mine.py', '--timeline')
    assert re.search(r'^mine.py: 1 thread; .*\n1 7 ', run.stdout, re.M)


def test_sitecustomize_of_a_reader_has_its_say_too(run_script: RunScript) -> None:
    Path('mine.py').write_text(
        'import pathlib, sitecustomize\nfrom primes import is_prime\nis_prime(7)\n'
        'pathlib.Path("told").write_text(sitecustomize.WORD)',
        'utf-8',
    )
    run = run_script('compare.py', 'primes', 'mine.py', **with_sitecustomize('WORD = "mine"'))
    assert run.returncode == 0, run.stderr
    assert Path('told').read_text('utf-8') == 'mine'


def test_script_that_calls_nothing_has_failed(run_script: RunScript) -> None:
    Path('mine.py').write_text('print(7)', 'utf-8')
    told = run_script('compare.py', 'primes', 'mine.py').stderr
    assert 'no call was recorded: does it import is_prime from primes?' in told


def test_share_of_a_cpu_is_that_of_the_time_of_a_call(run_script: RunScript) -> None:
    Path('primes.py').write_text('import time\ndef is_prime(n): time.sleep(n / 10)', 'utf-8')
    Path('mine.py').write_text('from primes import is_prime\nis_prime(2)', 'utf-8')
    run_script('compare.py', 'primes', 'mine.py', '--json', 'c.json')
    (script,) = json.loads(Path('c.json').read_text('utf-8'))['scripts']
    (call,) = script['runs'][0]['spans']
    assert call['share'] < 0.5
    assert 0.2 <= call['end'] - call['start'] < PATIENCE


def test_result_waits_for_those_that_map_was_asked_for_before() -> None:
    """It does not wait for later ones, nor where nothing was asked for in an order."""
    calls = {4: (0, 1), 2: (0, 2), 3: (1, 1.5), 5: (2, 2.5)}
    lines = [
        {'n': str(n), 'worker': ['thread', 1, n % 2], 'start': start, 'end': end, 'cpu': 0}
        for n, (start, end) in calls.items()
    ]
    Path('calls.jsonl').write_text('\n'.join(map(json.dumps, lines)), 'utf-8')
    assert calls_of(Path('calls.jsonl'))[1] == []
    lines += [{'order': str(n)} for n in (4, 2, 3, 5)]
    Path('calls.jsonl').write_text('\n'.join(map(json.dumps, lines)), 'utf-8')
    held = [(each.code, each.start, each.end) for each in calls_of(Path('calls.jsonl'))[1]]
    assert held == [('3', 1.5, 2)]


@needs_posix
def test_threads_that_compute_do_not_hold_up_the_report() -> None:
    with cpu_script('compare.py', 'primes', 2, numbers=[999999999999989]) as process:
        wait_until(lambda: scripts_of(process, '-x thread'))
        time.sleep(0.3)
        process.terminate()
        stdout, stderr = process.communicate(timeout=PATIENCE)
        wait_until(lambda: not members(process.pid))
    assert process.returncode == -15
    assert re.match('compare.py: thread was interrupted in run 1 of 1\n', stderr)
    assert list(rows(stdout)) == ['script', 'serial', 'process']
