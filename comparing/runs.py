"""Run a command in a new process; return its time, memory and spans."""

import os
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from comparing.printed import RunError, content, count_errors, last_words, time_of
from comparing.spans import NO_CHANGE, Span, calls_of, history, requests_since
from support import interrupts

try:
    import psutil  # type: ignore[import-untyped]
except ImportError:  # it is part of the extra "compare"
    psutil = None
MEASURES_MEMORY = psutil is not None

ROOT = Path(__file__).resolve().parent.parent
RECORDER = ROOT / 'comparing/recorder'
NO_CALL = 'no call was recorded: does it import is_prime from primes?'
NO_HISTORY = 'this server does not report requests'
NO_REQUEST = 'no request was recorded: does it take -s, {url} or FLAGS_URL?'
PERIOD = 0.05  # seconds between two measurements of a script's memory
RARELY = 100  # the next search for its processes waits that many times as long as one takes
CLOCK_STEP = 0.02  # seconds by which clocks and rounded figures may differ
PATIENCE = 1.1  # seconds for a script to end after a signal


@dataclass
class Run:
    """One run of a command: its time in seconds, its memory in bytes, its spans and errors."""

    elapsed: float = 0
    peak_memory: int = 0
    spans: list[Span] = field(default_factory=list)
    held: list[Span] = field(default_factory=list)  # results that wait for earlier ones
    errors: int = 0  # downloads that failed
    first_error: str = ''  # the message of the script
    is_printed: bool = True  # the script has printed its time
    doubt: str = ''  # why a printed time cannot be true

    @property
    def lanes(self) -> list[int | str]:
        """The connections or workers, in order of appearance."""
        return list(dict.fromkeys(span.lane for span in self.spans))

    def take_time(self, printed: float | None, duration: float, hint: str) -> None:
        """Set the time to the printed one if it can be true, or else to the measured one.

        No answer comes before its delay is over; the server may record its end a little late.
        """
        seen = max((span.end for span in self.spans), default=0)
        answers = [each.start + each.delay for each in self.spans if isinstance(each.lane, int)]
        least = max(answers, default=seen)
        told = 'no time was printed'
        if printed is not None:
            if least - CLOCK_STEP < printed < duration + CLOCK_STEP:
                self.elapsed = printed
                return
            why = f'more than the {duration:.2f} s for which it ran'
            if printed < duration:
                why = (
                    f'less than the {seen:.2f} s from its first request or call to the last answer'
                )
            self.doubt = f'{printed:g} s, {why}'
            told = f'it printed {self.doubt}'
        if not self.spans:
            raise RunError(f'{told}, and {hint}', '')
        self.elapsed, self.is_printed = seen, False


def run_command(
    command: list[str], url: str, here: bool = False, computes: bool = False, lenient: bool = False
) -> Run:
    """Run a command here or in a temporary folder, with the server's base URL in place of {url}.

    Raise RunError if it does not do its work, or KeyboardInterrupt; both contain its last output.
    """
    before = history(url, NO_CHANGE) if url else {}
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile() as stdout,
        tempfile.TemporaryFile() as stderr,
    ):
        record = Path(folder, 'calls.jsonl')
        paths = [str(RECORDER)] * computes + [str(ROOT), os.environ.get('PYTHONPATH', '')]
        more = {'FLAGS_URL': url, 'RECORDED_CALLS': str(record)}
        start = time.perf_counter()
        process = subprocess.Popen(
            [word.replace('{url}', url) for word in command],
            cwd=None if here else folder,
            env=os.environ | more | {'PYTHONPATH': os.pathsep.join(filter(None, paths))},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
        try:
            peak_memory, processes = watch(process)
        except KeyboardInterrupt:
            said = last_words(content(stdout), content(stderr))
            end(process)
            raise KeyboardInterrupt(said) from None
        duration = time.perf_counter() - start
        spans = [] if computes else requests_since(url, before, processes)
        calls, held = calls_of(record) if computes else ([], [])
        output, errors = content(stdout), content(stderr)
    status = 0 if lenient and process.returncode > 0 else process.returncode
    run = Run(0, peak_memory, spans or calls, held, *count_errors(output, errors, status))
    hint = NO_CALL if computes else NO_REQUEST if before else NO_HISTORY
    run.take_time(time_of(output), duration, hint)
    return run


def watch(process: subprocess.Popen[bytes]) -> tuple[int, set[int]]:
    """Wait until a process ends; return its peak memory in bytes, and its family of processes."""
    peak, seen, known, next_search = 0, {process.pid}, [], 0.0
    while process.poll() is None:
        if time.monotonic() >= next_search:  # rarely: it takes milliseconds on a busy machine
            before = time.process_time()
            known = family(process.pid)
            seen |= {each.pid for each in known}
            next_search = time.monotonic() + RARELY * (time.process_time() - before)
        peak = max(peak, sum(map(resident, known)))
        time.sleep(PERIOD)
        if interrupts.run.stop_signal:  # Python ignores what is raised in a callback
            raise KeyboardInterrupt
    return peak, seen


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its descendants, which a shell would leave behind."""
    started = family(process.pid)
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE)
    process.kill()
    process.wait()
    for each in started:
        with suppress(psutil.Error):
            each.kill()


def resident(process: Any) -> int:
    """Return the memory of a process in bytes; 0 if it has ended or may not be asked."""
    with suppress(psutil.Error, OSError):
        return int(process.memory_info().rss)
    return 0


def family(pid: int) -> list[Any]:
    """Return a process and its descendants; none without psutil."""
    if psutil:
        with suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            return [process, *process.children(recursive=True)]
    return []
