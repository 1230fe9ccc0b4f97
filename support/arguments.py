"""What command lines have in common: options, and the types of what they take."""

import argparse
import math
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from support.servers import SERVERS

LABELS = ', '.join(sorted(SERVERS))
MAX_WORKERS = 61 if sys.platform == 'win32' else 256  # Windows cannot wait for more


def in_range(low: float, high: float, kind: type[int] | type[float]) -> Callable[[str], Any]:
    """Return an argparse type for numbers from low to high."""

    def number(text: str) -> float:
        value = kind(text)
        if not low <= value <= high:  # also true for NaN
            wanted = f'of at least {low:g}' if high == math.inf else f'from {low:g} to {high:g}'
            raise argparse.ArgumentTypeError(f'{text!r} is not a number {wanted}')
        return value

    number.__name__ = kind.__name__  # for argparse's "invalid int value"
    return number


positive = in_range(1, math.inf, int)
seconds = in_range(0, 3600, float)
worker_count = in_range(1, MAX_WORKERS, int)


def server_name(text: str) -> str:
    """Argparse type: a label in upper case, or a base URL without the last slash."""
    if text.upper() in SERVERS:
        return text.upper()
    if not is_base_url(text):
        example = 'a URL such as http://localhost:8080/flags'
        raise argparse.ArgumentTypeError(f'neither one of {LABELS}, nor {example}')
    return text.rstrip('/')


def is_base_url(text: str) -> bool:
    """Tell whether text is a URL to which paths can be added, without a password."""
    try:
        parts = urlsplit(text)
        (parts.hostname or '').encode('idna')  # as the look-up does
        valid_port = parts.port != 0
    except ValueError:
        return False
    plain = text.isprintable() and not {'?', '#', '@', ' '} & set(text)
    return plain and valid_port and parts.scheme in ('http', 'https') and bool(parts.hostname)


def add_server_option(parser: argparse._ActionsContainer, default: str | None) -> None:
    """Let the user choose a server by -s or --server."""
    shown_default = f' (default={default})' if default else ''
    parser.add_argument(
        '-s',
        '--server',
        metavar='LABEL',
        type=server_name,
        default=default,
        help=f'Server to hit; one of {LABELS}{shown_default}; case-insensitive; or a base URL',
    )


def add_workers_argument(parser: argparse.ArgumentParser) -> None:
    """Let the user choose a number of workers."""
    parser.add_argument(
        'workers',
        nargs='?',
        type=worker_count,
        help=f'number of workers, {MAX_WORKERS} at most (default: depends on the CPUs)',
    )
