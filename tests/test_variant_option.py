"""The promises of a series on a script of a reader: pytest's option --variant."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PATIENCE, ROOT
from endings import FLAGS, FLAGS2
from variants import choose


def promises_of(script: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Return a run of pytest on the promises of a script, from the folder of a test."""
    words = [sys.executable, '-m', 'pytest', '-q', '-n', '0', '-p', 'no:cacheprovider']
    words += [str(ROOT / 'tests/test_variant.py'), '--variant', str(script), *options]
    return subprocess.run(words, capture_output=True, encoding='utf-8', timeout=PATIENCE)


@pytest.mark.parametrize(
    ('copied', 'promises', 'outcome'),
    [
        ('flags_threadpool.py', 'one_line', '1 passed, 6 deselected'),
        ('flags2_sequential.py', 'report or typo', '2 passed, 9 deselected'),
    ],
)
def test_script_from_elsewhere_keeps_promises(copied: str, promises: str, outcome: str) -> None:
    script, text = Path('my flags (2).py'), (ROOT / copied).read_bytes()
    script.write_bytes(text)
    run = promises_of(script, '-k', promises)
    assert run.stdout.splitlines()[-1].startswith(outcome)
    assert script.read_bytes() == text


def test_broken_promise_is_shown_with_what_the_script_printed() -> None:
    script = Path('mine.py')
    script.write_text('import flags\nflags.main(lambda codes: print(*codes) or 20)', 'utf-8')
    run = promises_of(script, '-k', 'whole or another_one')
    assert run.returncode == 1
    assert 'TestFlags.test_codes_are_printed_whole_and_the_time_below_them __' in run.stdout
    assert 'E   AssertionError: no whole codes, a space behind each, and time\n' in run.stdout
    assert run.stdout.count('\nCN IN US ') == 2
    assert 'def test_' not in run.stdout


@pytest.mark.parametrize('script', FLAGS + FLAGS2)
def test_imports_tell_the_series(script: str) -> None:
    assert choose(script, None, ROOT).series == ('flags2' if script in FLAGS2 else 'flags')


def test_option_tells_the_series_of_a_script_that_imports_nothing_of_ours() -> None:
    assert choose('primes.py', 'flags2', ROOT) == (str(ROOT / 'primes.py'), 'flags2', '')


BAD_SCRIPTS = {
    'missing.py': 'No such file',
    'support': r'not a Python script \(\.py\)',
    'README.md': r'not a Python script \(\.py\)',
    'primes.py': 'add --series flags or --series flags2',
}


@pytest.mark.parametrize(('name', 'told'), BAD_SCRIPTS.items(), ids=BAD_SCRIPTS)
def test_script_that_promises_nothing_is_a_usage_error(name: str, told: str) -> None:
    with pytest.raises(pytest.UsageError, match=f'^--variant: .*{told}'):
        choose(name, None, ROOT)


def test_usage_error_is_one_line() -> None:
    script = Path('broken.py')
    script.write_text('import flags\nif', 'utf-8')
    run = promises_of(script)
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    (line,) = run.stderr.split('\n')[:-2]
    assert line.endswith('broken.py: invalid syntax (broken.py, line 2)')
