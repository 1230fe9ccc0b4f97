"""Tests of demo_executor_map.py; that of its end by Ctrl-C is in test_signals.py."""

import re
import time

import pytest
from conftest import command, started

SCHEDULE = {f'result {i}: {i * 10}': second for i, second in enumerate([0, 1, 2, 3, 5])}
TOLERANCE = 0.8  # seconds


def test_lines_come_whole_and_when_the_chapter_says() -> None:
    with started(command('demo_executor_map.py')) as process:
        assert process.stdout
        stamped = [(time.monotonic(), line.removesuffix('\n')) for line in process.stdout]
    lines = [(when - stamped[0][0], line) for when, line in stamped]
    assert all(re.match(r'\[\d\d:\d\d:\d\d\] ', line) for _, line in lines)
    assert len(lines) == 1 + 10 + 2 + 5

    # Results come as soon as they and those before them are ready
    results = {line[11:]: when for when, line in lines if line[11:].startswith('result ')}
    assert list(results) == list(SCHEDULE)
    assert results == pytest.approx(SCHEDULE, abs=TOLERANCE)

    # Three threads loiter at a time, while map has returned
    starts = [when for when, line in lines if 'doing nothing' in line]
    assert starts == pytest.approx([0, 0, 0, 0, 1], abs=TOLERANCE)
    [waiting] = [when for when, line in lines if 'results: <generator object ' in line]
    assert waiting < TOLERANCE
    tabbed = [line[11:] for _, line in lines if 'loiter' in line]
    assert sorted(tabbed) == sorted(
        '\t' * n + f'loiter({n}): {doing}'
        for n in range(5)
        for doing in (f'doing nothing for {n}s...', 'done.')
    )
