"""compare.py, end to end, with short delays."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import httpx
import pytest
from comparisons import CAN_PLOT, PLOT, PNG, needs_matplotlib, page_runs, rows, scripts_of
from conftest import (
    PATIENCE,
    ROOT,
    RunScript,
    Server,
    StartScript,
    StartServer,
    command,
    flag_url,
    members,
    needs_full_disk,
    needs_posix,
    press_ctrl_c,
    running_here,
    shown_on_terminal,
    wait_until,
    with_sitecustomize,
    without,
)
from raw_server import converse, misbehaving, raw_server, response

import compare
from comparing import commands
from comparing.spans import Span as Request

FLAGS = ['flags.py', 'flags_threadpool.py', 'flags_processpool.py', 'flags_asyncio.py']
SHORT = ['--delay', '.01', '.05', '-n', '1']
ONCE = ['flags2', '--scan', '1', '-n', '1', 'br']  # two scripts, one flag
SHORTER = [*ONCE, '--delay', '.01', '.05']


@pytest.fixture(scope='module')
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Return what a comparison shows, and the folder with all it can save."""
    folder = tmp_path_factory.mktemp('compare')
    shown = ['--timeline', '--html', 'c.html', '--json', 'c.json', '--csv', 'c.csv', *PLOT]
    shown += ['--markdown', 'c.md']
    run = subprocess.run(
        command('compare.py', *SHORT, *shown),
        cwd=folder,
        capture_output=True,
        encoding='utf-8',
        timeout=PATIENCE,
        env=os.environ | {'COLUMNS': '80', 'MPLBACKEND': 'none'},
    )
    assert run.returncode == 0, run.stderr
    return run.stdout, folder


def test_table_tells_what_the_server_saw_of_each_script(files: tuple[str, Path]) -> None:
    table = rows(files[0])
    assert table['script'] == ['time', 'speed-up', 'MB', 'in flight', 'limit', 'eff.']
    assert list(table)[1:] == FLAGS
    assert table['flags.py'][1] == '1.0×'
    in_flight = {script: int(table[script][3]) for script in FLAGS}
    assert in_flight['flags.py'] == 1
    assert in_flight['flags_processpool.py'] <= (os.cpu_count() or 1)
    assert in_flight['flags_threadpool.py'] > 1
    assert in_flight['flags_asyncio.py'] > 1
    assert [script for script in FLAGS if not 0 < float(table[script][5]) <= 1] == []


def test_memory_is_that_of_all_processes_of_a_script(files: tuple[str, Path]) -> None:
    table = rows(files[0])
    assert int(table['flags_processpool.py'][2]) > 1.5 * int(table['flags.py'][2])
    assert 'Memory' not in files[0]


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
    """Their times are those that scripts print: not less than the delays, but for rounding."""
    saved = json.loads((files[1] / 'c.json').read_text('utf-8'))
    assert saved['httpx'] == httpx.__version__
    assert saved['options'][:5] == SHORT
    assert [script['name'] for script in saved['scripts']] == FLAGS
    for script in saved['scripts']:
        (run,) = script['runs']
        assert f'{run["elapsed"]:.2f}' == rows(files[0])[script['name']][0]
        requests = [Request(**fields) for fields in run['spans']]
        assert len(requests) == 20
        assert all(0.01 <= each.delay <= 0.05 for each in requests)
        assert run['elapsed'] > max(each.start + each.delay for each in requests) - 0.005


def test_markdown_is_the_same_table(files: tuple[str, Path]) -> None:
    lines = (files[1] / 'c.md').read_text('utf-8').splitlines()
    cells = [re.split(r' *\| *', line)[1:-1] for line in lines]
    assert {row[0]: row[1:] for row in [cells[0], *cells[2:]]} == rows(files[0])


@needs_matplotlib
def test_plot_is_a_picture_1000_pixels_wide(files: tuple[str, Path]) -> None:
    picture = (files[1] / 'c.png').read_bytes()
    assert picture.startswith(PNG)
    assert int.from_bytes(picture[16:20], 'big') == 1000


def test_html_is_a_page_with_all_requests_that_needs_no_server(files: tuple[str, Path]) -> None:
    runs = list(page_runs(files[1]).values())
    assert [run['label'].partition(': ')[0] for run in runs] == FLAGS
    assert [len(run['requests']) for run in runs] == [20] * 4
    lanes = [len({request['lane'] for request in run['requests']}) for run in runs]
    assert (lanes[0], lanes[3]) == (1, 20)


def test_no_file_is_left_beside_those_asked_for(files: tuple[str, Path]) -> None:
    asked_for = {'c.csv', 'c.html', 'c.json', 'c.md', *PLOT[1:]}
    assert {path.name for path in files[1].iterdir()} == asked_for


def test_defaults_are_three_runs_and_delays_of_a_cdn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('sys.argv', ['compare.py'])
    args = compare.process_args()
    assert (args.runs, args.delay, commands.CDN_DELAY) == (3, None, (0.24, 0.48))


@needs_posix
def test_files_are_written_where_links_and_pipes_lead(start_script: StartScript) -> None:
    """They keep their mode, and hold all runs of each script."""
    Path('private.json').touch(0o600)
    Path('link.json').symlink_to('private.json')
    Path('link.html').symlink_to('new.html')
    os.mkfifo('pipe')
    files = ['--json', 'link.json', '--html', 'link.html', '--markdown', 'pipe']
    process = start_script('compare.py', *SHORTER, '-n', 2, *files)
    assert Path('pipe').read_text('utf-8').startswith('| script | min |')
    _, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stderr) == (0, '')  # progress is for terminals
    assert Path('pipe').is_fifo()
    assert Path('link.json').is_symlink()
    assert Path('private.json').stat().st_mode & 0o777 == 0o600
    scripts = json.loads(Path('private.json').read_text('utf-8'))['scripts']
    assert [len(script['runs']) for script in scripts] == [2, 2]
    assert Path('link.html').is_symlink()
    assert Path('new.html').read_text('utf-8').startswith('<!DOCTYPE html>')


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
    httpx.get(flag_url(fast_server.url, 'cn'))  # no part of the comparison
    run = run_script('compare.py', *ONCE, 'us', '-s', fast_server.url, '--timeline')
    header, *others = rows(run.stdout).values()
    assert header[3:] == ['in flight']  # a server without delays sets no limit
    assert [cells[3] for cells in others] == ['1', '1']
    assert len(re.findall(r'^flags2_.*: 2 requests$', run.stdout, re.M)) == 2
    assert len(fast_server.first_requests(5)) == 5


def test_another_server_can_be_asked(run_script: RunScript, file_server: str) -> None:
    """It tells nothing of what it saw."""
    run = run_script('compare.py', *ONCE, '-s', file_server, '--timeline')
    assert rows(run.stdout)['script'] == ['time', 'speed-up', 'MB']
    assert run.stdout.count('no timeline') == 2
    assert (run.returncode, run.stderr) == (0, '')


def test_errors_are_part_of_the_work_but_shown(
    run_script: RunScript, start_server: StartServer
) -> None:
    server = start_server('--max-delay', 0, '--error-rate', 0.5)
    run = run_script('compare.py', 'flags2', '--scan', 4, '-n', 1, '-s', server.url)
    header, *others = rows(run.stdout).items()
    told = re.findall(r'^compare.py: (.*): (\d+) errors?, such as .*418', run.stderr, re.M)
    assert run.returncode == 0
    assert header[1][-1] == 'errors'
    assert told == [(script, cells[-1]) for script, cells in others]
    assert len(told) == 2


def test_comparison_of_failures_fails_after_one_run_of_each_script(run_script: RunScript) -> None:
    files = ['--json', 'c.json', '--html', 'c.html', *PLOT]
    asked: list[str] = []
    with raw_server(partial(converse, [response('404 Not Found')], asked)) as server:
        run = run_script('compare.py', '-n', 2, '-s', server.url, *files)
    assert run.returncode == 1
    assert [cells[0] for cells in rows(run.stdout).values()] == ['time', *['failed'] * 4]
    told = re.findall(r'compare.py: (.*) failed:\n\1: .*404.*\n\(run 1 of 2: exit', run.stderr)
    assert told == FLAGS
    assert asked.count('/flags/bd/bd.gif') <= 4
    scripts = json.loads(Path('c.json').read_text('utf-8'))['scripts']
    assert [script['runs'] for script in scripts] == [[]] * 4
    assert ['exit status 1' in script['failure'] for script in scripts] == [True] * 4


@needs_posix
@pytest.mark.parametrize(('signum', 'to_group'), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_signal_ends_scripts_and_reports_what_is_complete(
    signum: signal.Signals, to_group: bool, start_script: StartScript
) -> None:
    svg = ['--plot', 'c.svg'] if CAN_PLOT else []
    options = ['--json', 'c.json', '-n', 50, *svg]
    process = start_script('compare.py', *SHORTER, *options)
    wait_until(lambda: scripts_of(process, 'flags2_asyncio.py'))
    press_ctrl_c(process) if to_group else process.send_signal(signum)
    stdout, stderr = process.communicate(timeout=PATIENCE)
    wait_until(lambda: not members(process.pid))
    assert process.returncode == -signum
    assert re.match(r'compare.py: flags2_.* was interrupted in run \d+ of 50\n', stderr)
    assert stderr.endswith('compare.py: interrupted\n')
    assert list(rows(stdout))[:2] == ['script', 'flags2_threadpool.py -m 1']
    assert json.loads(Path('c.json').read_text('utf-8'))['scripts'][0]['runs']
    for picture in svg[1:]:
        assert Path(picture).read_text('utf-8').startswith('<?xml')
    wait_until(lambda: not running_here())


@needs_posix
def test_interrupted_comparison_leaves_files_as_they_were(start_script: StartScript) -> None:
    Path('old.json').write_text('old', 'utf-8')
    options = ['--json', 'old.json', '--markdown', 'new.md', '--delay', 5, 5]
    process = start_script('compare.py', *options)
    wait_until(lambda: scripts_of(process, FLAGS[0]))
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == -signal.SIGINT
    assert Path('old.json').read_text('utf-8') == 'old'
    assert not Path('new.md').exists()


@needs_posix
def test_terminal_gets_live_progress_that_names_the_run_and_narrow_lines_in_colour() -> None:
    shown = shown_on_terminal(command('compare.py', *SHORTER), 60, 'stdout', 'stderr')
    assert re.search(r'flags2_asyncio\.py -m 1, run 1 of 1:  50%.* 1/2', shown)
    assert ' 0/2' in shown
    assert 'it/s' not in shown
    wide = shown_on_terminal(command('compare.py', *SHORTER), 120, 'stdout', 'stderr')
    assert re.search(r'asyncio[^\r]* 1/2 [^\r]*, flags2_threadpool\.py -m 1: \d\.\d\d s\]', wide)
    assert '\x1b[34m█' in shown
    plain = re.sub(r'[^\n]*\r(?!\n)|\x1b\[\d+m', '', shown).split('\r\n')
    assert max(map(len, plain)) == 60


def test_system_that_lacks_much_gets_what_can_be_told(run_script: RunScript) -> None:
    """It encodes no blocks, measures no memory, and does the following as Windows does.

    It ends lines otherwise, and has a coarse clock, by which requests take no time at all.
    """
    poor = with_sitecustomize(
        'import sys, time',
        "sys.modules['psutil'] = None  # cannot be imported",
        'for stream in (sys.stdout, sys.stderr):',
        "    stream.reconfigure(newline='\\r\\n')",
        'for name in ("time", "monotonic", "perf_counter"):',
        '    fine = getattr(time, name)',
        '    setattr(time, name, lambda fine=fine: fine() // 2 * 2.0)',
    )
    options = ['-n', 1, '--delay', 0, 0, '--timeline', '--html', 'c.html', *PLOT]
    args = ['compare.py', 'flags2', 'br', 'us', '--scan', 2, *options]
    run = run_script(*args, PYTHONIOENCODING='ascii', **poor)
    assert (run.returncode, run.stderr) == (0, '')
    assert re.search(r'\nflags2_asyncio.py -m 2 +#+ \d', run.stdout)
    assert '\x1b' not in run.stdout
    assert "\n\nMemory is not shown: pip install '.[compare]' brings psutil.\n\n" in run.stdout
    header, *others = rows(run.stdout).values()
    assert header == ['time', 'speed-up', 'in flight']
    assert {cells[2] for cells in others} <= {'1', '2'}  # two, if the clock has ticked meanwhile


@pytest.mark.parametrize(
    'line',
    [
        'nonsense',
        '-n 0',
        '--delay 2 1',
        '--delay -1 1',
        '--delay 1 2 -s LOCAL',
        '-s NOWHERE',
        '--plot picture.txt',
        '--json .',
        '--json no/such/folder.json',
        f'--json {300 * "x"}',
        "--markdown ''",
        '--markdown /proc/version',
        'flags2 B1',
        'flags2 --scan br',
        '--scan 1 2',
        '--dask',
        'primes -s LOCAL',
        'map',
        'flags2 --scan 0',
        'primes 0',
    ],
)
def test_bad_input_is_refused(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr('sys.argv', ['compare.py', *shlex.split(line)])
    with pytest.raises(SystemExit, match='2'):
        compare.main()
    out, err = capsys.readouterr()
    assert out == ''
    assert re.match('.*compare.py.* error: ', err.splitlines()[-1])


@needs_full_disk
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


@needs_posix
def test_closed_streams_do_no_harm() -> None:
    run = redirected('>&- 2>&- <&-', *SHORTER, '--json', 'c.json', '--timeline')
    assert run.returncode == 0
    assert len(json.loads(Path('c.json').read_text('utf-8'))['scripts']) == 2


@needs_full_disk
def test_failure_that_cannot_be_told_still_counts() -> None:
    with misbehaving('answers 404') as server:
        run = redirected('2>/dev/full', *ONCE, '-s', server.url)
    assert run.returncode == 1
    assert rows(run.stdout)['flags2_asyncio.py -m 1'][0] == 'failed'


@needs_posix
def test_files_are_written_although_nobody_reads_the_table(start_script: StartScript) -> None:
    process = start_script('compare.py', *SHORTER, '--json', 'c.json')
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.wait(PATIENCE) == -signal.SIGPIPE
    assert process.stderr.read() == ''
    assert json.loads(Path('c.json').read_text('utf-8'))['scripts']


def test_plot_without_matplotlib_tells_what_to_install(run_script: RunScript) -> None:
    run = run_script('compare.py', *SHORTER, '--plot', 'c.png', **without('matplotlib'))
    assert (run.returncode, run.stdout) == (1, '')
    assert run.stderr == "compare.py: --plot needs matplotlib: pip install '.[compare]'\n"


def test_encoding_without_the_signs_of_a_table_gets_others(run_script: RunScript) -> None:
    """As three runs have a spread, and a name has a wide character."""
    options = ['--delay', 0, 0.01, '--scan', 1, '-n', 3, '--timeline', '--name', 'ス\u0301…']
    run = run_script('compare.py', 'flags2', 'br', *options, 'flags2_asyncio.py')
    assert re.search(r'ス\u0301… -m 1 +\d.* 1\.0×', run.stdout)
    run = run_script(
        'compare.py',
        'flags2',
        'br',
        *options,
        'flags2_asyncio.py',
        'flags2_threadpool.py',
        PYTHONIOENCODING='ascii',
    )
    assert (run.returncode, run.stderr) == (0, '')
    assert re.search(r'^\?\?\.\.\. -m 1 .* 1\.0x', run.stdout, re.M)
    assert re.search(r'^flags2_threadpool\.py -m 1 .*\d\+-[\d.]+x', run.stdout, re.M)


def test_options_may_come_before_the_series_and_codes_after_a_scan(run_script: RunScript) -> None:
    run = run_script('compare.py', *SHORT, 'flags2', 'br', '--csv', '-')
    assert [line.split(',')[0] for line in run.stdout.splitlines()] == [
        'command',
        'flags2_sequential.py',
        'flags2_threadpool.py',
        'flags2_asyncio.py',
    ]
    run = run_script('compare.py', 'flags2', '--scan', 1, 2, 'br', 'us', *SHORT, '--json', '-')
    scripts = {script['name']: script['runs'][0] for script in json.loads(run.stdout)['scripts']}
    assert list(scripts) == [
        f'flags2_{name}.py -m {number}' for name in ('threadpool', 'asyncio') for number in (1, 2)
    ]
    codes = [sorted(span['code'] for span in each['spans']) for each in scripts.values()]
    assert codes == [['BR', 'US']] * 4


def test_table_in_markdown_may_go_to_stdout_instead_of_the_other_one(run_script: RunScript) -> None:
    header, rule, *cells = run_script('compare.py', *SHORTER, '--markdown', '-').stdout.splitlines()
    assert header.startswith('| script | time |')
    assert rule.startswith('| --- | ---: |')
    assert len(cells) == 2


def test_help_names_what_can_be_compared_and_where_it_runs(run_script: RunScript) -> None:
    shown = ' '.join(run_script('compare.py', '-h').stdout.split())
    for words in (
        '--delay MIN MAX',
        '-s LABEL',
        '--scan N',
        'a SCRIPT ends in .py',
        'current folder',
    ):
        assert words in shown


def test_requests_of_others_are_no_part_of_a_run(
    run_script: RunScript, start_script: StartScript, start_server: StartServer
) -> None:
    """They come from another process of ours, which tells its number, all the time."""
    server = start_server('--min-delay', 0.1, '--max-delay', 0.1)
    others = start_script('flags2_asyncio.py', '-e', '-m', 4, '-s', server.url)
    wait_until(lambda: server.requests())
    curl = f'{sys.executable} get.py {{url}}'
    Path('get.py').write_text(
        'import sys, urllib.request\n'
        'urllib.request.urlopen(f"{sys.argv[1]}/br/br.gif?t=1").read()\n',
        'utf-8',
    )
    shell = f'sh -c "{sys.executable} {ROOT}/flags2_sequential.py br us -s {{url}}; true"'
    options = ['--json', 'c.json', '-s', server.url, '-n', 1]
    run = run_script('compare.py', 'flags2_threadpool.py br us', shell, curl, *options)
    assert others.poll() is None  # it has sent requests all the time
    scripts = json.loads(Path('c.json').read_text('utf-8'))['scripts']
    codes = [sorted(span['code'] for span in each['runs'][0]['spans']) for each in scripts]
    assert codes == [['BR', 'US'], ['BR', 'US'], ['BR']]
    assert run.returncode == 0
