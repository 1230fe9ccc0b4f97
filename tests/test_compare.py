"""compare.py, end to end, with short delays."""

import json
import os
import re
import signal
import subprocess
import time
from importlib.util import find_spec
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
    members,
    running_here,
    shown_on_terminal,
    wait_until,
    without,
)
from cpu_tools import LARGE, SMALL, cpu_script
from raw_server import misbehaving

import compare
from comparing.runs import Request

FLAGS = ['flags.py', 'flags_threadpool.py', 'flags_processpool.py', 'flags_asyncio.py']
SHORT = ['--delay', '.01', '.05', '-n', '1']
SHORTER = ['flags2', '--scan', '1', *SHORT, 'br']  # two scripts, one flag
PNG = b'\x89PNG\r\n\x1a\n'
CAN_PLOT = find_spec('matplotlib') is not None  # it takes a while to follow a new Python
PLOT = ['--plot', 'c.png'] if CAN_PLOT else []


def rows(output: str) -> dict[str, list[str]]:
    """Return the cells of the table by the names in the first column."""
    table = output.partition('\n\n')[0].splitlines()
    return {row[0]: row[1:] for row in (re.split(r'  +', line) for line in table)}


@pytest.fixture(scope='module')
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Return the output of a comparison that shows and saves all it can, and the folder."""
    folder = tmp_path_factory.mktemp('compare')
    shown = ['--timeline', '--json', 'c.json', '--markdown', 'c.md']
    run = subprocess.run(
        command('compare.py', *SHORT, *shown, '--html', 'c.html', *PLOT),
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
    assert in_flight['flags_processpool.py'] <= (os.cpu_count() or 1)
    assert in_flight['flags_threadpool.py'] > 1
    assert in_flight['flags_asyncio.py'] > 1
    assert all(0 < float(table[script][7]) <= 1 for script in FLAGS)


def test_memory_is_that_of_all_processes_of_a_script(files: tuple[str, Path]) -> None:
    table = rows(files[0])
    assert int(table['flags_processpool.py'][4]) > 1.5 * int(table['flags.py'][4])


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


def test_times_are_those_that_scripts_print(files: tuple[str, Path]) -> None:
    """These are not less than the server's delays, but for what rounding takes away."""
    facts = json.loads((files[1] / 'c.json').read_text())
    for script in facts['scripts']:
        elapsed = script['runs'][0]['elapsed']
        assert f'{elapsed:.2f}' == rows(files[0])[script['name']][1]
        requests = [Request(*fields) for fields in script['runs'][0]['requests']]
        assert elapsed > max(request.start + request.delay for request in requests) - 0.005


def test_number_of_runs_may_be_chosen(
    run_script: RunScript, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_script('compare.py', *SHORTER, '-n', 2, '--json', 'c.json')
    scripts = json.loads(Path('c.json').read_text())['scripts']
    assert [len(script['runs']) for script in scripts] == [2, 2]
    monkeypatch.setattr('sys.argv', ['compare.py'])
    assert compare.process_args().runs == 3


def test_markdown_is_the_same_table(files: tuple[str, Path]) -> None:
    lines = (files[1] / 'c.md').read_text().splitlines()
    assert lines[0].startswith('| script | min | median |')
    assert [line.split(' | ')[0].removeprefix('| ') for line in lines[2:]] == FLAGS


@pytest.mark.skipif(not CAN_PLOT, reason='matplotlib is missing')
def test_plot_is_a_picture_1000_pixels_wide(files: tuple[str, Path]) -> None:
    picture = (files[1] / 'c.png').read_bytes()
    assert picture.startswith(PNG)
    assert int.from_bytes(picture[16:20], 'big') == 1000


def test_html_is_a_page_with_all_requests_that_needs_no_server(files: tuple[str, Path]) -> None:
    (data,) = re.findall(r'id="runs">(.*?)</script>', (files[1] / 'c.html').read_text())
    runs = json.loads(data)
    assert [run['label'].partition(': ')[0] for run in runs] == FLAGS
    assert [len(run['requests']) for run in runs] == [20] * 4
    lanes = [len({request['lane'] for request in run['requests']}) for run in runs]
    assert lanes[0] == 1
    assert lanes[3] == 20


def test_no_file_is_left_beside_those_asked_for(files: tuple[str, Path]) -> None:
    asked_for = {'c.html', 'c.json', 'c.md', *PLOT[1:]}
    assert {path.name for path in files[1].iterdir()} == asked_for


def test_scan_runs_the_concurrent_scripts_at_each_number(run_script: RunScript) -> None:
    options = ['--delay', 0.1, 0.2, '-n', 1, '--scan', 1, 4, '-al', 5]
    run = run_script('compare.py', 'flags2', *options)
    in_flight = {name: cells[5] for name, cells in rows(run.stdout).items()}
    assert in_flight == {
        'script': 'in flight',
        'flags2_threadpool.py -m 1': '1',
        'flags2_threadpool.py -m 4': '4',
        'flags2_asyncio.py -m 1': '1',
        'flags2_asyncio.py -m 4': '4',
    }


@pytest.mark.skipif(not CAN_PLOT, reason='matplotlib is missing')
def test_scan_can_be_drawn_as_svg(run_script: RunScript) -> None:
    run_script('compare.py', *SHORTER, '--plot', 's.svg')
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
    assert (
        re.findall(r'compare.py: (.*) failed:\n\1: .*404.*\n\(exit status 1\)', run.stderr) == FLAGS
    )


def test_script_that_fails_half_way_has_no_time() -> None:
    """The line that it prints last ends with a time, too."""
    with cpu_script('compare.py', 'primes', 2, numbers=[4444444444444444, 7.5]) as process:
        stdout, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert all(cells[0] == 'failed' for cells in list(rows(stdout).values())[1:])


def test_script_that_is_stopped_has_no_time(start_script: StartScript) -> None:
    """It reports what it has done so far, and how long that took."""
    process = start_script('compare.py', 'flags2', '-n', 1, '--delay', 1.5, 1.5, 'br', 'us')
    wait_until(lambda: scripts_of(process, 'flags2_sequential.py'))
    time.sleep(1)
    os.kill(scripts_of(process, 'flags2_sequential.py')[0], signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert rows(stdout)['flags2_sequential.py'][0] == 'failed'
    assert '(exit status 143)' in stderr


def scripts_of(process: subprocess.Popen[str], words: str) -> list[int]:
    """Return the numbers of the processes in a script's session that it has started with words."""
    return [pid for pid, args in members(process.pid).items() if words in args]


@pytest.mark.parametrize(('signum', 'to_group'), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_signal_ends_scripts_and_reports_what_is_complete(
    signum: signal.Signals, to_group: bool, start_script: StartScript
) -> None:
    options = ['--json', 'c.json', '--delay', '.05', '.06', '-n', 50, *PLOT]
    process = start_script('compare.py', *options)
    wait_until(lambda: scripts_of(process, FLAGS[1]), PATIENCE)
    start = time.monotonic()
    os.killpg(process.pid, signum) if to_group else process.send_signal(signum)
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert time.monotonic() - start < 1.6
    wait_until(lambda: not members(process.pid))
    assert (process.returncode, stderr) == (128 + signum, 'compare.py: interrupted\n')
    assert list(rows(stdout))[:2] == ['script', 'flags.py']
    assert json.loads(Path('c.json').read_text())['scripts'][0]['runs']
    for picture in PLOT[1:]:
        assert Path(picture).read_bytes().startswith(PNG)
    wait_until(lambda: not running_here())


def test_threads_that_compute_do_not_hold_up_the_report() -> None:
    with cpu_script('compare.py', 'primes', 2, numbers=[LARGE]) as process:
        wait_until(lambda: scripts_of(process, '-x thread'), PATIENCE)
        time.sleep(0.5)
        process.terminate()
        stdout, stderr = process.communicate(timeout=PATIENCE)
        wait_until(lambda: not members(process.pid))
    assert (process.returncode, stderr) == (143, 'compare.py: interrupted\n')
    assert list(rows(stdout)) == ['script', 'serial', 'process']


def test_interrupted_comparison_leaves_files_as_they_were(start_script: StartScript) -> None:
    Path('old.json').write_text('old')
    options = ['--json', 'old.json', '--markdown', 'new.md', '--delay', 5, 5]
    process = start_script('compare.py', *options)
    wait_until(lambda: scripts_of(process, FLAGS[0]))
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    assert Path('old.json').read_text() == 'old'
    assert not Path('new.md').exists()


def test_progress_is_live_and_names_the_run() -> None:
    progress = shown_on_terminal(command('compare.py', *SHORTER), 'stderr', 80)
    assert 'flags2_asyncio.py -m 1, run 1 of 1:  50%' in progress
    assert '0/2' in progress


def test_progress_is_for_terminals(run_script: RunScript) -> None:
    assert run_script('compare.py', *SHORTER).stderr == ''


def test_narrow_terminal_gets_narrow_lines_in_colour() -> None:
    environment = {name: os.environ[name] for name in os.environ.keys() - {'NO_COLOR', 'COLUMNS'}}
    output = shown_on_terminal(command('compare.py', *SHORTER), 'stdout', 50, env=environment)
    assert '\x1b[34m█' in output
    plain = re.sub(r'\x1b\[\d+m', '', output).split('\r\n')
    assert max(map(len, plain)) == 50


def test_bar_on_a_terminal_of_one_column_does_no_harm() -> None:
    environment = {name: os.environ[name] for name in os.environ.keys() - {'COLUMNS'}}
    shown = shown_on_terminal(command('compare.py', *SHORTER), 'stderr', 1, env=environment)
    assert 'Traceback' not in shown


@pytest.mark.parametrize('setting', [{'NO_COLOR': '1'}, {'TERM': 'dumb'}])
def test_no_colour_where_none_is_wanted(setting: dict[str, str]) -> None:
    environment = {name: os.environ[name] for name in os.environ.keys() - {'NO_COLOR'}}
    args = command('compare.py', *SHORTER)
    output = shown_on_terminal(args, 'stdout', 50, env=environment | setting)
    assert '█' in output
    assert '\x1b' not in output


def test_pipe_without_blocks_gets_number_signs() -> None:
    run = subprocess.run(
        command('compare.py', *SHORTER),
        capture_output=True,
        env=os.environ | {'PYTHONIOENCODING': 'ascii'},
    )
    assert re.search(rb'\nflags2_asyncio.py -m 1 +#+ \d', run.stdout)
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
        ['--json', 'no/such/folder.json'],
        ['--json', 300 * 'x'],
        ['--markdown', ''],
        ['--markdown', '/proc/version'],
        ['flags2', 'B1'],
        ['flags2', '--scan', '0'],
        ['primes', '0'],
    ],
)
def test_bad_input_is_refused(args: list[str], run_script: RunScript) -> None:
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


def test_files_keep_their_mode_and_their_links(run_script: RunScript) -> None:
    target = Path('private.json')
    target.touch(0o600)
    Path('link.json').symlink_to(target)
    run_script('compare.py', *SHORTER, '--json', 'link.json')
    assert Path('link.json').is_symlink()
    assert target.stat().st_mode & 0o777 == 0o600
    assert json.loads(target.read_text())['scripts']


def test_link_to_a_file_that_is_to_come_is_followed(run_script: RunScript) -> None:
    Path('link.md').symlink_to('new.md')
    run_script('compare.py', *SHORTER, '--markdown', 'link.md')
    assert Path('link.md').is_symlink()
    assert Path('new.md').read_text().startswith('| script |')


def test_pipes_are_written_to(start_script: StartScript) -> None:
    os.mkfifo('pipe')
    process = start_script('compare.py', *SHORTER, '--markdown', 'pipe')
    assert Path('pipe').read_text().startswith('| script |')
    assert process.wait(PATIENCE) == 0
    assert Path('pipe').is_fifo()


def test_full_device_stays_one_and_is_told(run_script: RunScript) -> None:
    Path('full').symlink_to('/dev/full')
    run = run_script('compare.py', *SHORTER, '--json', 'full')
    assert Path('full').is_char_device()
    assert len(rows(run.stdout)) == 3
    assert (run.returncode, run.stderr) == (1, 'compare.py: No space left on device: full\n')


def redirected(redirection: str, *args: object) -> subprocess.CompletedProcess[str]:
    """Run compare.py as a shell does with a redirection."""
    words = ['sh', '-c', f'exec "$@" {redirection}', 'sh', *command('compare.py', *args)]
    return subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE)


@pytest.mark.parametrize('redirection', ['>&-', '2>&-', '<&-', '>&- 2>&- <&-', '2>/dev/full'])
def test_closed_streams_do_no_harm(redirection: str) -> None:
    run = redirected(redirection, *SHORTER, '--json', 'c.json', '--timeline')
    assert (run.returncode, run.stderr) == (0, '')
    assert ('speed-up' in run.stdout) == ('>&-' not in redirection.replace('2>&-', ''))
    assert len(json.loads(Path('c.json').read_text())['scripts']) == 2


def test_failure_that_cannot_be_told_still_counts() -> None:
    with misbehaving('answers 404') as server:
        run = redirected('2>/dev/full', '-n', 1, '-s', server.url)
    assert run.returncode == 1
    assert rows(run.stdout)['flags.py'][0] == 'failed'


def test_files_are_written_although_nobody_reads_the_table(start_script: StartScript) -> None:
    process = start_script('compare.py', *SHORTER, '--json', 'c.json')
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.wait(PATIENCE) == 128 + signal.SIGPIPE
    assert process.stderr.read() == ''
    assert json.loads(Path('c.json').read_text())['scripts']


def test_memory_is_left_out_without_psutil(run_script: RunScript) -> None:
    run = run_script('compare.py', *SHORTER, **without('psutil'))
    assert (run.returncode, run.stderr) == (0, '')
    assert {cells[4] for cells in list(rows(run.stdout).values())[1:]} == {'-'}


def test_plot_without_matplotlib_tells_what_to_install(run_script: RunScript) -> None:
    run = run_script('compare.py', *SHORTER, '--plot', 'c.png', **without('matplotlib'))
    assert (run.returncode, run.stdout) == (1, '')
    assert run.stderr == "compare.py: --plot needs matplotlib: pip install '.[compare]'\n"
