#!/usr/bin/env python3
"""Check large numbers for primality with hand-made processes and queues.

    $ python3 procs.py 2
    Checking 20 numbers with 2 processes:
                   2  P  0.000007s
     142702110479723  P  0.280128s
    ...
    9999999999999999     0.000010s
    9999999999999917  P  2.519229s
    20 checks in 12.47s

Results come in the order of completion. Handing out work, collecting results and noticing
lost workers takes most of the script: a ProcessPoolExecutor does that unseen.
"""

from __future__ import annotations  # queues cannot be subscripted when this runs

import argparse
import multiprocessing
from multiprocessing import Process
from multiprocessing.queues import Queue, SimpleQueue
from queue import Empty
from time import perf_counter

from primes import NUMBERS, PrimeResult
from proc_pool import check, format_result
from support import interrupts, processes
from support.console import fail, plural, reason, say
from support.measures import hand_over

PERIOD = 0.1  # seconds to wait for a result before looking whether all workers live


class WorkerDiedError(Exception):
    """A worker has ended although there may be work for it."""


def main() -> None:
    """Check the numbers with as many processes as the command line asks for."""
    workers = process_args()
    try:
        with interrupts.handled():
            check_many(NUMBERS, workers)
    except (OSError, WorkerDiedError) as exc:
        fail(reason(exc))


def check_many(numbers: list[int], workers: int) -> None:
    """Check numbers with so many processes; report the results in the order of completion."""
    with processes.ending_together(), interrupts.stop_on_failure():
        say(f'Checking {len(numbers)} numbers with {plural(workers, "process", "processes")}:')
        start = perf_counter()
        jobs: SimpleQueue[int] = multiprocessing.SimpleQueue()
        results: Queue[PrimeResult] = multiprocessing.Queue()
        team = start_workers(workers, jobs, results)
        for n in numbers:
            jobs.put(n)
        for _ in numbers:
            say(format_result(next_result(results, team)))
        elapsed = perf_counter() - start
        say(f'{plural(len(numbers), "check")} in {elapsed:.2f}s')
        hand_over(elapsed)


def start_workers(count: int, jobs: SimpleQueue[int], results: Queue[PrimeResult]) -> list[Process]:
    """Start so many workers; as daemons, they end when this process does."""
    team = [
        Process(target=work, args=(jobs, results), name=f'worker {number}', daemon=True)
        for number in range(1, count + 1)
    ]
    for worker in team:
        worker.start()
    return team


def work(jobs: SimpleQueue[int], results: Queue[PrimeResult]) -> None:
    """Check one number after the other: what a worker does all its life."""
    processes.follow_parent()
    while True:
        results.put(check(jobs.get()))


def next_result(results: Queue[PrimeResult], team: list[Process]) -> PrimeResult:
    """Return a result as soon as there is one; raise WorkerDiedError if it may never come.

    Whoever is killed may hold a number, or a lock that the others need to get on.
    """
    while True:
        try:
            return results.get(timeout=PERIOD)
        except Empty:
            look_after(team)


def look_after(team: list[Process]) -> None:
    """Raise WorkerDiedError if one of the workers has ended."""
    for worker in team:
        if worker.exitcode is not None:
            message = f'{worker.name} (process {worker.pid}) died: exit code {worker.exitcode}'
            raise WorkerDiedError(message)


def process_args() -> int:
    """Return the number of workers."""
    parser = argparse.ArgumentParser(description='Check numbers for primality in processes.')
    processes.add_workers_argument(parser)
    return parser.parse_args().workers or processes.default_workers()


if __name__ == '__main__':
    main()
