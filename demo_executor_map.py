#!/usr/bin/env python3
"""Show in which order, and when, an executor's map yields results.

    $ python3 demo_executor_map.py
    [15:56:50] Script starting.
    [15:56:50] loiter(0): doing nothing for 0s...
    [15:56:50] loiter(0): done.
    ...
    [15:56:50] Waiting for individual results:
    [15:56:50] result 0: 0
    ...
    [15:56:55] result 4: 40

A result is there as soon as it and all those before it are ready.
"""

from concurrent.futures import ThreadPoolExecutor
from time import sleep, strftime

from support import interrupts
from support.console import fail, reason, say


def show(text: str) -> None:
    """Print text after the time of day."""
    say(f'{strftime("[%H:%M:%S]")} {text}')


def loiter(n: int) -> int:
    """Do nothing for n seconds; return n * 10."""
    tabs = '\t' * n
    show(f'{tabs}loiter({n}): doing nothing for {n}s...')
    sleep(n)
    show(f'{tabs}loiter({n}): done.')
    return n * 10


def main() -> None:
    """Show map at work, and any trouble in one line."""
    try:
        with interrupts.handled():
            show_map()
    except OSError as exc:
        fail(reason(exc))


def show_map() -> None:
    """Map loiter over five numbers with three threads."""
    show('Script starting.')
    with ThreadPoolExecutor(max_workers=3) as executor, interrupts.stop_on_failure():
        results = executor.map(loiter, range(5))
        show(f'results: {results}')
        show('Waiting for individual results:')
        for i, result in enumerate(results):
            show(f'result {i}: {result}')


if __name__ == '__main__':
    main()
