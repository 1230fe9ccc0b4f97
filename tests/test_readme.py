"""What the README and the pages of docs/ show is what their commands print."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest
from conftest import (
    ROOT,
    StartScript,
    StartServer,
    accepts_connections,
    altered_copy,
    flag_files,
    needs_posix,
    project_copy,
    started,
    wait_until,
    without,
)
from cpu_tools import copy_with_numbers
from endings import SOON, ending_of, send, status_of

from flags import POP20_CC
from slow_server import MAX_DELAY, MIN_DELAY, argument_parser

PAGES = {
    path.name: path.read_text('utf-8')
    for path in [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted(ROOT.glob('docs/*.md'))]
}
README = PAGES['README.md']
ALL = '\n'.join(PAGES.values())
SESSIONS = [
    (command, shown)
    for block in re.findall(r'^```console\n(.*?)^```$', ALL, re.M | re.S)
    for command, shown in re.findall(r'^\$ (.*)\n((?:(?!\$ ).*\n)*)', block, re.M)
]
PYTHON = {
    name: '\n'.join(re.findall(r'^```python\n(.*?)^```$', text, re.M | re.S))
    for name, text in PAGES.items()
    if '```python' in text
}
VARIANTS = re.findall(r'^```(?:py|sh)\n# (\S+)\n(.*?)^```$', PAGES['variants.md'], re.M | re.S)
QUICK = [2, 142702110479723, *(int(16 * digit) for digit in '345679')]  # numbers to check
LONGEST_RUN = 120  # seconds, on a busy machine
CODES = re.compile(r'(?:[A-Z]{2} ){4,}')
VARYING = [
    (r'[^\n]*\r', ''),  # earlier states of a bar
    (r'^Nothing listens on port .*\n', ''),
    (r'\n\n(\S+\.py had \d+%|A run of)[^\n]*(\n[^\n]+)*', ''),
    (r'(localhost|127\.0\.0\.1):\d+', 'HOST:PORT'),
    (r'^(\S+\.py): [A-Z]{2}: ', r'\1: CODE: '),  # the first error
    (r'0x[0-9a-f]+', 'ADDRESS'),
    (r'^(?:[A-Z]{2} )+(?=<Future)|^(?:[A-Z]{2} ){1,4}$', ''),  # at any place
    (r'\d+%\|.*\| (\d+)/(\d+) \[.*\]', r'BAR \1/\2'),
    (r'\[\d\d:\d\d:\d\d\]', '[TIME]'),
    (r'\d+\.\d+', 'N.N'),
    (r'\d+ (flags downloaded|errors)\.', r'SOME \1.'),
    (r'[█▏▎▍▌▋▊▉]+', 'BAR'),
    (r' +', ' '),
]
# Lines whose order is that of completion
UNORDERED = re.compile(r'[A-Z]{2} (OK|not found|error|<Future)|<Future|\[TIME\]|CHECK')


def normalized(output: str, command: str) -> str:
    """Return output without what may differ from run to run."""
    if 'ERROR' not in command:
        output = re.sub(r'(\d+) (flags downloaded)', r'\1 of the \2', output)
    for pattern, replacement in VARYING:
        output = re.sub(pattern, replacement, output, flags=re.M)
    if 'compare.py' in command:
        output = re.sub(r'\d+(x|\b)', 'N', output)
    if 'procs.py' in command:
        output = re.sub(r'^ *(\d+ )(?=(P )?N\.Ns$)', r'CHECK \1', output, flags=re.M)
    output = CODES.sub(lambda codes: ' '.join(sorted(codes[0].split())) + ' ', output)
    return '\n'.join(in_one_order([line.rstrip() for line in output.splitlines()]))


def in_one_order(lines: list[str]) -> list[str]:
    """Sort those lines that come in the order of completion."""
    sorted_lines = iter(sorted(filter(UNORDERED.match, lines), key=future_result))
    return [next(sorted_lines) if UNORDERED.match(line) else line for line in lines]


def future_result(line: str) -> str:
    """Return what sorts a line: its code, or the result at its end."""
    return line[-4:] if 'result: ' in line else line


def pattern_of(shown: str) -> str:
    """Return a pattern for an output; a line of three dots stands for some that are left out."""
    return re.escape(shown).replace(re.escape('\n...\n'), '\n.*\n')


def without_slow_numbers(shown: str) -> str:
    """Return what would be shown if primes.py had the quick numbers only."""
    lines = [
        line
        for line in shown.splitlines()
        if not (found := re.match(r' *(\d+)  ', line)) or int(found[1]) in QUICK
    ]
    return re.sub(r'\b20 (numbers|checks)', rf'{len(QUICK)} \1', '\n'.join(lines))


@needs_posix
@pytest.mark.parametrize(('command', 'shown'), SESSIONS, ids=[command for command, _ in SESSIONS])
def test_command_prints_what_is_shown(command: str, shown: str, free_port: int) -> None:
    """Have all labels stand for a port on which nothing listens, and servers answer sooner."""
    if 'curl' in command and not shutil.which('curl'):
        pytest.skip('curl is missing')
    if 'trio' in command:
        pytest.importorskip('trio')
    folder = project_copy(with_flags=True)
    for port in (8000, 8001, 8002):
        altered_copy('support/servers.py', f'localhost:{port}', f'localhost:{free_port}', folder)
    altered_copy('slow_server.py', 'MAX_DELAY = 5.0', 'MAX_DELAY = 1.0', folder)
    for name, text in VARIANTS:
        (folder / name).write_text(text, 'utf-8')
    if 'proc' in command or 'primes' in command:
        copy_with_numbers(QUICK, folder)
        shown = without_slow_numbers(shown)
    reduced = without('psutil') if 'Memory is not shown' in shown else {}  # as the quick start
    run = subprocess.run(
        ['bash', '-c', command],
        cwd=folder,
        env=os.environ | reduced | {'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}'},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LONGEST_RUN,
    )
    assert re.fullmatch(
        pattern_of(normalized(shown, command)), normalized(run.stdout.decode(), command), re.S
    )


@pytest.mark.parametrize(('page', 'text'), PYTHON.items(), ids=PYTHON)
def test_interactive_sessions_go_as_shown(page: str, text: str) -> None:
    """Have an interpreter of their own, which has no threads that must not be forked."""
    assert 3 * '>' in text
    Path(page).write_text(text, 'utf-8')
    words = [sys.executable, '-W', 'error', '-m', 'doctest', '-o', 'ELLIPSIS', page]
    found = os.environ | {'PYTHONPATH': str(ROOT)}
    run = subprocess.run(words, env=found, capture_output=True, text=True, timeout=LONGEST_RUN)
    assert (run.returncode, run.stdout, run.stderr) == (0, '', '')


def test_every_file_that_is_mentioned_exists() -> None:
    folders = [ROOT, ROOT / 'docs', ROOT / 'tests']
    mentioned = set(re.findall(r'(?<![\w./-])\w[\w/-]*\.(?:py|md|png)\b', ALL))
    mentioned |= set(re.findall(r'!\[[^]]*\]\((.*?)\)', ALL))
    missing = {name for name in mentioned if not any((each / name).exists() for each in folders)}
    missing -= {name for name, _ in VARIANTS}  # readers write these
    assert len(mentioned) > 40
    assert missing == set()


@needs_posix
def test_ctrl_c_ends_the_variant_with_trio_by_the_signal_and_one_line(
    start_script: StartScript, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip('trio')
    Path('flags_trio.py').write_text(dict(VARIANTS)['flags_trio.py'], 'utf-8')
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    server = start_server('--min-delay', 0, '--max-delay', 5)
    script = start_script('flags_trio.py', '-s', server.url, folder=Path.cwd())
    assert script.stdout
    script.stdout.read(1)  # the first code
    send(script, 'SIGINT')
    ending = ending_of(script)
    assert (ending.status, ending.stderr) == (status_of('SIGINT'), 'flags_trio.py: interrupted\n')
    assert ending.seconds < SOON
    assert len(flag_files()) < len(POP20_CC)


def test_all_pictures_are_made_by_one_script_as_the_pages_say() -> None:
    source = (ROOT / 'tools/screenshots.py').read_text('utf-8')
    pictures = {path.name for path in ROOT.glob('docs/*.[gp][in][fg]')}
    assert len(pictures) > 5
    assert {name for name in pictures if f"'{name}'" not in source} == set()
    pages = [text for text in PAGES.values() if re.search(r'slow_server\.py --min-delay', text)]
    assert README in pages
    assert PAGES['class.md'] in pages


def test_variants_are_short() -> None:
    assert [name for name, text in VARIANTS if len(text.splitlines()) > 22] == []
    assert len(dict(VARIANTS)['flags_trio.py'].splitlines()) <= 20


def test_every_example_of_the_chapter_has_its_row() -> None:
    rows = re.findall(r'^\| (20-[^|]*?) \| `(.*?)` \|', README, re.M)
    examples = [example for examples, _ in rows for example in examples.split(', ')]
    assert examples == [f'20-{number}' for number in range(1, 17)]


def test_maps_name_every_file() -> None:
    files = {path.name for path in ROOT.glob('*.py')}
    assert {name for name in files if f'| `{name}` |' not in README} == set()
    helpers = {f'support/{path.name}' for path in ROOT.glob('support/[a-z]*.py')}
    assert {name for name in helpers if f'| `{name}` |' not in PAGES['helpers.md']} == set()


def test_pages_of_docs_are_linked() -> None:
    for page in PAGES:
        assert page == 'README.md' or f'{page})' in ALL


def quick_start() -> list[str]:
    """Return the commands with which a reader begins."""
    found = re.search(r'## Quick start\n.*?```\n(.*?)```', README, re.S)
    assert found
    return found[1].splitlines()


def test_quick_start_is_two_lines_that_need_nothing_else_and_the_page() -> None:
    *commands, page = quick_start()
    assert len(commands) == 2
    assert all(command.startswith('python3 -m venv .venv && ') for command in commands)
    assert 'slow_server.py' in page


def test_no_command_is_shown_before_the_quick_start_or_needs_more() -> None:
    assert README.index('```') > README.index('## Quick start')
    command, shown = SESSIONS[0]
    assert f'$ {command}' in README
    assert ' MB ' not in shown


@needs_posix
def test_third_line_of_the_quick_start_shows_the_film(free_port: int) -> None:
    folder = project_copy(with_flags=True)
    altered_copy('slow_server.py', 'DEFAULT_PORT = 8001', f'DEFAULT_PORT = {free_port}', folder)
    altered_copy('support/servers.py', 'localhost:8001', f'localhost:{free_port}', folder)
    (folder / '.venv').symlink_to(sys.prefix)
    page = f'http://localhost:{free_port}'

    def downloads() -> Counter[str]:
        told = httpx.get(f'{page}/requests?after=0').json()['requests']
        return Counter(request['agent'] for request in told if request['end'])

    with started(['bash', '-c', quick_start()[2].replace('sleep 5', 'sleep 1')], cwd=folder):
        wait_until(lambda: accepts_connections(free_port))
        assert '<title>' in httpx.get(page).text
        wait_until(lambda: downloads().total() == 60)
        film = ['flags.py', 'flags_threadpool.py', 'flags_asyncio.py']
        assert downloads() == dict.fromkeys(film, 20)
    assert '<http://localhost:8001/#wall>' in README


def test_delays_of_the_server_are_those_that_the_pages_name() -> None:
    shortest, longest = f'{MIN_DELAY:g}'.lstrip('0'), f'{MAX_DELAY:g}'
    for name in ('README.md', 'chapter.md'):
        told = re.findall(r'\bwaits (\.?\d+) to (\d+) seconds', PAGES[name])
        assert set(told) == {(shortest, longest)}
    up_to = re.findall(r'up to (\S+) seconds', README + PAGES['elsewhere.md'])
    assert set(up_to) == {longest}
    assert len(up_to) > 1
    help_text = argument_parser().format_help()
    assert f'(default: {MIN_DELAY}, or MAX if less)' in ' '.join(help_text.split())
    assert f'(default: {MAX_DELAY})' in ' '.join(help_text.split())
