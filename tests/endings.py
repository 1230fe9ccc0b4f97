"""How to end scripts by signals, and what they report; names of scripts by how they end."""

import os
import re
import signal
import subprocess
import time
from typing import NamedTuple

from conftest import PATIENCE, members, wait_until

FLAGS = [
    'flags.py',
    'flags_threadpool.py',
    'flags_threadpool_futures.py',
    'flags_processpool.py',
    'flags_asyncio.py',
]
FLAGS2 = ['flags2_sequential.py', 'flags2_threadpool.py', 'flags2_asyncio.py']

SOON = 5.0  # seconds: about one, unless the machine is busy; a time-out of httpx takes longer


class Ending(NamedTuple):
    """How a script has ended that got a signal."""

    status: int
    stdout: str
    stderr: str
    seconds: float


def send(process: subprocess.Popen[str], name: str, to: str = 'group') -> None:
    """Send a signal by name to a process, or to it and its children."""
    kill = os.killpg if to == 'group' else os.kill
    kill(process.pid, signal.Signals[name])


def status_of(name: str) -> int:
    """Return how a process has ended by a signal, as its parent sees it."""
    return -signal.Signals[name]


def ending_of(process: subprocess.Popen[str]) -> Ending:
    """Return how a process ends that has just got a signal, and its children after it."""
    start = time.monotonic()
    stdout, stderr = process.communicate(timeout=PATIENCE)
    seconds = time.monotonic() - start
    wait_until(lambda: not members(process.pid))
    return Ending(process.returncode, stdout, stderr, seconds)


def counts(stdout: str) -> dict[str, int]:
    r"""Return the numbers in a report by the last words of lines, in the singular.

    >>> counts('1 flag downloaded.\n2 not found.\n1 error.\n')
    {'downloaded': 1, 'found': 2, 'error': 1}
    """
    report = stdout.rpartition('-----\n')[2]
    found = re.findall(r'^(\d+) .*?(\w+?)s?\.$', report, re.M)
    return {word: int(number) for number, word in found}


def complaints(stderr: str) -> list[str]:
    """Return what a script says on stderr besides its bar."""
    lines = stderr.splitlines()
    return [line for line in lines if line and not re.search(r'\d+%\|', line)]
