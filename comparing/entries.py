"""What is compared, and what its runs show together: this defines time, speed-up and limit."""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field

from comparing.runs import Run, limit, most_in_flight

LEAST_RUNS = 3  # of which a spread can be told
OUTLIER = 14.826  # median deviations: ten standard deviations of normally distributed times
CLOCK_STEP = 0.01  # seconds


@dataclass
class Entry:
    """A script or another command with its arguments, and how its runs went."""

    name: str
    command: list[str]
    concurrency: int | None = None  # where a scan has set it
    runs: list[Run] = field(default_factory=list)
    failure: str = ''

    @property
    def variant(self) -> str:
        """The name without the concurrency of a scan."""
        return self.name.removesuffix(f' -m {self.concurrency}')

    @property
    def elapsed(self) -> list[float]:
        """The times of all runs, in seconds."""
        return [run.elapsed for run in self.runs]

    @property
    def median(self) -> float:
        """The time of the run in the middle, in seconds."""
        return statistics.median(self.elapsed)

    @property
    def mark(self) -> str:
        """What marks the time of a script that has not printed it."""
        return '' if all(run.is_printed for run in self.runs) else '*'

    def ratio(self, first: 'Entry') -> float:
        """Return how many times as fast as another entry this is; both are complete."""
        return first.median / self.median

    def speed_up(self, first: 'Entry') -> str:
        """Return the ratio as text, with its error if that is known; a dash if nobody knows."""
        if not (self.is_complete and first.is_complete and self.median):
            return '-'
        error = self.speed_up_error(first)
        digits = 2 if 0 < error < 0.05 else 1
        spread = f'±{error:.{digits}f}'.replace('±0', '±') if error else ''
        return f'{self.ratio(first):.{digits}f}{spread}x'

    def speed_up_error(self, first: 'Entry') -> float:
        """Return the standard deviation of a ratio, by propagation of errors; 0 if unknown."""
        if self is first or min(len(self.runs), len(first.runs)) < LEAST_RUNS or not first.median:
            return 0
        spreads = [statistics.stdev(each.elapsed) / each.median for each in (self, first)]
        return self.ratio(first) * math.hypot(*spreads)

    @property
    def outliers(self) -> list[float]:
        """The times far from the median by the rule of hyperfine; they are in hundredths."""
        deviations = [abs(time - self.median) for time in self.elapsed]
        usual = max(statistics.median(deviations), CLOCK_STEP / 2)
        return [time for time in self.elapsed if abs(time - self.median) > OUTLIER * usual]

    @property
    def is_complete(self) -> bool:
        """Whether there is something to compare: runs, none of which failed."""
        return bool(self.runs) and not self.failure

    @property
    def has_requests(self) -> bool:
        """Whether a server told of every run."""
        return self.is_complete and all(run.requests for run in self.runs)

    @property
    def has_timeline(self) -> bool:
        """Whether it is known what the last run did when."""
        return self.is_complete and bool(self.runs[-1].spans)

    @property
    def peak_memory(self) -> int:
        """The most memory that a run took, in bytes; 0 if it is not known."""
        return max((run.peak_memory or 0 for run in self.runs), default=0)

    @property
    def errors(self) -> int:
        """The errors of the run that had the most."""
        return max((run.errors for run in self.runs), default=0)

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


def last_duration(entries: Iterable[Entry]) -> float:
    """Return how long the longest of the last runs took, as its timeline shows it, in seconds."""
    ends = (each.end for entry in entries for each in entry.runs[-1].spans)
    return max(ends, default=0) or 0.001  # by a coarse clock, they take no time
