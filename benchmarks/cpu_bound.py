#!/usr/bin/env python3
"""Compare all kinds of executors on CPU-bound work: proc_pool.py with as many workers as CPUs.

    $ python3 benchmarks/cpu_bound.py
    2 CPUs, Python 3.14.10
    executor      total    busy  speed-up  efficiency
    serial       18.00s  17.99s      1.00        1.00
    thread       20.47s  40.48s      0.88        0.99
    ...

busy is the sum of the time that all checks took, speed-up the total relative to serial, and
efficiency the part of all workers' time in which they were busy. Threads that share one lock
look busy, but mostly wait: their speed-up is what counts.
"""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pools.kinds import KINDS  # noqa: E402

SCRIPT = ROOT / 'proc_pool.py'
TIMEOUT = 120  # seconds for one run
HEADER = f'{"executor":11} {"total":>7} {"busy":>7} {"speed-up":>9} {"efficiency":>11}'


class Run(NamedTuple):
    """What a run of proc_pool.py reported, in seconds."""

    total: float
    busy: float


def main() -> None:
    """Run proc_pool.py with every kind of executor that there is here; print a table."""
    cpus = os.cpu_count() or 1
    print(f'{cpus} CPUs, Python {sys.version.split()[0]}', HEADER, sep='\n', flush=True)
    serial = measured('serial', cpus)
    print(row('serial', serial, serial, 1), flush=True)
    for kind in KINDS:
        if kind != 'serial' and (kind != 'dask' or find_spec('distributed')):
            print(row(kind, measured(kind, cpus), serial, cpus), flush=True)


def measured(kind: str, workers: int) -> Run:
    """Run proc_pool.py with a number of workers of a kind."""
    command = [sys.executable, str(SCRIPT), str(workers), '-x', kind]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT, check=True)
    return parsed(done.stdout)


def parsed(report: str) -> Run:
    r"""Return the figures of a report.

    >>> parsed('Checking...\n               2  P  0.000001s\nTotal time: 0.02s')
    Run(total=0.02, busy=1e-06)
    """
    *times, total = map(float, re.findall(r'([\d.]+)s$', report, re.MULTILINE))
    return Run(total, sum(times))


def row(kind: str, run: Run, serial: Run, workers: int) -> str:
    """Return a row of the table."""
    speed_up = serial.total / run.total
    efficiency = run.busy / (workers * run.total)
    return f'{kind:11} {run.total:6.2f}s {run.busy:6.2f}s {speed_up:9.2f} {efficiency:11.2f}'


if __name__ == '__main__':
    main()
