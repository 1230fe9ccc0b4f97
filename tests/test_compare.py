"""compare.py, end to end, with short delays."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from conftest import (
    PATIENCE,
    RunScript,
    Server,
    StartScript,
    StartServer,
    command,
    shown_on_terminal,
    wait_until,
)
from cpu_tools import SMALL, cpu_script, members
from raw_server import misbehaving

from comparing.charts import Request

FLAGS = ['flags.py', 'flags_threadpool.py', 'flags_processpool.py', 'flags_asyncio.py']
SHORT = ['--delay', '.01', '.05', '-n', '1']
PNG = b'\x89PNG\r\n\x1a\n'


def rows(output: str) -> dict[str, list[str]]:
    """Return the cells of the table by the names in the first column."""
    table = output.partition('\n\n')[0].splitlines()
    return {row[0]: row[1:] for row in (re.split(r'  +', line) for line in table)}


@pytest.fixture(scope='module')
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Return the output of a comparison that shows and saves all it can, and the folder."""
    folder = tmp_path_factory.mktemp('compare')
    options = ['--timeline', '--json', 'c.json', '--markdown', 'c.md', '--plot', 'c.png']
    run = subprocess.run(
        command('compare.py', *SHORT, *options),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=os.environ | {'COLUMNS': '80'},
    )
    assert run.returncode == 0, run.stderr
    return run.stdout, folder


def test_table_has_a_row_per_script(files: tuple[str, Path]) -> None:
    table = rows(files[0])
    head = ['min', 'median', 'max', 'speed-up', 'MB', 'in flight', 'limit', 'eff.']
    assert table['script'] == head
    assert list(table)[1:] == FLAGS
    assert table['flags.py'][3] == '1.0x'


def test_table_tells_what_the_server_saw(files: tuple[str, Path]) -> None:
    table = rows(files[0])
    in_flight = {script: int(table[script][5]) for script in FLAGS}
    assert in_flight['flags.py'] == 1
    assert all(in_flight[script] > 1 for script in FLAGS[1:])
    assert all(0 < float(table[script][7]) <= 1 for script in FLAGS)


def test_bars_are_scaled_to_the_width(files: tuple[str, Path]) -> None:
    bars = re.findall(r'^\S+\.py +[█▏▎▍▌▋▊▉]+ \d.*', files[0], re.M)
    assert len(bars) == 4
    assert max(map(len, bars)) == 80


def test_timelines_share_one_axis(files: tuple[str, Path]) -> None:
    timelines = files[0].split('\n\n')[2:]
    assert [text.partition(':')[0] for text in timelines] == FLAGS
    stairs = timelines[0].splitlines()[1:]
    starts = [len(re.sub('█.*', '', row)) for row in stairs]
    assert len(stairs) == 20
    assert starts == sorted(starts)
    assert timelines[3].splitlines()[-1].startswith('0 s')


def test_json_has_all_runs_and_where_they_ran(files: tuple[str, Path]) -> None:
    facts = json.loads((files[1] / 'c.json').read_text())
    assert facts['httpx'] == httpx.__version__
    assert facts['options'][:5] == SHORT
    assert [script['name'] for script in facts['scripts']] == FLAGS
    for script in facts['scripts']:
        (run,) = script['runs']
        assert run['elapsed'] > 0
        assert len(run['requests']) == 20


def test_times_are_those_that_scripts_measured_themselves(files: tuple[str, Path]) -> None:
    """The table shows what JSON has in full, and that is not less than the server's delays."""
    facts = json.loads((files[1] / 'c.json').read_text())
    for script in facts['scripts']:
        elapsed = script['runs'][0]['elapsed']
        assert f'{elapsed:.2f}' == rows(files[0])[script['name']][1]
        requests = [Request(*fields) for fields in script['runs'][0]['requests']]
        assert elapsed >= max(request.start + request.delay for request in requests)


def test_three_runs_are_the_default(run_script: RunScript) -> None:
    run_script('compare.py', '--delay', 0, 0.01, '--json', 'c.json')
    scripts = json.loads(Path('c.json').read_text())['scripts']
    assert [len(script['runs']) for script in scripts] == [3, 3, 3, 3]


def test_markdown_is_the_same_table(files: tuple[str, Path]) -> None:
    lines = (files[1] / 'c.md').read_text().splitlines()
    assert lines[0].startswith('| script | min | median |')
    assert [line.split(' | ')[0].removeprefix('| ') for line in lines[2:]] == FLAGS


def test_plot_is_a_picture_1000_pixels_wide(files: tuple[str, Path]) -> None:
    picture = (files[1] / 'c.png').read_bytes()
    assert picture.startswith(PNG)
    assert int.from_bytes(picture[16:20], 'big') == 1000


def test_no_file_is_left_beside_those_asked_for(files: tuple[str, Path]) -> None:
    assert sorted(path.name for path in files[1].iterdir()) == ['c.json', 'c.md', 'c.png']


def test_scan_runs_the_concurrent_scripts_at_each_number(run_script: RunScript) -> None:
    options = ['--delay', 0.2, 0.3, '-n', 1, '--scan', 1, 4, '--plot', 's.svg', '-al', 8]
    run = run_script('compare.py', 'flags2', *options)
    in_flight = {name: cells[5] for name, cells in rows(run.stdout).items()}
    assert in_flight == {
        'script': 'in flight',
        'flags2_threadpool.py -m 1': '1',
        'flags2_threadpool.py -m 4': '4',
        'flags2_asyncio.py -m 1': '1',
        'flags2_asyncio.py -m 4': '4',
    }
    assert Path('s.svg').read_text().startswith('<?xml')


def test_another_server_can_be_asked(run_script: RunScript, fast_server: Server) -> None:
    """It tells nothing of what it saw."""
    run = run_script('compare.py', '-n', 1, '-s', fast_server.url, '--timeline')
    assert rows(run.stdout)['script'] == ['min', 'median', 'max', 'speed-up', 'MB']
    assert 'no timeline' in run.stdout
    assert len(fast_server.requests()) == 80


def test_errors_of_a_server_do_not_end_the_comparison(
    run_script: RunScript, start_server: StartServer
) -> None:
    server = start_server('--max-delay', 0, '--error-rate', 1)
    run = run_script('compare.py', 'flags2', '-n', 1, '-s', server.url, 'br')
    assert run.returncode == 0
    assert len(rows(run.stdout)) == 4


def test_failed_scripts_are_told_and_the_others_run(run_script: RunScript) -> None:
    with misbehaving('answers 404') as server:
        run = run_script('compare.py', '-n', 2, '-s', server.url)
    assert run.returncode == 1
    assert all(rows(run.stdout)[script][0] == 'failed' for script in FLAGS)
    assert run.stderr.count('404 Not Found') == 4
    assert 'Traceback' not in run.stderr


def test_ctrl_c_reports_what_is_complete(start_script: StartScript) -> None:
    process = start_script('compare.py', '--delay', '.05', '.06', '-n', 50)
    time.sleep(5)
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert list(rows(stdout))[:2] == ['script', 'flags.py']
    assert 'Traceback' not in stderr
    wait_until(lambda: not members(process.pid))


def test_progress_is_live_and_names_the_run() -> None:
    progress = shown_on_terminal(command('compare.py', *SHORT), 'stderr', 80)
    assert 'flags_asyncio.py, run 1 of 1:  75%' in progress
    assert '0/4' in progress


def test_progress_is_for_terminals(run_script: RunScript) -> None:
    assert run_script('compare.py', *SHORT).stderr == ''


def test_narrow_terminal_gets_narrow_lines_in_colour() -> None:
    environment = {name: os.environ[name] for name in os.environ.keys() - {'NO_COLOR', 'COLUMNS'}}
    output = shown_on_terminal(command('compare.py', *SHORT), 'stdout', 50, env=environment)
    assert '\x1b[34m█' in output
    plain = re.sub(r'\x1b\[\d+m', '', output).split('\r\n')
    assert max(map(len, plain)) == 50


def test_no_colour_where_none_is_wanted() -> None:
    environment = os.environ | {'NO_COLOR': '1'}
    output = shown_on_terminal(command('compare.py', *SHORT), 'stdout', 50, env=environment)
    assert '█' in output
    assert '\x1b' not in output


def test_pipe_without_blocks_gets_number_signs() -> None:
    run = subprocess.run(
        command('compare.py', *SHORT),
        capture_output=True,
        env=os.environ | {'PYTHONIOENCODING': 'ascii'},
    )
    assert re.search(rb'\nflags.py +#{20,} \d', run.stdout)
    assert b'\x1b' not in run.stdout


@pytest.mark.parametrize(
    'args',
    [
        ['nonsense'],
        ['-n', '0'],
        ['--delay', '2', '1'],
        ['--delay', '-1', '1'],
        ['--delay', '1', '2', '-s', 'LOCAL'],
        ['-s', 'NOWHERE'],
        ['--plot', 'picture.txt'],
        ['--json', '.'],
        ['--markdown', ''],
        ['flags2', 'B1'],
        ['flags2', '--scan', '0'],
        ['primes', '0'],
    ],
)
def test_bad_input_is_refused(run_script: RunScript, args: list[str]) -> None:
    run = run_script('compare.py', *args)
    assert (run.returncode, run.stdout) == (2, '')
    assert 'compare.py' in run.stderr.splitlines()[-1]
    assert 'error: ' in run.stderr.splitlines()[-1]


def test_primes_are_compared_by_executor() -> None:
    with cpu_script('compare.py', 'primes', 2, numbers=SMALL) as process:
        stdout, _ = process.communicate(timeout=PATIENCE)
    names = list(rows(stdout))
    assert names[:4] == ['script', 'serial', 'process', 'thread']
    assert names[-1] == 'procs.py'
    assert all(float(cells[1]) >= 0 for cells in list(rows(stdout).values())[1:])


def test_unwritable_file_is_told_in_one_line(run_script: RunScript) -> None:
    run = run_script('compare.py', *SHORT, '--json', 'no/such/folder.json')
    assert run.returncode == 1
    assert run.stderr.endswith('compare.py: No such file or directory: no/such/folder.json\n')
