"""compare.py, end to end, with short delays."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from functools import partial
from pathlib import Path

import httpx
import pytest
from comparisons import CAN_PLOT, PLOT, PNG, page_runs, rows, scripts_of
from conftest import (
    PATIENCE,
    RunScript,
    Server,
    StartScript,
    StartServer,
    command,
    members,
    press_ctrl_c,
    running_here,
    shown_on_terminal,
    wait_until,
    with_sitecustomize,
    without,
)
from cpu_tools import cpu_script
from endings import SOON
from raw_server import GIF, misbehaving, raw_server, request_path, response

import compare
from comparing.runs import Request
from comparing.server import chosen_server

FLAGS2 = ['flags2_sequential.py', 'flags2_threadpool.py', 'flags2_asyncio.py']
FLAGS = ['flags.py', 'flags_threadpool.py', 'flags_processpool.py', 'flags_asyncio.py']
SHORT = ['--delay', '.01', '.05', '-n', '1']
ONCE = ['flags2', '--scan', '1', '-n', '1', 'br']  # two scripts, one flag
SHORTER = [*ONCE, '--delay', '.01', '.05']


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
    assert table['script'] == ['time', 'speed-up', 'MB', 'in flight', 'limit', 'eff.']
    assert list(table)[1:] == FLAGS
    assert table['flags.py'][1] == '1.0x'


def test_table_tells_what_the_server_saw(files: tuple[str, Path]) -> None:
    table = rows(files[0])
    in_flight = {script: int(table[script][3]) for script in FLAGS}
    assert in_flight['flags.py'] == 1
    assert in_flight['flags_processpool.py'] <= (os.cpu_count() or 1)
    assert in_flight['flags_threadpool.py'] > 1
    assert in_flight['flags_asyncio.py'] > 1
    assert all(0 < float(table[script][5]) <= 1 for script in FLAGS)


def test_memory_is_that_of_all_processes_of_a_script(files: tuple[str, Path]) -> None:
    table = rows(files[0])
    assert int(table['flags_processpool.py'][2]) > 1.5 * int(table['flags.py'][2])


def test_bars_are_scaled_to_the_width(files: tuple[str, Path]) -> None:
    bars = re.findall(r'^\S+\.py +[█▏▎▍▌▋▊▉]+ \d.*', files[0], re.M)
    assert len(bars) == 4
    assert max(map(len, bars)) == 80


def test_timelines_share_one_axis(files: tuple[str, Path]) -> None:
    timelines = files[0].split('\n\n')[2:6]
    assert [text.partition(':')[0] for text in timelines] == FLAGS
    stairs = timelines[0].splitlines()[1:]
    starts = [len(re.sub('█.*', '', row)) for row in stairs]
    assert len(stairs) == 20
    assert starts == sorted(starts)
    assert timelines[3].splitlines()[-1].startswith('0 s')


def test_json_has_all_runs_and_where_they_ran(files: tuple[str, Path]) -> None:
    facts = json.loads((files[1] / 'c.json').read_text('utf-8'))
    assert facts['httpx'] == httpx.__version__
    assert facts['options'][:5] == SHORT
    assert [script['name'] for script in facts['scripts']] == FLAGS
    for script in facts['scripts']:
        (run,) = script['runs']
        assert run['elapsed'] > 0
        assert len(run['requests']) == 20


def test_times_are_those_that_scripts_print(files: tuple[str, Path]) -> None:
    """These are not less than the server's delays, but for what rounding takes away."""
    facts = json.loads((files[1] / 'c.json').read_text('utf-8'))
    for script in facts['scripts']:
        elapsed = script['runs'][0]['elapsed']
        assert f'{elapsed:.2f}' == rows(files[0])[script['name']][0]
        requests = [Request(*fields) for fields in script['runs'][0]['requests']]
        assert elapsed > max(request.start + request.delay for request in requests) - 0.005


def test_number_of_runs_is_three_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('sys.argv', ['compare.py'])
    assert compare.process_args().runs == 3


def test_files_keep_their_mode_and_their_links_over_several_runs(run_script: RunScript) -> None:
    target = Path('private.json')
    target.touch(0o600)
    Path('link.json').symlink_to(target)
    Path('link.md').symlink_to('new.md')
    svg = ['--plot', 's.svg'] if CAN_PLOT else []
    files = ['--json', 'link.json', '--markdown', 'link.md', *svg]
    run = run_script('compare.py', *SHORTER, '-n', 2, *files)
    assert (run.returncode, run.stderr) == (0, '')  # progress is for terminals
    assert Path('link.json').is_symlink()
    assert target.stat().st_mode & 0o777 == 0o600
    scripts = json.loads(target.read_text('utf-8'))['scripts']
    assert [len(script['runs']) for script in scripts] == [2, 2]
    assert Path('link.md').is_symlink()
    assert Path('new.md').read_text('utf-8').startswith('| script |')
    for picture in svg[1:]:
        assert Path(picture).read_text('utf-8').startswith('<?xml')


def test_markdown_is_the_same_table(files: tuple[str, Path]) -> None:
    lines = (files[1] / 'c.md').read_text('utf-8').splitlines()
    assert lines[0].startswith('| script | time | speed-up |')
    assert [line.split(' | ')[0].removeprefix('| ') for line in lines[2:]] == FLAGS


@pytest.mark.skipif(not CAN_PLOT, reason='matplotlib is missing')
def test_plot_is_a_picture_1000_pixels_wide(files: tuple[str, Path]) -> None:
    picture = (files[1] / 'c.png').read_bytes()
    assert picture.startswith(PNG)
    assert int.from_bytes(picture[16:20], 'big') == 1000


def test_html_is_a_page_with_all_requests_that_needs_no_server(files: tuple[str, Path]) -> None:
    runs = list(page_runs(files[1]).values())
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
    in_flight = {name: cells[3] for name, cells in rows(run.stdout).items()}
    assert in_flight == {
        'script': 'in flight',
        'flags2_threadpool.py -m 1': '1',
        'flags2_threadpool.py -m 4': '4',
        'flags2_asyncio.py -m 1': '1',
        'flags2_asyncio.py -m 4': '4',
    }


def test_slow_server_that_runs_tells_of_its_requests(
    run_script: RunScript, fast_server: Server
) -> None:
    for _ in range(2):  # those of the first comparison are no part of the second
        run = run_script('compare.py', *ONCE, 'us', '-s', fast_server.url, '--timeline')
        header, *others = rows(run.stdout).values()
        assert header[3:] == ['in flight', 'limit', 'eff.']
        assert [cells[3] for cells in others] == ['1', '1']
        assert len(re.findall(r'^flags2_.*: 2 requests$', run.stdout, re.M)) == 2
    assert len(fast_server.requests()) == 8


def test_another_server_can_be_asked(run_script: RunScript, file_server: str) -> None:
    """It tells nothing of what it saw."""
    run = run_script('compare.py', *ONCE, '-s', file_server, '--timeline')
    assert rows(run.stdout)['script'] == ['time', 'speed-up', 'MB']
    assert run.stdout.count('no timeline') == 2
    assert (run.returncode, run.stderr) == (0, '')


SOMETHING_ELSE = [
    b'<p>Hello</p>',
    b'[1, 2]',
    b'{"now": "1", "change": {}, "requests": [{"code": "BR", "start": 1, "end": 2}]}',
    100_000 * b'[',
    b'{"now": 1, "change": 2, "requests": [{"code": "BR"}]}',
]


def answer_with(answer: bytes, conn: socket.socket) -> None:
    """Send the same to whatever asks for no flag."""
    is_flag = request_path(conn).endswith('.gif')
    conn.sendall(response('200 OK', GIF if is_flag else answer))


@pytest.mark.parametrize('answer', SOMETHING_ELSE, ids=range(5))
def test_server_that_tells_something_else_tells_of_no_requests(answer: bytes) -> None:
    with (
        raw_server(partial(answer_with, answer)) as running,
        chosen_server(running.url, None) as server,
    ):
        before = server.state()
        assert before is None or server.requests_since(before) == []


def test_server_that_tells_something_else_does_no_harm(run_script: RunScript) -> None:
    with raw_server(partial(answer_with, SOMETHING_ELSE[-1])) as server:
        run = run_script('compare.py', 'flags2', '-n', 1, '-s', server.url, 'br')
    assert (run.returncode, run.stderr) == (0, '')
    assert rows(run.stdout)['script'] == ['time', 'speed-up', 'MB']


def test_errors_are_part_of_the_work_but_shown(
    run_script: RunScript, start_server: StartServer
) -> None:
    server = start_server('--max-delay', 0, '--error-rate', 0.5)
    run = run_script('compare.py', 'flags2', '-n', 1, '-s', server.url)
    table = rows(run.stdout)
    told = re.findall(r'^compare.py: (.*): (\d+) errors?, such as .*418', run.stderr, re.M)
    assert run.returncode == 0
    assert table['script'][-1] == 'errors'
    assert told == [(script, table[script][-1]) for script in FLAGS2]


@pytest.mark.parametrize('behavior', ['refuses', 'answers 404'])
def test_comparison_of_failures_fails(behavior: str, run_script: RunScript) -> None:
    with misbehaving(behavior) as server:
        files = ['--json', 'c.json', '--html', 'c.html', '--trace', 'c.trace', *PLOT]
        options = ['-n', 1, '-s', server.url, *files, 'br', 'us']
        run = run_script('compare.py', 'flags2', *options)
    assert run.returncode == 1
    assert {rows(run.stdout)[script][0] for script in FLAGS2} == {'failed'}
    assert re.findall('compare.py: (.*) failed:', run.stderr) == FLAGS2
    for script in json.loads(Path('c.json').read_text('utf-8'))['scripts']:
        assert script['runs'] == []
        assert 'nothing was downloaded' in script['failure'] or 'exit status' in script['failure']


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


def test_script_that_is_stopped_has_no_time(
    start_script: StartScript, start_server: StartServer
) -> None:
    """It reports what it has done so far, and how long that took."""
    server = start_server('--min-delay', 1.5, '--max-delay', 1.5)
    process = start_script('compare.py', 'flags2', '-n', 1, '-s', server.url, 'br', 'us')
    wait_until(server.requests, PATIENCE)
    os.kill(scripts_of(process, 'flags2_sequential.py')[0], signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert rows(stdout)['flags2_sequential.py'][0] == 'failed'
    assert '(exit status 143)' in stderr


@pytest.mark.parametrize(('signum', 'to_group'), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_signal_ends_scripts_and_reports_what_is_complete(
    signum: signal.Signals, to_group: bool, start_script: StartScript
) -> None:
    options = ['--json', 'c.json', '--delay', '.05', '.06', '-n', 50, *PLOT]
    process = start_script('compare.py', *options)
    wait_until(lambda: scripts_of(process, FLAGS[1]), PATIENCE)
    start = time.monotonic()
    press_ctrl_c(process) if to_group else process.send_signal(signum)
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert time.monotonic() - start < SOON
    wait_until(lambda: not members(process.pid))
    assert (process.returncode, stderr) == (128 + signum, 'compare.py: interrupted\n')
    assert list(rows(stdout))[:2] == ['script', 'flags.py']
    assert json.loads(Path('c.json').read_text('utf-8'))['scripts'][0]['runs']
    for picture in PLOT[1:]:
        assert Path(picture).read_bytes().startswith(PNG)
    wait_until(lambda: not running_here())


def test_interrupted_comparison_leaves_files_as_they_were(start_script: StartScript) -> None:
    Path('old.json').write_text('old', 'utf-8')
    options = ['--json', 'old.json', '--markdown', 'new.md', '--delay', 5, 5]
    process = start_script('compare.py', *options)
    wait_until(lambda: scripts_of(process, FLAGS[0]))
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    assert Path('old.json').read_text('utf-8') == 'old'
    assert not Path('new.md').exists()


def test_progress_is_live_and_names_the_run() -> None:
    progress = shown_on_terminal(command('compare.py', *SHORTER), 'stderr', 80)
    assert 'flags2_asyncio.py -m 1, run 1 of 1:  50%' in progress
    assert '0/2' in progress
    assert 'it/s' not in progress


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


def test_system_that_lacks_much_gets_what_can_be_told(run_script: RunScript) -> None:
    """It encodes no blocks, does not tell its load, and measures no memory."""
    poor = with_sitecustomize(
        'import os, sys', 'del os.getloadavg', "sys.modules['psutil'] = None  # cannot be imported"
    )
    run = run_script('compare.py', *SHORTER, PYTHONIOENCODING='ascii', **poor)
    assert (run.returncode, run.stderr) == (0, '')
    assert re.search(r'\nflags2_asyncio.py -m 1 +#+ \d', run.stdout)
    assert '\x1b' not in run.stdout
    assert 'busy' not in run.stdout
    assert rows(run.stdout)['script'] == ['time', 'speed-up', 'in flight', 'limit', 'eff.']


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
def test_bad_input_is_refused(
    args: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr('sys.argv', ['compare.py', *args])
    with pytest.raises(SystemExit, match='2'):
        compare.main()
    out, err = capsys.readouterr()
    assert out == ''
    assert 'compare.py' in err.splitlines()[-1]
    assert 'error: ' in err.splitlines()[-1]


def test_line_ends_of_windows_are_line_ends(
    run_script: RunScript, start_server: StartServer
) -> None:
    windows = with_sitecustomize(
        'import sys',
        'for stream in (sys.stdout, sys.stderr):',
        "    stream.reconfigure(newline='\\r\\n')",
    )
    url = start_server('--max-delay', 0, '--error-rate', 0.5).url
    run = run_script('compare.py', 'flags2', '-n', 1, '-s', url, '-l', 12, **windows)
    assert run.returncode == 0, run.stderr
    assert 'failed' not in run.stdout
    assert len(re.findall('such as [A-Z]{2}: HTTP error 418', run.stderr)) == 3


def test_coarse_clock_does_no_harm(run_script: RunScript) -> None:
    """That of Windows ticks 64 times a second; here all requests take no time at all."""
    coarse = with_sitecustomize(
        'import time',
        'for name in ("time", "monotonic", "perf_counter"):',
        '    fine = getattr(time, name)',
        '    setattr(time, name, lambda fine=fine: fine() // 2 * 2.0)',
    )
    options = ['--delay', 0, 0, '-n', 1, '--timeline', '--html', 'c.html', *PLOT]
    run = run_script('compare.py', 'flags2', *options, 'br', 'us', **coarse)
    assert (run.returncode, run.stderr) == (0, '')
    in_flight = {cells[3] for cells in list(rows(run.stdout).values())[1:]}
    assert in_flight <= {'1', '2'}  # two, if the clock has ticked meanwhile


def test_busy_machine_is_told_below_the_figures(run_script: RunScript) -> None:
    busy = with_sitecustomize('import os', 'os.getloadavg = lambda: (1e3, 0, 0)')
    run = run_script('compare.py', *SHORTER, '--json', 'c.json', **busy)
    note = run.stdout.split('\n\n')[-1]
    assert note.startswith('The machine was busy')
    assert json.loads(Path('c.json').read_text('utf-8'))['note'] == ' '.join(note.split())


def test_pipes_are_written_to(start_script: StartScript) -> None:
    os.mkfifo('pipe')
    process = start_script('compare.py', *SHORTER, '--markdown', 'pipe')
    assert Path('pipe').read_text('utf-8').startswith('| script |')
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


@pytest.mark.parametrize('redirection', ['>&-', '>&- 2>&- <&-', '2>/dev/full'])
def test_closed_streams_do_no_harm(redirection: str) -> None:
    run = redirected(redirection, *SHORTER, '--json', 'c.json', '--timeline')
    assert (run.returncode, run.stderr) == (0, '')
    assert ('speed-up' in run.stdout) == ('>&-' not in redirection.replace('2>&-', ''))
    assert len(json.loads(Path('c.json').read_text('utf-8'))['scripts']) == 2


def test_failure_that_cannot_be_told_still_counts() -> None:
    with misbehaving('answers 404') as server:
        run = redirected('2>/dev/full', *ONCE, '-s', server.url)
    assert run.returncode == 1
    assert rows(run.stdout)['flags2_asyncio.py -m 1'][0] == 'failed'


def test_files_are_written_although_nobody_reads_the_table(start_script: StartScript) -> None:
    process = start_script('compare.py', *SHORTER, '--json', 'c.json')
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.wait(PATIENCE) == 128 + signal.SIGPIPE
    assert process.stderr.read() == ''
    assert json.loads(Path('c.json').read_text('utf-8'))['scripts']


def test_plot_without_matplotlib_tells_what_to_install(run_script: RunScript) -> None:
    run = run_script('compare.py', *SHORTER, '--plot', 'c.png', **without('matplotlib'))
    assert (run.returncode, run.stdout) == (1, '')
    assert run.stderr == "compare.py: --plot needs matplotlib: pip install '.[compare]'\n"
