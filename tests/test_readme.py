"""What the README shows is what its commands print."""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

README = (ROOT / 'README.md').read_text('utf-8')
BLOCKS = re.findall(r'^```console\n(.*?)^```$', README, re.M | re.S)
SESSIONS = [
    (command, shown)
    for block in BLOCKS
    for command, shown in re.findall(r'^\$ (.*)\n((?:(?!\$ ).*\n)*)', block, re.M)
]
FOLDERS = ['comparing', 'country_codes.txt', 'flags', 'pools', 'slow_server.html', 'support']
LONGEST_RUN = 120  # seconds, on a busy machine
CODES = re.compile(r'(?:[A-Z]{2} ){4,}')
VARYING = [
    (r'[^\n]*\r', ''),  # earlier states of a bar
    (r'^Nothing listens on port .*\n', ''),
    (r'\n\nThe machine was busy[\s\S]*wrong\.', ''),
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


@pytest.mark.parametrize(('command', 'shown'), SESSIONS, ids=[command for command, _ in SESSIONS])
def test_command_prints_what_is_shown(command: str, shown: str, tmp_path: Path) -> None:
    for path in [*ROOT.glob('*.py'), *(ROOT / name for name in FOLDERS)]:
        (tmp_path / path.name).symlink_to(path)
    nice = ['nice', '-n19'] if 'proc' in command else []  # so that other tests can go on
    run = subprocess.run(
        [*nice, 'bash', '-c', command],
        cwd=tmp_path,
        env=os.environ | {'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}'},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LONGEST_RUN,
    )
    assert re.fullmatch(
        pattern_of(normalized(shown, command)), normalized(run.stdout.decode(), command), re.S
    )


def test_interactive_sessions_go_as_shown() -> None:
    text = '\n'.join(re.findall(r'^```python\n(.*?)^```$', README, re.M | re.S))
    test = doctest.DocTestParser().get_doctest(text, {}, 'README.md', 'README.md', 0)
    results = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test)
    assert results.attempted > 10
    assert results.failed == 0


def test_every_script_that_is_mentioned_exists() -> None:
    mentioned = set(re.findall(r'[\w/]+\.py\b', README)) - {'processes.py', '/suite/prime_pools.py'}
    assert {'flags.py', 'proc_pool.py', 'compare.py'} <= mentioned
    assert [name for name in sorted(mentioned) if not (ROOT / name).exists()] == []


def test_every_example_of_the_chapter_has_its_row() -> None:
    rows = re.findall(r'^\| (20-[^|]*?) \| `(.*?)` \|', README, re.M)
    examples = [example for examples, _ in rows for example in examples.split(', ')]
    assert examples == [f'20-{number}' for number in range(1, 17)]


def test_map_names_every_file() -> None:
    table = README.partition('## Map of the project')[2].partition('\n## ')[0]
    named = set(re.findall(r'`([\w./]+)`', table))
    files = {path.name for path in ROOT.glob('*.py')}
    files |= {f'support/{path.name}' for path in ROOT.glob('support/[a-z]*.py')}
    assert sorted(files - named) == []


def test_quick_start_is_two_lines_that_need_nothing_else() -> None:
    lines = re.search(r'## Quick start\n.*?```\n(.*?)```', README, re.S)
    assert lines
    commands = lines[1].splitlines()
    assert len(commands) == 2
    assert all(command.startswith('python3 -m venv .venv && ') for command in commands)
