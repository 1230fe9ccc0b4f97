"""Argparse types, and the option for a number of workers."""

import argparse
import math
import os
import sys
from collections.abc import Callable
from typing import Any

from support.console import discard_unwritable_output
from support.sessions import at_prompt

MAX_WORKERS = 61 if sys.platform == 'win32' else 256  # the most that Windows can wait for


def in_range(low: float, high: float, kind: type[int] | type[float]) -> Callable[[str], Any]:
    """Return an argparse type for numbers from low to high."""

    def number(text: str) -> float:
        value = kind(text)
        if not low <= value <= high:  # true for NaN as well
            wanted = f'of at least {low:g}' if high == math.inf else f'from {low:g} to {high:g}'
            raise argparse.ArgumentTypeError(f'{text!r} is not a number {wanted}')
        return value

    number.__name__ = kind.__name__  # argparse says "invalid int value"
    return number


def parse(parser: argparse.ArgumentParser, argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options in argv, by default the command line; at a prompt there is none."""
    try:
        return parser.parse_intermixed_args([] if argv is None and at_prompt() else argv)
    finally:
        discard_unwritable_output()  # the reader of the help may have left


natural = in_range(0, math.inf, int)
positive = in_range(1, math.inf, int)
seconds = in_range(0, 3600, float)
worker_count = in_range(1, MAX_WORKERS, int)


def cpu_count() -> int:
    """Return how many CPUs this process can use: the default size of a pool of processes."""
    count = getattr(os, 'process_cpu_count', os.cpu_count)  # the former is new in Python 3.13
    return count() or 1


def add_workers_argument(parser: argparse.ArgumentParser) -> None:
    """Add an argument for the number of workers."""
    parser.add_argument(
        'workers',
        nargs='?',
        type=worker_count,
        help=f'number of workers, at most {MAX_WORKERS} (default: depends on the CPUs)',
    )
