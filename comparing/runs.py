"""Run a command in a fresh process, and keep what it prints, its memory, and its spans."""

import os
import re
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from comparing.spans import NO_CHANGE, Span, calls_of, history, requests_since
from support import interrupts
from support.console import printable

try:
    import psutil  # type: ignore[import-untyped]
except ImportError:  # it comes with the extra "compare"
    psutil = None
MEASURES_MEMORY = psutil is not None

ROOT = Path(__file__).resolve().parent.parent
RECORDER = ROOT / 'comparing/recorder'
PERIOD = 0.05  # seconds from one look at a script's memory to the next
PATIENCE = 1.1  # seconds for a script to end after a signal
LAST_LINE = re.compile(r'(?<![\w.,])(\d{1,9}\.\d+) ?s(?:ec(?:onds)?)?\.?\s*\Z')  # of output
MAX_TOLD = 2000  # characters of what a command says of its failure
BAR = re.compile(r'\d%\|')
COUNT = re.compile(r'^(\d+) (?:flags? )?(download|not found|error|cancelled)', re.M)


@dataclass
class Run:
    """One run of a command: seconds, bytes if psutil is there, and what is known to be when."""

    elapsed: float = 0
    peak_memory: int = 0
    spans: list[Span] = field(default_factory=list)
    computes: bool = False  # the spans are calls, not requests
    errors: int = 0  # among the downloads
    first_error: str = ''  # as the script tells it
    is_printed: bool = True  # the time, by the script itself

    @property
    def work(self) -> list[Span]:
        """The spans of requests and calls, without those of results that wait."""
        return [span for span in self.spans if not span.kind]


class RunError(Exception):
    """A script failed, or did no work; the message is what it said on stderr, and why."""


def run_command(command: list[str], url: str = '', function: str = '') -> Run:
    """Run a command in a folder of its own; {url} in it stands for a server's base URL.

    If a function is named, such as primes.is_prime, its calls are recorded. Raise RunError if the
    command does not do its work, KeyboardInterrupt if this program has to stop.
    """
    interrupts.check()
    before = history(url, NO_CHANGE)
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile() as stdout,
        tempfile.TemporaryFile() as stderr,
    ):
        calls = Path(folder, 'calls.jsonl')
        paths = [str(RECORDER)] * bool(function) + [str(ROOT)]
        if 'PYTHONPATH' in os.environ:
            paths.append(os.environ['PYTHONPATH'])
        more = {'FLAGS_URL': url, 'RECORDED_FUNCTION': function, 'RECORDED_CALLS': str(calls)}
        process = subprocess.Popen(
            [word.replace('{url}', url) for word in command],
            cwd=folder,
            env=os.environ | more | {'PYTHONPATH': os.pathsep.join(paths)},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
        peak_memory = watch(process)
        interrupts.check()
        run = run_of(content(stdout), content(stderr), process.returncode)
        run.peak_memory, run.computes = peak_memory, bool(function)
        run.spans = calls_of(calls) if function else requests_since(url, before)
    if not run.is_printed:
        if not run.spans:
            raise RunError('no time was printed, and no request or call was seen')
        run.elapsed = max(span.end for span in run.spans)
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
        errors=failed,
        first_error=first_error[1] if first_error else '',
        is_printed=elapsed is not None,
    )


def content(file: IO[bytes]) -> str:
    """Return the lines of a file as a terminal shows them, but without progress bars."""
    file.seek(0)
    text = file.read().decode(errors='replace').replace('\r\n', '\n')  # of Windows
    lines = (line.rpartition('\r')[2] for line in text.split('\n'))
    return '\n'.join(line for line in lines if not BAR.search(line))


def watch(process: subprocess.Popen[bytes]) -> int:
    """Wait until a process ends, or a signal comes; return the peak of its memory in bytes."""
    peak = 0
    while process.poll() is None:
        peak = max(peak, memory(process.pid))
        time.sleep(PERIOD)
        if interrupts.stop_signal:
            started = family(process.pid)  # maybe by a shell that would leave them behind
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
            process.kill()
            process.wait()
            for each in started:
                with suppress(psutil.Error):
                    each.kill()
    return peak


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
