"""The script that shows futures, and what the chapter says of them."""

import re
from itertools import combinations
from pathlib import Path

import pytest
from conftest import PATIENCE, command, serving, started
from promises import FlagsPromises

from comparing.runs import Request, read_log
from flags import POP20_CC

FUTURE = r'<Future at 0x[0-9a-f]+ state='

Run = tuple[str, list[Request]]


class TestPromises(FlagsPromises):
    """What all scripts of the series promise."""

    script = 'flags_threadpool_futures.py'
    codes = sorted(POP20_CC[:5])
    connections = 3
    output = r'(?:[A-Z]{2} |Scheduled for .*\n|<Future .*\n)+\n5 downloads in \d+\.\d\ds\n'


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return what the script prints, and the requests as a server with latency saw them."""
    folder: Path = tmp_path_factory.mktemp('futures')
    with serving(folder / 'log', '--min-delay', 0.1, '--max-delay', 0.9) as server:
        args = command('flags_threadpool_futures.py', '-s', server.url)
        with started(args, cwd=folder) as process:
            stdout, _ = process.communicate(timeout=PATIENCE)
        return stdout, read_log(server.log, 0)


def results(stdout: str) -> list[str]:
    """Return the results of the futures in the order in which they are shown."""
    return re.findall(rf"{FUTURE}finished returned str> result: '(\w+)'$", stdout, re.M)


def test_three_futures_run_and_two_are_pending(run: Run) -> None:
    states = re.findall(rf'^Scheduled for ([A-Z]{{2}}): {FUTURE}(\w+)>$', run[0], re.M)
    assert states == [
        ('BR', 'running'),
        ('CN', 'running'),
        ('ID', 'running'),
        ('IN', 'pending'),
        ('US', 'pending'),
    ]


def test_each_future_is_shown_with_its_result(run: Run) -> None:
    assert results(run[0])[0] in ('BR', 'CN', 'ID')
    assert sorted(results(run[0])) == ['BR', 'CN', 'ID', 'IN', 'US']
    assert re.fullmatch(r'5 downloads in \d+\.\d\ds', run[0].splitlines()[-1])


def test_as_completed_yields_futures_that_are_done_in_the_order_of_completion(run: Run) -> None:
    shown = results(run[0])
    by_end = sorted(run[1], key=lambda request: request.end)
    for earlier, later in combinations(by_end, 2):
        if later.end - earlier.end > 0.05:  # otherwise both may be done before one is shown
            assert shown.index(earlier.code) < shown.index(later.code)
