"""The script with a pool of processes."""

import argparse
import re
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest
from conftest import PATIENCE, ROOT, RunScript, needs_posix
from cpu_tools import (
    LARGE,
    LINE,
    MAX_WORKERS,
    SMALL,
    answers,
    cpu_script,
    kill_worker,
    output_of,
    wait_until_busy,
)
from promises import WorkersPromises

from primes import PRIMALITY
from support.arguments import worker_count


class TestPromises(WorkersPromises):
    """What both scripts with processes promise."""

    script = 'proc_pool.py'


def test_answers_come_in_descending_order_by_the_default_of_the_executor() -> None:
    workers: int = ProcessPoolExecutor()._max_workers  # type: ignore[attr-defined]
    with cpu_script('proc_pool.py', numbers=SMALL) as process:
        lines = output_of(process)
    assert lines[0].startswith(f'Checking 4 numbers with {workers} process')
    assert list(answers(lines).items()) == [(n, PRIMALITY[n]) for n in sorted(SMALL)[::-1]]
    assert re.fullmatch(r'Total time: \d+\.\d\ds', lines[-1])
    assert all(LINE.fullmatch(line) for line in lines[1:-1])


@pytest.mark.parametrize('count', ['-1', 'x', '1e9', str(MAX_WORKERS + 1), '', '²'])
def test_other_numbers_of_workers_are_refused(count: str) -> None:
    with pytest.raises((argparse.ArgumentTypeError, ValueError)):  # both become usage errors
        worker_count(count)
    assert worker_count(str(MAX_WORKERS)) == MAX_WORKERS


@needs_posix
def test_killed_worker_is_reported_in_one_line() -> None:
    with cpu_script('proc_pool.py', 2, numbers=[LARGE] * 20, method='fork') as process:
        wait_until_busy(process)
        kill_worker(process)
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert errors == 'proc_pool.py: a worker died before its work was done\n'


def test_result_that_cannot_be_read_is_not_taken_for_the_death_of_a_worker(
    run_script: RunScript,
) -> None:
    run = run_script('tests/jobs.py', 'fail_in_a_process')
    assert 'TypeError: TalkativeError.__init__()' in run.stderr
    assert 'a worker died' not in run.stderr


def test_imports_nothing_that_it_does_not_need() -> None:
    code = 'import sys, proc_pool; print({"httpx", "tqdm", "dask", "distributed"} & {*sys.modules})'
    words = [sys.executable, '-c', code]
    assert subprocess.check_output(words, cwd=ROOT, text=True, timeout=PATIENCE) == 'set()\n'
