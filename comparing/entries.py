"""A command that is compared, and the figures of its runs: time, speed-up, limit and others."""

import itertools
import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from comparing.runs import Run
from comparing.spans import most_in_flight
from support.arguments import cpu_count

LEAST_RUNS = 3  # the fewest that have a spread


@dataclass
class Entry:
    """A script or another command with its arguments, and its runs."""

    name: str
    command: list[str]
    concurrency: int | None = None  # set by a scan
    computes: bool = False  # it checks primes, and downloads nothing
    here: bool = False  # it runs in the current folder
    is_script: bool = False  # a Python script, which gets options
    runs: list[Run] = field(default_factory=list)
    failure: str = ''

    @property
    def variant(self) -> str:
        """The name without the concurrency of a scan."""
        return self.name.removesuffix(f' -m {self.concurrency}')

    @property
    def is_complete(self) -> bool:
        """Whether there are runs, and none of them failed."""
        return bool(self.runs) and not self.failure

    @property
    def elapsed(self) -> list[float]:
        """The times of all runs, in seconds."""
        return [run.elapsed for run in self.runs]

    @property
    def shown(self) -> Run:
        """The median run, or the slower of two: all figures and charts are of this run."""
        return sorted(self.runs, key=lambda run: run.elapsed)[len(self.runs) // 2]

    @property
    def median(self) -> float:
        """The time of the shown run, in seconds."""
        return self.shown.elapsed

    @property
    def mark(self) -> str:
        """A * for a time that was measured, not printed by the script."""
        return '' if self.shown.is_printed else '*'

    def speed_up(self, first: 'Entry') -> str:
        """Return how many times as fast as the first entry this is, with the standard deviation."""
        if not (self.is_complete and first.is_complete and self.median):
            return '-'
        ratio = first.median / self.median
        if self is first or min(len(self.runs), len(first.runs)) < LEAST_RUNS or not ratio:
            return f'{ratio:.1f}×'
        spreads = [statistics.stdev(each.elapsed) / each.median for each in (self, first)]
        error = ratio * math.hypot(*spreads)  # by propagation of errors
        digits = 2 if error < 0.05 else 1
        return f'{ratio:.{digits}f}±{error:.{digits}f}×'.replace('±0.', '±.')

    @property
    def in_flight(self) -> int:
        """The most requests, or calls, that were under way at once."""
        return most_in_flight(self.shown.spans)

    @property
    def limit(self) -> float:
        """The shortest time in which that many workers could wait out the server's delays."""
        delays = [span.delay for span in self.shown.spans]
        return max(max(delays), sum(delays) / self.in_flight)

    @property
    def errors(self) -> int:
        """The most errors that a run had."""
        return max(run.errors for run in self.runs)

    @property
    def codes(self) -> Counter[str]:
        """How often the shown run has requested each code, or checked each number."""
        return Counter(span.code for span in self.shown.spans)


def longest_shown(entries: Sequence[Entry]) -> float:
    """Return the duration of the longest timeline of the shown runs, in seconds."""
    ends = (span.end for entry in entries for span in [*entry.shown.spans, *entry.shown.held])
    return max(ends, default=0) or 0.001  # with a coarse clock, all may be 0


def share_of_cpus(run: Run) -> float:
    """Return the CPU time of workers, divided by what an idle machine would have given them."""
    cpus = 1 if str(run.spans[0].lane).startswith('thread') else cpu_count()  # one GIL
    steps = sorted(step for span in run.spans for step in ((span.start, 1), (span.end, -1)))
    at_work = itertools.accumulate(step for _, step in steps)
    possible = sum(
        min(workers, cpus) * (end - start)
        for workers, ((start, _), (end, _)) in zip(at_work, itertools.pairwise(steps), strict=False)
    )
    return sum(span.share * (span.end - span.start) for span in run.spans) / (possible or 1)
