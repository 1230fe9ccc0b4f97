"""The scripts for CPU-bound work, run on few numbers and with any process start method."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import conftest

LARGE = 9999999999999917  # a prime that takes a second or more
SOON = 3.0  # seconds: about one, unless the machine is busy
SMALL = [142702110479723, 4444444444444444, 2, 9999999999999999]

METHODS = ['fork', 'forkserver', 'spawn']
BAD_COUNTS = ['0', '-1', 'x', '1e9', '1000000000', '']

# Python imports this module before it runs a script
SITECUSTOMIZE = """
import multiprocessing, sys
sys.path.insert(0, {root!r})
import primes
primes.NUMBERS[:] = {numbers}
if {missing!r}:
    sys.modules[{missing!r}] = None
if {method!r} in multiprocessing.get_all_start_methods():
    multiprocessing.set_start_method({method!r})
"""


@contextmanager
def cpu_script(
    script: str, *args: object, numbers: Sequence[float], method: str = '', missing: str = ''
) -> Iterator[subprocess.Popen[str]]:
    """Run a script on other numbers, maybe without some module; kill all of it in the end."""
    site = Path('site')
    site.mkdir(exist_ok=True)
    code = SITECUSTOMIZE.format(
        root=str(conftest.ROOT), numbers=numbers, method=method, missing=missing
    )
    (site / 'sitecustomize.py').write_text(code)
    environ = os.environ | {'PYTHONPATH': str(site.resolve())}
    with conftest.started(conftest.command(script, *args), env=environ) as process:
        try:
            yield process
        finally:
            for pid in members(process.pid):
                os.kill(pid, signal.SIGKILL)


def output_of(process: subprocess.Popen[str]) -> list[str]:
    """Return the lines that a process prints until it ends, which must be well."""
    output, errors = process.communicate(timeout=conftest.PATIENCE)
    assert process.returncode == 0, errors
    assert not errors, errors
    return output.splitlines()


def answers(lines: list[str]) -> dict[int, bool]:
    """Return what the lines of a report say about numbers, in their order.

    >>> answers(['Checking 1 numbers:', '               2  P  0.000001s', 'Total time: 0.00s'])
    {2: True}
    """
    return {int(line[:16]): line[18] == 'P' for line in lines[1:-1]}


def members(session: int) -> list[int]:
    """Return the ids of the processes that live in a session."""
    listing = subprocess.run(['ps', '-eo', 'sid=,pid=,stat='], capture_output=True, text=True)
    rows = [line.split() for line in listing.stdout.splitlines()]
    return [int(pid) for sid, pid, stat in rows if int(sid) == session and stat[0] != 'Z']


def wait_until_busy(process: subprocess.Popen[str]) -> None:
    """Wait until a script with two workers or more has started and one of them computes."""
    assert process.stdout
    process.stdout.readline()
    conftest.wait_until(lambda: len(members(process.pid)) > 2)


def assert_reader_may_leave(process: subprocess.Popen[str]) -> None:
    """Check that a process ends without a word once nobody reads what it prints."""
    assert process.stdout
    assert process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=conftest.PATIENCE) == 128 + signal.SIGPIPE
    assert process.stderr.read() == ''
    conftest.wait_until(lambda: not members(process.pid))


def assert_interrupted(process: subprocess.Popen[str], name: str) -> None:
    """Check that a process that has just been sent SIGINT ends soon, quietly and completely."""
    start = time.monotonic()
    _, errors = process.communicate(timeout=conftest.PATIENCE)
    assert time.monotonic() - start < SOON
    assert (process.returncode, errors) == (130, f'{name}: interrupted\n')
    conftest.wait_until(lambda: not members(process.pid))
