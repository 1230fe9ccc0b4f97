"""The script with a pool of processes."""

import re
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

from conftest import (
    PATIENCE,
    ROOT,
)
from cpu_tools import (
    LARGE,
    SMALL,
    answers,
    cpu_script,
    kill_worker,
    output_of,
    wait_until_busy,
)

from primes import PRIMALITY

LINE = re.compile(r'[ \d]{16}  [P ] [ \d]\d\.\d{6}s')


def test_answers_come_in_descending_order() -> None:
    with cpu_script('proc_pool.py', 2, numbers=SMALL) as process:
        lines = output_of(process)
    assert lines[0] == 'Checking 4 numbers with 2 processes:'
    assert list(answers(lines).items()) == [(n, PRIMALITY[n]) for n in sorted(SMALL)[::-1]]
    assert re.fullmatch(r'Total time: \d+\.\d\ds', lines[-1])
    assert all(LINE.fullmatch(line) for line in lines[1:-1])


def test_killed_worker_is_reported_in_one_line() -> None:
    with cpu_script('proc_pool.py', 2, numbers=[LARGE] * 20, method='fork') as process:
        wait_until_busy(process)
        kill_worker(process)
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert errors == 'proc_pool.py: a worker died before its work was done\n'


def test_imports_nothing_that_it_does_not_need() -> None:
    code = 'import sys, proc_pool; print({"httpx", "tqdm", "dask", "distributed"} & {*sys.modules})'
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == 'set()\n'


def test_default_is_the_default_of_the_executor() -> None:
    workers: int = ProcessPoolExecutor()._max_workers  # type: ignore[attr-defined]
    with cpu_script('proc_pool.py', numbers=SMALL) as process:
        lines = output_of(process)
    assert lines[0].startswith(f'Checking 4 numbers with {workers} process')
