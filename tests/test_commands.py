"""compare.py with the scripts and commands of a reader, in place of those of this project."""

import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from comparisons import page_runs, rows
from conftest import (
    PATIENCE,
    ROOT,
    RunScript,
    StartScript,
    command,
    members,
    needs_posix,
    wait_until,
    with_module,
)

from comparing.commands import is_command, named
from flags import POP20_CC

ONCE = ['-n', 1, '--delay', 0.05, 0.1]
# It imports nothing of the project, prints nothing, and knows the server by its last argument
PLAIN = """
import sys, urllib.request
from concurrent.futures import ThreadPoolExecutor
def get(cc):
    urllib.request.urlopen(f'{sys.argv[-1]}/{cc}/{cc}.gif').read()
with ThreadPoolExecutor(3) as executor:
    list(executor.map(get, sys.argv[1].split()))
"""
CODES = ' '.join(POP20_CC).lower()
PYTHON = shlex.quote(sys.executable)
# A name with spaces, quotes and braces; it imports from the project, and knows -s from there
ODD_NAME = "my 'fl{a}gs'.py"
VARIANT = """
from flags import main
from flags_threadpool import download_one
def download_many(cc_list):
    return len([download_one(cc) for cc in cc_list])
if __name__ == '__main__':
    main(download_many)
"""


@pytest.fixture
def plain() -> str:
    """Return the name of a script that a reader has written."""
    Path('plain.py').write_text(PLAIN, 'utf-8')
    return 'plain.py'


def test_any_scripts_and_commands_are_compared_in_the_order_given(
    run_script: RunScript, plain: str
) -> None:
    Path(ODD_NAME).write_text(VARIANT, 'utf-8')
    texts = [ODD_NAME, f'{plain} "{CODES}" {{url}}', f'{PYTHON} {plain} "br cn" {{url}}', plain]
    names = ['--name', ODD_NAME, '--name', 'reader', '--name', 'a|b']
    files = ['--json', 'c.json', '--html', 'c.html', '--csv', 'c.csv', '--markdown', 'c.md']
    run = run_script('compare.py', *texts, *names, *files, *ONCE)
    table, lines = rows(run.stdout), ' '.join(run.stdout.split())
    assert run.returncode == 1
    assert 'plain.py failed:' in run.stderr
    assert list(table)[1:] == [ODD_NAME, 'reader', 'a|b', 'plain.py']
    assert [cells[3] for cells in table.values()] == ['in flight', '1', '3', '2', '-']
    assert [cells[0][-1] for cells in table.values()] == [
        'e',
        table[ODD_NAME][0][-1],
        '*',
        '*',
        'd',
    ]
    assert '* Measured, not printed: from the first request' in lines
    assert f'Not the same work as {ODD_NAME} (20 requests): a|b (2).' in lines
    told = json.loads(Path('c.json').read_text('utf-8'))['scripts']
    assert [script['name'] for script in told] == list(table)[1:]
    speed_ups = {name: cells[1] for name, cells in list(table.items())[1:4]}
    assert {name: each['speed_up'] for name, each in page_runs(Path()).items()} == speed_ups
    assert re.findall(r'(\S+×) \|', Path('c.md').read_text('utf-8')) == list(speed_ups.values())
    assert r'| a\|b |' in Path('c.md').read_text('utf-8')
    with Path('c.csv').open(encoding='utf-8', newline='') as file:
        figures = list(csv.DictReader(file))
    assert [row['command'] for row in figures] == list(speed_ups)
    assert f'{float(figures[0]["median"]):.2f}' == table[ODD_NAME][0]


def test_time_that_is_not_printed_is_that_of_the_requests(
    run_script: RunScript, plain: str
) -> None:
    run = run_script('compare.py', f'{plain} "{CODES}" {{url}}', *ONCE, '--json', 'c.json')
    (script,) = json.loads(Path('c.json').read_text('utf-8'))['scripts']
    (seen,) = script['runs']
    assert run.returncode == 0
    assert seen['elapsed'] == max(request['end'] for request in seen['spans'])
    assert 20 * 0.05 / 3 <= seen['elapsed'] < 20 * 0.1


@pytest.mark.parametrize(
    ('printed', 'why'),
    [
        ('Average per flag: 0.01 s', r'0\.01 s, less than the 0\.\d\d s from its first'),
        ('Total: 1 min 4.05 s', r'64\.05 s, more than the \d+\.\d\d s for which it ran'),
    ],
)
def test_printed_time_that_cannot_be_that_of_the_run_is_told_below_the_one_that_was_seen(
    printed: str, why: str, run_script: RunScript, plain: str
) -> None:
    Path(plain).write_text(f'{PLAIN}print("{printed}")', 'utf-8')
    run = run_script('compare.py', f'{plain} "{CODES}" {{url}}', *ONCE, '--name', 'mine')
    table, lines = rows(run.stdout), ' '.join(run.stdout.split())
    assert 20 * 0.05 / 3 <= float(table['mine'][0].removesuffix('*')) < 20 * 0.1
    assert table['mine'][0].endswith('*')
    assert re.search(rf'mine printed {why}.*, so that is not its time\.', lines)
    assert float(table['mine'][-1]) <= 1  # its efficiency


def test_time_that_the_last_line_ends_with_is_the_time(run_script: RunScript, plain: str) -> None:
    Path(plain).write_text(
        f'import time\nstart = time.perf_counter()\n{PLAIN}time.sleep(0.3)\nprint("In 1.00s: 20")\n'
        'print(f"(took {time.perf_counter() - start:.3f} sec)")',
        'utf-8',
    )
    run = run_script('compare.py', f'{plain} br {{url}}', *ONCE, '--json', 'c.json')
    (script,) = json.loads(Path('c.json').read_text('utf-8'))['scripts']
    (seen,) = script['runs']
    assert run.returncode == 0
    assert seen['elapsed'] > seen['spans'][0]['end'] + 0.3


def test_own_scripts_and_commands_run_here_and_ours_elsewhere(run_script: RunScript) -> None:
    """What they download lands where it does when they are called by hand."""
    Path('codes.txt').write_text('br cn', 'utf-8')
    Path('here.py').write_text(f'import sys\nsys.argv[1:1] = [open("codes.txt").read()]\n{PLAIN}')
    Path(ODD_NAME).write_text(VARIANT, 'utf-8')
    before = {path.name for path in Path().iterdir()}
    module = f'{PYTHON} -m here {{url}}'
    run = run_script('compare.py', 'flags_threadpool.py', 'here.py {url}', module, *ONCE)
    assert run.returncode == 0
    header, _, *others = rows(run.stdout).values()
    assert [cells[header.index('in flight')] for cells in others] == ['2', '2']
    assert {path.name for path in Path().iterdir()} - before <= {'__pycache__'}
    assert run_script('compare.py', ODD_NAME, *ONCE).returncode == 0
    assert len(list(Path('downloaded').iterdir())) == 20


def test_usage_error_on_stdout_is_shown_with_a_hint(run_script: RunScript) -> None:
    """As the book's own scripts print them; this one knows another -s."""
    Path('mine.py').write_text('print("*** Usage error")\nexit(1)', 'utf-8')
    run = run_script('compare.py', 'mine.py', '-n', 2, '-w', 1, '--delay', 0, 0)
    assert run.stderr.startswith('compare.py: mine.py failed:\n*** Usage error\n(warm-up: exit ')
    assert 'write {url} there' in run.stderr
    run = run_script('compare.py', 'mine.py {url}', '-n', 2, '--delay', 0, 0)
    assert run.stderr.endswith('*** Usage error\n(run 1 of 2: exit status 1)\n')


@needs_posix
def test_what_a_hanging_command_has_said_is_shown_when_it_is_interrupted(
    start_script: StartScript,
) -> None:
    Path('mine.py').write_text(
        'import pathlib, time\nprint("connecting", flush=True)\n'
        'pathlib.Path("hangs").touch()\ntime.sleep(86399)',
        'utf-8',
    )
    process = start_script('compare.py', 'mine.py', *ONCE)
    wait_until(Path('hangs').exists)
    process.terminate()
    told = 'mine.py was interrupted in run 1 of 1\nconnecting\ncompare.py: interrupted\n'
    assert process.communicate(timeout=PATIENCE)[1] == f'compare.py: {told}'


@pytest.mark.parametrize(
    ('text', 'told'),
    [
        ('print(1)', 'no request was recorded: does it take -s, {url} or FLAGS_URL?'),
        (
            'import sys; sys.exit("oh\\x1b[31m no")',
            r'oh\x1b[31m no\n(run 1 of 1: exit status 1; it was called with -s and the URL',
        ),
        ('print(10**6 * "x"); exit(10**6 * "oh ")', 'oh oh oh\n(run 1 of 1: exit status 1'),
    ],
    ids=['silent', 'failing', 'loud'],
)
def test_script_without_a_time_or_requests_has_failed(
    text: str, told: str, run_script: RunScript
) -> None:
    Path('mine.py').write_text(text, 'utf-8')
    run = run_script('compare.py', 'mine.py', *ONCE)
    assert run.returncode == 1
    assert told.replace(r'\n', '\n') in run.stderr
    assert len(run.stderr) < 5000


def test_server_is_told_by_the_environment_and_other_failures_can_be_ignored(
    run_script: RunScript, plain: str
) -> None:
    """Nor does the script mind the warm-up run, whose requests are not counted."""
    ending = 'os.environ["FLAGS_URL"]'
    Path(plain).write_text(
        f'import os\n{PLAIN.replace("sys.argv[-1]", ending)}\nsys.exit(3)', 'utf-8'
    )
    options = ['-i', '--warmup', 1, '-n', 1, '--json', 'c.json']
    run = run_script('compare.py', f'{plain} "br cn us"', *options, '--delay', 0, 0)
    assert run.returncode == 0
    (script,) = json.loads(Path('c.json').read_text('utf-8'))['scripts']
    assert [len(each['spans']) for each in script['runs']] == [3]


@needs_posix
def test_end_by_a_signal_is_a_failure_that_cannot_be_ignored(run_script: RunScript) -> None:
    Path('mine.py').write_text('import os; print("In 0.00 s", flush=True); os.abort()', 'utf-8')
    run = run_script('compare.py', 'mine.py', '-i', *ONCE)
    assert run.returncode == 1
    assert 'ended by SIGABRT' in run.stderr


def test_scan_passes_its_number_to_scripts_and_to_commands(
    run_script: RunScript, plain: str
) -> None:
    command = f'{PYTHON} {plain} "br cn" {{m}} {{url}}'
    options = ['--name', 'mine', '--scan', 1, 5, '-l', 3, *ONCE, '--json', 'c.json']
    run_script('compare.py', 'flags2', command, 'flags2_asyncio.py', *options)
    scripts = json.loads(Path('c.json').read_text('utf-8'))['scripts']
    assert [(each['name'], each['command'][3:]) for each in scripts] == [
        ('mine -m 1', ['1', '{url}']),
        ('mine -m 5', ['5', '{url}']),
        ('flags2_asyncio.py -m 1', ['3', '-s', '{url}', '-m', '1']),
        ('flags2_asyncio.py -m 5', ['3', '-s', '{url}', '-m', '5']),
    ]
    assert [len(each['runs'][0]['spans']) for each in scripts] == [2, 2, 3, 3]


def test_script_that_checks_numbers_is_recorded(run_script: RunScript) -> None:
    text = 'import sys\nfrom primes import is_prime\n[is_prime(int(n)) for n in sys.argv[1:]]'
    Path('mine.py').write_text(text, 'utf-8')
    run = run_script('compare.py', 'primes', 'mine.py 7 9', 2, '--timeline')
    assert run.returncode == 0
    assert rows(run.stdout)['mine.py 7 9'][0].endswith('*')
    assert [line.split()[1] for line in run.stdout.splitlines() if re.match('1 +[279] ', line)] == [
        '7',
        '9',
        '2',
    ]


@pytest.mark.parametrize(
    ('words', 'told'),
    [
        (['no such.py'], 'no such script or program: no such.py'),
        (['nothing.py'], 'no such script or program: nothing.py'),
        (['folder.py'], 'no such script or program: folder.py'),
        (['no-such-program {url}'], 'no such script or program: no-such-program {url}'),
        (['"{url}'], '"{url}: No closing quotation'),
        (['flags.py', '--name', 'a', '--name', 'b'], '--name: 2 names for 1 scripts or commands'),
        (['flags.py', 'curl'], r'unrecognized arguments: curl \(a COMMAND has {url}\)'),
        (['curl {url} {m}'], 'curl {url} {m}: {m} goes with --scan'),
        (['flags2', '--scan', '2', '-n', '1', f'{PYTHON} {{url}}'], '--scan: .* has no {m}'),
        (['primes', 'flags.py', '2', '3'], 'unrecognized arguments: 3'),
    ],
)
def test_what_cannot_be_run_is_a_usage_error(
    words: list[str], told: str, run_script: RunScript
) -> None:
    Path('folder.py').mkdir()
    run = run_script('compare.py', *words)
    assert (run.returncode, run.stdout) == (2, '')
    assert re.fullmatch(rf'compare\.py[a-z ]*: error: {told}', run.stderr.splitlines()[-1])


def test_script_of_a_reader_is_found_before_ours_and_at_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    Path('home').mkdir()
    for name in ('flags.py', 'home/mine.py'):
        Path(name).touch()
    mine, at_home, ours = named(['flags.py', '~/mine.py', 'flags_asyncio.py'], [])
    assert (mine.command[1], mine.here) == (str(tmp_path / 'flags.py'), True)
    assert at_home.command[1] == str(tmp_path / 'home/mine.py')
    assert (ours.command[1], ours.here) == (str(ROOT / 'flags_asyncio.py'), False)


def test_command_reads_no_input_and_finds_what_its_reader_has_put_on_the_path() -> None:
    environ = os.environ | with_module('helper', 'WORD = "mine"')
    Path('mine.py').write_text(
        'import pathlib, sys, flags, helper\n'
        'pathlib.Path("told").write_text(helper.WORD + sys.stdin.read())\nprint("In 0.00 s")',
        'utf-8',
    )
    words = command('compare.py', 'mine.py', *ONCE)
    subprocess.run(words, env=environ, input='spam', text=True, timeout=PATIENCE, check=True)
    assert Path('told').read_text('utf-8') == 'mine'


@pytest.mark.parametrize(
    ('word', 'expected'),
    [
        ('mine.py', True),
        ("'my dir/x.py' 2", True),
        ('python3.14 mine.py', True),
        ('my script.py', True),
        ('sh get.sh {url}', True),
        ('py', False),
        ('my.pyc', False),
        ('sh get.sh', False),
    ],
)
def test_word_with_a_script_or_the_url_in_it_is_a_command(word: str, expected: bool) -> None:
    assert is_command(word) == expected


def test_thirty_names_are_short_and_unlike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('COLUMNS', '80')
    texts = [f'flags.py {word} {{url}}' for word in 15 * ['one', 100 * 'long']]
    names = [each.name for each in named(texts, ['tab\t'])]
    assert len(set(names)) == 30
    assert max(map(len, names)) <= 45
    assert names[:3] == [r'tab\t', 'flags.py longlonglon…glonglonglong {url}', 'flags.py one {url}']
    assert names[-1].endswith('{url} (15)')


STUBBORN = """
import pathlib, signal, time
signal.signal(signal.SIGTERM, lambda *_: [time.sleep(0.5), pathlib.Path('cleaned').touch()])
pathlib.Path('ready').touch()
while True:
    time.sleep(0.1)
"""


@needs_posix
def test_command_that_is_stopped_has_a_second_to_clean_up(start_script: StartScript) -> None:
    Path('mine.py').write_text(STUBBORN, 'utf-8')
    process = start_script('compare.py', 'mine.py', *ONCE)
    wait_until(Path('ready').exists)
    process.terminate()
    assert process.wait(PATIENCE) == -signal.SIGTERM
    wait_until(lambda: not members(process.pid))
    assert Path('cleaned').exists()


@needs_posix
def test_signal_ends_what_a_command_has_started(start_script: StartScript) -> None:
    process = start_script('compare.py', 'sh -c "sleep 86399; true" {url}', *ONCE)
    wait_until(lambda: 'sleep 86399' in members(process.pid).values())
    process.terminate()
    assert process.wait(PATIENCE) == -signal.SIGTERM
    wait_until(lambda: not members(process.pid))
