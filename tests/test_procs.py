"""The script with hand-made processes and queues."""

import random
import re
import time

import pytest
from conftest import PATIENCE, with_sitecustomize
from cpu_tools import LARGE, answers, cpu_script, kill_worker, output_of, wait_until_busy
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


def test_workers_are_as_many_as_cpus_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    three_cpus = with_sitecustomize('import os', 'os.cpu_count = lambda: 3')
    monkeypatch.setenv('PYTHONPATH', three_cpus['PYTHONPATH'])
    with cpu_script('procs.py', numbers=[2, 3]) as process:
        assert output_of(process)[0] == 'Checking 2 numbers with 3 processes:'


def test_killed_worker_is_named() -> None:
    with cpu_script('procs.py', 2, numbers=[LARGE] * 4, method='fork') as process:
        wait_until_busy(process)
        victim = kill_worker(process)
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert re.fullmatch(
        rf'procs\.py: worker [12] \(process {victim}\) died: exit code -9\n', errors
    )


def test_many_killed_workers_never_make_it_hang(rng: random.Random) -> None:
    for _ in range(2):
        with cpu_script('procs.py', 4, numbers=[2] * 3000 + [LARGE] * 2, method='fork') as process:
            wait_until_busy(process)
            time.sleep(rng.uniform(0, 0.15))
            kill_worker(process)
            process.communicate(timeout=PATIENCE)
        assert process.returncode == 1
