"""Facts: run a script in a fresh process, and keep what it, its memory and the server show."""

import itertools
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

from support import interrupts

try:
    import psutil  # type: ignore[import-untyped]
except ImportError:  # it comes with the extra "compare"
    psutil = None

ROOT = Path(__file__).resolve().parent.parent
PERIOD = 0.02  # seconds from one look at a script's memory to the next
PATIENCE = 1.1  # seconds for a script to end after a signal
LAST_LINE = re.compile(r' (\d+\.\d\d)s\n\Z')  # such as "20 downloads in 7.26s"


class Request(NamedTuple):
    """What a server has logged of one request, in seconds from the first one of its run."""

    code: str
    start: float
    end: float
    delay: float
    status: int = 200
    lane: int = 0  # the client's port, as it stands for a connection


@dataclass
class Run:
    """One run of a script: seconds, bytes if psutil is there, and requests if a server told."""

    elapsed: float
    peak_memory: int | None
    requests: list[Request]


@dataclass
class Entry:
    """A script with its arguments, and how its runs went."""

    name: str
    command: list[str]
    concurrency: int | None = None  # where a scan has set it
    runs: list[Run] = field(default_factory=list)
    failure: str = ''

    @property
    def variant(self) -> str:
        """The name without the concurrency of a scan."""
        return self.name.partition(' -m ')[0]

    @property
    def elapsed(self) -> list[float]:
        """The times of all runs, in seconds."""
        return [run.elapsed for run in self.runs]

    @property
    def median(self) -> float:
        """The time of the run in the middle, in seconds."""
        return statistics.median(self.elapsed)

    @property
    def has_requests(self) -> bool:
        """Whether a server told of every run."""
        return bool(self.runs) and all(run.requests for run in self.runs)

    @property
    def in_flight(self) -> int:
        """The most requests that were under way at once."""
        return max(most_in_flight(run.requests) for run in self.runs)

    @property
    def limit(self) -> float:
        """The least time that the server's delays and the requests in flight allow."""
        return statistics.median(
            limit([each.delay for each in run.requests], most_in_flight(run.requests))
            for run in self.runs
        )


class RunError(Exception):
    """A script failed; the message is what it said on stderr."""


def most_in_flight(requests: Iterable[Request]) -> int:
    """Return how many requests were under way at once, at the most."""
    begins_and_ends = [step for each in requests for step in ((each.end, -1), (each.start, 1))]
    in_flight = itertools.accumulate(step for _, step in sorted(begins_and_ends))
    return max(in_flight, default=0)


def limit(delays: Sequence[float], concurrency: int) -> float:
    """Return the least time in which this many workers can wait for the delays, in seconds.

    >>> limit([1, 1, 4], concurrency=2)
    4
    """
    return max(max(delays), sum(delays) / concurrency)


def last_duration(entries: Iterable[Entry]) -> float:
    """Return how long the longest of the last runs took, as the server saw it, in seconds."""
    return max((each.end for entry in entries for each in entry.runs[-1].requests), default=0)


def run_script(command: list[str], server_log: Path | None, stop: threading.Event) -> Run:
    """Run a script with its arguments in a folder of its own.

    Raise RunError if it fails, KeyboardInterrupt if this program has to stop.
    """
    interrupts.check()
    seen_before = server_log.stat().st_size if server_log else 0
    script, *args = command
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile() as stdout,
        tempfile.TemporaryFile() as stderr,
    ):
        process = subprocess.Popen(
            [sys.executable, str(ROOT / script), *args],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
        peak_memory = watch(process, stop)
        interrupts.check()
        elapsed = LAST_LINE.search(content(stdout))
        if not elapsed or process.returncode not in (0, 1):  # 1: it counted errors
            raise RunError(f'{content(stderr).strip()}\n(exit status {process.returncode})')
    requests = read_log(server_log, seen_before) if server_log else []
    return Run(float(elapsed[1]), peak_memory, requests)


def watch(process: subprocess.Popen[bytes], stop: threading.Event) -> int | None:
    """Wait until a process ends, or end it on stop; return the peak of its memory in bytes."""
    peak = 0
    while process.poll() is None:
        peak = max(peak, memory(process.pid))
        if stop.wait(PERIOD):
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
            process.kill()
            process.wait()
    return peak or None


def memory(pid: int) -> int:
    """Return the sum over a process and its descendants, in bytes; 0 if it is not known."""
    if not psutil:
        return 0
    total = 0
    with suppress(psutil.Error):  # any of them may just have ended
        process = psutil.Process(pid)
        for each in [process, *process.children(recursive=True)]:
            total += each.memory_info().rss
    return total


def content(file: IO[bytes]) -> str:
    """Return the lines of a file as a terminal shows them, without earlier states of a bar."""
    file.seek(0)
    return re.sub(r'[^\n]*\r', '', file.read().decode(errors='replace'))


def read_log(server_log: Path, position: int) -> list[Request]:
    """Return what a server has logged from a position on; times count from the first start."""
    with server_log.open('rb') as log:
        log.seek(position)
        entries = [json.loads(line) for line in log]
    begin = min((entry['start'] for entry in entries), default=0)
    return [
        Request(
            entry['code'],
            entry['start'] - begin,
            entry['end'] - begin,
            entry['delay'],
            entry['status'],
            entry['client_port'],
        )
        for entry in entries
    ]
