"""Facts: run a command in a fresh process, and keep what it, its memory and the server show."""

import itertools
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

from comparing.work import CALLS_FILE, Call, Work, read_work
from support import interrupts
from support.console import printable

try:
    import psutil  # type: ignore[import-untyped]
except ImportError:  # it comes with the extra "compare"
    psutil = None
MEASURES_MEMORY = psutil is not None

ROOT = Path(__file__).resolve().parent.parent
PERIOD = 0.02  # seconds from one look at a script's memory to the next
PATIENCE = 1.1  # seconds for a script to end after a signal
LAST_LINE = re.compile(r' (\d{1,9}\.\d+) ?s(?:econds)?\.?\s*\Z')  # such as "20 downloads in 7.26s"
MAX_TOLD = 2000  # characters of what a command says of its failure
BAR = re.compile(r'\d%\|')
COUNT = re.compile(r'^(\d+) (?:flags? )?(download|not found|error|cancelled)', re.M)


@dataclass(frozen=True)
class Request:
    """What a server has logged of one request, in seconds from the first one of its run."""

    code: str
    start: float
    end: float
    delay: float
    status: int = 200
    lane: int = 0  # the client's port, as it stands for a connection


@dataclass
class Run:
    """One run of a command: seconds, bytes if psutil is there, and requests if a server told."""

    elapsed: float
    peak_memory: int | None
    requests: list[Request]
    work: Work | None = None  # what workers computed, if that was recorded
    errors: int = 0  # among the downloads
    first_error: str = ''  # as the script tells it
    is_printed: bool = True  # the time, by the script itself

    @property
    def spans(self) -> Sequence[Request | Call]:
        """What a timeline shows of the run."""
        return self.work.calls if self.work else self.requests

    def take_time(self, hint: str) -> None:
        """Take the time from the spans if the script has printed none; fail if there are none."""
        if not self.is_printed and not self.spans:
            raise RunError(f'no time was printed, and {hint}')
        if not self.is_printed:
            self.elapsed = max(span.end for span in self.spans)


class RunError(Exception):
    """A script failed, or did no work; the message is what it said on stderr, and why."""


def most_in_flight(requests: Iterable[Request]) -> int:
    """Return how many requests were under way at once, at the most."""
    begins_and_ends = [step for each in requests for step in ((each.end, -1), (each.start, 1))]
    in_flight = itertools.accumulate(step for _, step in sorted(begins_and_ends))
    return max(1, *in_flight) if begins_and_ends else 0  # by a coarse clock, they take no time


def limit(delays: Sequence[float], concurrency: int) -> float:
    """Return the least time in which this many workers can wait for the delays, in seconds.

    >>> limit([1, 1, 4], concurrency=2)
    4
    """
    return max(max(delays), sum(delays) / concurrency)


def run_command(command: list[str], url: str = '', ignores_status: bool = False) -> Run:
    """Run a command in a folder of its own; {url} in it stands for a server's base URL.

    Raise RunError if it does not do its work, KeyboardInterrupt if this program has to stop.
    """
    interrupts.check()
    paths = [str(ROOT), *filter(None, [os.environ.get('PYTHONPATH')])]
    server = {'FLAGS_URL': url} if url else {}
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile() as stdout,
        tempfile.TemporaryFile() as stderr,
    ):
        process = subprocess.Popen(
            [word.replace('{url}', url) for word in command],
            cwd=folder,
            env=os.environ | {'PYTHONPATH': os.pathsep.join(paths)} | server,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
        peak_memory = watch(process)
        interrupts.check()
        ignored = ignores_status and process.returncode > 0
        status = 0 if ignored else process.returncode
        run = run_of(content(stdout), content(stderr), status)
        run.peak_memory = peak_memory
        run.work = read_work(Path(folder, CALLS_FILE))
    return run


def run_of(output: str, errors: str, status: int) -> Run:
    """Return what a command has reported of its run; raise RunError if it did not do its work."""
    elapsed = LAST_LINE.search(output)
    counts = {what: int(number) for number, what in COUNT.findall(output)}
    failed = counts.get('error', 0)
    failure = ''
    if status not in ((0, 1) if failed else (0,)):  # 1: it has counted errors
        by_signal = status < 0 and f'ended by {signal.Signals(-status).name}'
        failure = by_signal or f'exit status {status}'
    elif counts.get('cancelled'):
        failure = f'{counts["cancelled"]} cancelled'
    elif counts.get('download') == 0:
        failure = 'nothing was downloaded'
    if failure:
        told = [printable(line) for line in errors.strip()[-MAX_TOLD:].splitlines()]
        raise RunError('\n'.join([*told, f'({failure})']))
    first_error = re.search(r'^\S+\.py: (.*)', errors, re.M) if failed else None
    return Run(
        float(elapsed[1]) if elapsed else 0,
        None,
        [],
        errors=failed,
        first_error=first_error[1] if first_error else '',
        is_printed=elapsed is not None,
    )


def watch(process: subprocess.Popen[bytes]) -> int | None:
    """Wait until a process ends, or a signal comes; return the peak of its memory in bytes."""
    peak = 0
    while process.poll() is None:
        peak = max(peak, memory(process.pid))
        time.sleep(PERIOD)
        if interrupts.run.stop_signal:
            started = family(process.pid)  # maybe by a shell that would leave them behind
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
            process.kill()
            process.wait()
            for each in started:
                with suppress(psutil.Error):
                    each.kill()
    return peak or None


def memory(pid: int) -> int:
    """Return the sum over a process and its descendants, in bytes; 0 if it is not known."""
    total = 0
    for each in family(pid):
        with suppress(psutil.Error, OSError):  # it may just have ended
            total += each.memory_info().rss
    return total


def family(pid: int) -> list[Any]:
    """Return a process and its descendants, as far as psutil is there and they are."""
    if psutil:
        with suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            return [process, *process.children(recursive=True)]
    return []


def content(file: IO[bytes]) -> str:
    """Return the lines of a file as a terminal shows them, but without progress bars."""
    file.seek(0)
    text = file.read().decode(errors='replace').replace('\r\n', '\n')  # of Windows
    lines = (line.rpartition('\r')[2] for line in text.split('\n'))
    return '\n'.join(line for line in lines if not BAR.search(line))


def requests_of(entries: Iterable[dict[str, Any]]) -> list[Request]:
    """Return requests as a server has noted them; times count from the first start."""
    entries = list(entries)
    begin = min((entry['start'] for entry in entries), default=0)
    facts = itemgetter('delay', 'status', 'lane')
    return [
        Request(entry['code'], entry['start'] - begin, entry['end'] - begin, *facts(entry))
        for entry in entries
    ]
