"""What the scripts of a series promise, on a script of yours.

python -m pytest tests/test_variant.py --variant threads20.py
"""

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, RunScript, Script
from endings import complaints
from promises import Flags2Promises, FlagsPromises, run_in
from variants import chosen

if not chosen:
    pytest.skip('needs --variant SCRIPT', allow_module_level=True)
(VARIANT,) = chosen


@pytest.fixture(scope='module', autouse=True)
def project_is_found() -> Iterator[None]:
    """Let the script import the project's modules, and a copy of it those beside the script."""
    folders = [os.environ.get('PYTHONPATH'), str(ROOT), str(Path(VARIANT.script).parent)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('PYTHONPATH', os.pathsep.join(filter(None, folders)))
        yield


@pytest.fixture
def run_script(run_script: RunScript) -> RunScript:
    """Show the run, as pytest does with what a test prints that fails."""
    return lambda *args, **options: shown(run_script(*args, **options))


@pytest.fixture(autouse=True)
def show_shared_run(request: pytest.FixtureRequest) -> None:
    """Show the run that several tests look at."""
    for name in {'equal_delays', 'all_at_once'} & {*request.fixturenames}:
        shown(request.getfixturevalue(name).run)


def shown(run: Script) -> Script:
    """Print what a run has printed, but for its bar."""
    print(f'$ {shlex.join(run.args)}', *shortened(run.stdout.splitlines()), sep='\n')
    print(f'(exit status {run.returncode}, stderr:)', *shortened(complaints(run.stderr)), sep='\n')
    return run


def shortened(lines: list[str]) -> list[str]:
    """Return the lines, of many only the first and the last."""
    return lines if len(lines) < 20 else [*lines[:9], f'... {len(lines) - 18} lines', *lines[-9:]]


class TestFlags(FlagsPromises):
    """A script of the flags series."""

    __test__ = VARIANT.series == 'flags'
    script = VARIANT.script
    broken_off = ''  # in the words of its client


class TestFlags2(Flags2Promises):
    """A script of the flags2 series."""

    __test__ = VARIANT.series == 'flags2'
    script = VARIANT.script
    downloads_in = VARIANT.downloads_in

    @pytest.fixture(scope='class', autouse=True)
    @classmethod
    def says_how_many_work(cls, tmp_path_factory: pytest.TempPathFactory) -> None:
        """Take the numbers of requests from the script, which may send one at a time."""
        folder = tmp_path_factory.mktemp('run')
        for name, options in (('workers', ['-m', 4]), ('by_default', [])):
            run = run_in(folder, cls.script, *options, server=['--max-delay', 0]).run
            if found := re.search(r'^(\d+) concurrent', run.stdout, re.M):
                setattr(cls, name, int(found[1]))
