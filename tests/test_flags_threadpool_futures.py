"""The script that shows futures, and what the chapter says of them."""

import re
from itertools import combinations

import pytest
from promises import Downloaded, FlagsPromises, run_in

from flags import POP20_CC

SCRIPT = 'flags_threadpool_futures.py'
FUTURE = r'<Future at 0x[0-9a-f]+ state='


class TestPromises(FlagsPromises):
    """What all scripts of the series promise."""

    script = SCRIPT
    codes = sorted(POP20_CC[:5])
    connections = 3
    output = r'(?:[A-Z]{2} |Scheduled for .*\n|<Future .*\n)+\n5 downloads in \d+\.\d\ds\n'


@pytest.fixture(scope='module')
def slow(tmp_path_factory: pytest.TempPathFactory) -> Downloaded:
    """Run the script on a server with delays that differ."""
    delays: list[object] = ['--min-delay', 0.1, '--max-delay', 0.9]
    return run_in(tmp_path_factory.mktemp('futures'), SCRIPT, server=delays)


def results(downloaded: Downloaded) -> list[str]:
    """Return the results of the futures in the order in which they are shown."""
    finished = rf"{FUTURE}finished returned str> result: '(\w+)'$"
    return re.findall(finished, downloaded.run.stdout, re.M)


def test_three_futures_run_and_two_are_pending(slow: Downloaded) -> None:
    scheduled = rf'^Scheduled for ([A-Z]{{2}}): {FUTURE}(\w+)>$'
    states = dict(re.findall(scheduled, slow.run.stdout, re.M))
    assert list(states) == ['BR', 'CN', 'ID', 'IN', 'US']
    assert list(states.values()) == [*['running'] * 3, *['pending'] * 2]


def test_each_future_is_shown_with_its_result(slow: Downloaded) -> None:
    assert results(slow)[0] in ('BR', 'CN', 'ID')
    assert sorted(results(slow)) == ['BR', 'CN', 'ID', 'IN', 'US']


def test_as_completed_yields_futures_that_are_done_in_the_order_of_completion(
    slow: Downloaded,
) -> None:
    shown = results(slow)
    by_end = sorted(slow.requests, key=lambda request: request['end'])
    for earlier, later in combinations(by_end, 2):
        if later['end'] - earlier['end'] > 0.05:  # else both may be done before one is shown
            assert shown.index(earlier['code']) < shown.index(later['code'])
