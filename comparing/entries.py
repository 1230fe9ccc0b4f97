"""What is compared: scripts with their arguments, and what their runs show together."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field

from comparing.runs import Run, limit, most_in_flight


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
