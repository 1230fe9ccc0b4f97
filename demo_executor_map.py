#!/usr/bin/env python3
"""Show in which order an executor's map yields results, and when.

    $ python3 demo_executor_map.py
    [15:56:50] Script starting.
    [15:56:50] loiter(0): doing nothing for 0s...
    [15:56:50] loiter(0): done.
    ...
    [15:56:50] Waiting for individual results:
    [15:56:50] result 0: 0
    ...
    [15:56:55] result 4: 40

map yields a result as soon as it and all results before it are ready.
"""

import argparse
from concurrent import futures
from time import sleep, strftime

from support.arguments import parse
from support.exits import orderly_exit


def display(*args: object) -> None:
    """Print the arguments after the time of day."""
    line = ' '.join([strftime('[%H:%M:%S]'), *map(str, args)])
    print(f'{line}\n', end='', flush=True)  # one write: lines of threads must not mix


def loiter(n: float) -> float:
    """Do nothing for n seconds; return n * 10."""
    tabs = '\t' * int(n)
    display(f'{tabs}loiter({n}): doing nothing for {n}s...')
    sleep(n)
    display(f'{tabs}loiter({n}): done.')
    return n * 10


def main() -> None:
    """Map loiter over five numbers with three threads."""
    display('Script starting.')
    executor = futures.ThreadPoolExecutor(max_workers=3)
    results = executor.map(loiter, range(5))
    display('results:', results)
    display('Waiting for individual results:')
    for i, result in enumerate(results):
        display(f'result {i}: {result}')


if __name__ == '__main__':
    parse(argparse.ArgumentParser(description='Show when map yields its results.'))
    with orderly_exit():
        main()
