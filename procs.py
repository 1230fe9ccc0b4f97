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
from multiprocessing.queues import Queue, SimpleQueue
from queue import Empty
from time import perf_counter

from primes import NUMBERS
from proc_pool import PrimeResult, check
from support.arguments import add_workers_argument, cpu_count, parse
from support.console import plural
from support.exits import orderly_exit
from support.workers import Process, quiet_processes

PERIOD = 0.1  # seconds to wait for a result before looking whether all workers live


def worker(jobs: SimpleQueue[int], results: Queue[PrimeResult]) -> None:
    """Check one number after the other, for as long as this process lives."""
    while True:
        results.put(check(jobs.get()))


def start_jobs(workers: int, jobs: SimpleQueue[int], results: Queue[PrimeResult]) -> list[Process]:
    """Start the workers, which end when this process does, and hand out the numbers."""
    processes = [
        Process(target=worker, args=(jobs, results), name=f'worker {number}', daemon=True)
        for number in range(1, workers + 1)
    ]
    for process in processes:
        process.start()
    for n in NUMBERS:
        jobs.put(n)
    return processes


def next_result(results: Queue[PrimeResult], processes: list[Process]) -> PrimeResult:
    """Return a result as soon as there is one; raise ChildProcessError if it may never come.

    A worker that was killed may have held a number, or a lock that the others need.
    """
    while True:
        try:
            return results.get(timeout=PERIOD)
        except Empty:
            check_alive(processes)


def check_alive(processes: list[Process]) -> None:
    """Raise ChildProcessError if one of the processes has ended."""
    for process in processes:
        if process.exitcode is not None:
            raise ChildProcessError(
                f'{process.name} (process {process.pid}) died: exit code {process.exitcode}'
            )


def report(results: Queue[PrimeResult], processes: list[Process]) -> int:
    """Print the results in the order of completion; return how many there are."""
    for _ in NUMBERS:
        n, prime, elapsed = next_result(results, processes)
        label = 'P' if prime else ' '
        print(f'{n:16}  {label} {elapsed:9.6f}s', flush=True)
    return len(NUMBERS)


def main() -> None:
    """Check the numbers with as many processes as the command line asks for."""
    parser = argparse.ArgumentParser(description='Check numbers for primality in processes.')
    add_workers_argument(parser)
    workers = parse(parser).workers or cpu_count()
    with orderly_exit():
        print(
            f'Checking {len(NUMBERS)} numbers with {plural(workers, "process")}:',
            flush=True,
        )
        t0 = perf_counter()
        context = quiet_processes()
        jobs: SimpleQueue[int] = context.SimpleQueue()
        results: Queue[PrimeResult] = context.Queue()
        processes = start_jobs(workers, jobs, results)
        checks = report(results, processes)
        for process in processes:
            process.kill()  # one may still be about to start
        elapsed = perf_counter() - t0
        print(f'{plural(checks, "check")} in {elapsed:.2f}s')


if __name__ == '__main__':
    main()
