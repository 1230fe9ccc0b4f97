"""The script with hand-made processes and queues."""

import random
import re
import time

from cpu_tools import (
    LARGE,
    SMALL,
    answers,
    cpu_script,
    kill_worker,
    output_of,
    wait_until_busy,
)


def test_results_come_in_the_order_of_completion() -> None:
    with cpu_script('procs.py', 2, numbers=[LARGE, *SMALL]) as process:
        lines = output_of(process)
    assert list(answers(lines))[-1] == LARGE
    assert lines[-1].startswith('5 checks in ')


def test_killed_worker_is_named() -> None:
    with cpu_script('procs.py', 2, numbers=[LARGE] * 4, method='fork') as process:
        wait_until_busy(process)
        victim = kill_worker(process)
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 1
    assert re.fullmatch(
        rf'procs\.py: worker [12] \(process {victim}\) died: exit code -9\n', errors
    )


def test_many_killed_workers_never_make_it_hang(rng: random.Random) -> None:
    for _ in range(8):
        with cpu_script('procs.py', 4, numbers=[2] * 3000 + [LARGE] * 2, method='fork') as process:
            wait_until_busy(process)
            time.sleep(rng.uniform(0, 0.15))
            kill_worker(process)
            process.communicate(timeout=20)
        assert process.returncode == 1
