"""The scripts for CPU-bound work, run on few numbers and with any process start method."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from conftest import PATIENCE, altered_copy, command, members, started, wait_until

LARGE = 9999999999999917  # a prime that takes a second or more
SMALL = [142702110479723, 4444444444444444, 2, 9999999999999999]
SMALL_ENDS = [2, LARGE, LARGE, 9999999999999999]  # quick to begin with, in either direction

LINE = re.compile(r'[ \d]{16}  [P ] [ \d]\d\.\d{6}s')  # about a number

# Two of four CPUs are for a process: lines for a sitecustomize
TWO_CPUS = ['import os', 'os.cpu_count = lambda: 4', 'os.process_cpu_count = lambda: 2']

MAX_WORKERS = 61 if sys.platform == 'win32' else 256
# How many processes a pool has by default that downloads 20 flags
PROCESSES = min(20, ProcessPoolExecutor()._max_workers)  # type: ignore[attr-defined]
METHODS = multiprocessing.get_all_start_methods()


def copy_with_numbers(numbers: Sequence[float], copy: Path | None = None) -> Path:
    """Return a folder with a copy of the project in which other numbers are checked."""
    return altered_copy('primes.py', '= list(PRIMALITY)', f'= {numbers}', copy)


@contextmanager
def cpu_script(
    script: str, *args: object, numbers: Sequence[float], method: str = ''
) -> Iterator[subprocess.Popen[str]]:
    """Run a script on other numbers for as long as the block takes."""
    folder = copy_with_numbers(numbers)
    with started(command(script, *args, folder=folder, method=method)) as process:
        yield process


def output_of(process: subprocess.Popen[str]) -> list[str]:
    """Return the lines that a process prints until it ends, which must be well."""
    output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, '')
    return output.splitlines()


def answers(lines: list[str]) -> dict[int, bool]:
    """Return what the lines of a report say about numbers, in their order.

    >>> answers(['Checking 1 numbers:', '               2  P  0.000001s', 'Total time: 0.00s'])
    {2: True}
    """
    return {int(line[:16]): line[18] == 'P' for line in lines[1:-1]}


def wait_until_busy(process: subprocess.Popen[str]) -> None:
    """Wait until a script with two workers or more has started and one of them computes."""
    assert process.stdout
    process.stdout.readline()
    wait_until(lambda: len(members(process.pid)) > 2)


def kill_worker(process: subprocess.Popen[str]) -> int:
    """Kill a process that a script has forked; return its number."""
    worker = next(pid for pid in members(process.pid) if pid != process.pid)
    os.kill(worker, signal.SIGKILL)
    return worker
