"""Tests of demo_executor_map.py."""

import re
import signal
import time

import pytest
from conftest import StartScript, command, started
from cpu_tools import assert_interrupted

SCHEDULE = {f'result {i}: {i * 10}': second for i, second in enumerate([0, 1, 2, 3, 5])}
TOLERANCE = 0.8  # seconds


@pytest.fixture(scope='module')
def lines() -> list[tuple[float, str]]:
    """Return the lines of a run, each with the seconds since the first."""
    with started(command('demo_executor_map.py')) as process:
        assert process.stdout
        stamped = [(time.monotonic(), line.removesuffix('\n')) for line in process.stdout]
    return [(when - stamped[0][0], line) for when, line in stamped]


def test_results_come_as_soon_as_they_and_those_before_are_ready(
    lines: list[tuple[float, str]],
) -> None:
    results = {line[11:]: when for when, line in lines if line[11:].startswith('result ')}
    assert list(results) == list(SCHEDULE)
    assert results == pytest.approx(SCHEDULE, abs=TOLERANCE)


def test_three_threads_loiter_at_a_time(lines: list[tuple[float, str]]) -> None:
    starts = [when for when, line in lines if 'doing nothing' in line]
    assert starts == pytest.approx([0, 0, 0, 0, 1], abs=TOLERANCE)


def test_map_returns_before_its_results_are_ready(lines: list[tuple[float, str]]) -> None:
    [waiting] = [when for when, line in lines if 'results: <generator object ' in line]
    assert waiting < TOLERANCE


def test_all_lines_come_out_whole_with_time_and_tabs(lines: list[tuple[float, str]]) -> None:
    tabbed = [line[11:] for _, line in lines if 'loiter' in line]
    assert sorted(tabbed) == sorted(
        '\t' * n + f'loiter({n}): {doing}'
        for n in range(5)
        for doing in (f'doing nothing for {n}s...', 'done.')
    )
    assert all(re.match(r'\[\d\d:\d\d:\d\d\] ', line) for _, line in lines)
    assert len(lines) == 1 + 10 + 2 + 5


def test_ctrl_c_does_not_wait_for_loitering_threads(start_script: StartScript) -> None:
    process = start_script('demo_executor_map.py')
    assert process.stdout
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert_interrupted(process, 'demo_executor_map.py')
