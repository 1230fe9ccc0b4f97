"""The script with hand-made processes and queues."""

import os
import random
import re
import time

import pytest
from conftest import PATIENCE, needs_posix, with_sitecustomize
from cpu_tools import (
    LARGE,
    TWO_CPUS,
    answers,
    cpu_script,
    kill_worker,
    output_of,
    wait_until_busy,
)
from promises import WorkersPromises

SLOWEST, QUICK = 142702110479723, [4444444444444444, 2]


class TestPromises(WorkersPromises):
    """What both scripts with processes promise."""

    script = 'procs.py'


def test_results_come_in_the_order_of_completion() -> None:
    with cpu_script('procs.py', 2, numbers=[SLOWEST, *QUICK]) as process:
        lines = output_of(process)
    assert list(answers(lines))[-1] == SLOWEST
    assert lines[-1].startswith('3 checks in ')


def test_workers_are_by_default_as_many_as_cpus_for_this_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv('PYTHONPATH', with_sitecustomize(*TWO_CPUS)['PYTHONPATH'])
    with cpu_script('procs.py', numbers=[2, 3]) as process:
        assert output_of(process)[0] == 'Checking 2 numbers with 2 processes:'


@pytest.mark.skipif(not hasattr(os, 'sched_setaffinity'), reason='processes use any CPU')
def test_workers_on_one_cpu_are_as_many_as_those_of_a_pool(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = 'import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])'
    monkeypatch.setenv('PYTHONPATH', with_sitecustomize(line)['PYTHONPATH'])
    firsts = []
    for script in ('procs.py', 'proc_pool.py'):
        with cpu_script(script, numbers=[2, 3]) as process:
            firsts.append(output_of(process)[0])
    assert firsts[0] == firsts[1]


@needs_posix
def test_killed_worker_is_named() -> None:
    with cpu_script('procs.py', 2, numbers=[LARGE] * 4, method='fork') as process:
        wait_until_busy(process)
        victim = kill_worker(process)
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert re.fullmatch(
        rf'procs\.py: worker [12] \(process {victim}\) died: exit code -9\n', errors
    )


@needs_posix
def test_many_killed_workers_never_make_it_hang(rng: random.Random) -> None:
    for _ in range(2):
        with cpu_script('procs.py', 4, numbers=[2] * 3000 + [LARGE] * 2, method='fork') as process:
            wait_until_busy(process)
            time.sleep(rng.uniform(0, 0.15))
            kill_worker(process)
            process.communicate(timeout=PATIENCE)
        assert process.returncode == 1
