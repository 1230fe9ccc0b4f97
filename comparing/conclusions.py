"""Sentences below the figures: what follows from them, and why to doubt it. Nothing here prints."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence

from comparing.entries import LEAST_RUNS, Entry
from comparing.runs import MEASURES_MEMORY
from comparing.work import Call, Work
from support.arguments import cpu_count
from support.console import plural

LEAST_SHARE = 0.7  # of the time that CPUs could have given to workers


def busy_note(load: float, cpus: int) -> str:
    """Return a line if there was more to do than CPUs to do it, nothing otherwise.

    >>> busy_note(1.5, cpus=2)
    ''
    """
    if load <= cpus:
        return ''
    return (
        f'The machine was busy before this began (load {load:.1f}, {plural(cpus, "CPU")}): '
        'even the ranking may be wrong.'
    )


def notes(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield what to know, or to doubt, about the figures of a table."""
    complete = [entry for entry in entries if entry.is_complete]
    if not MEASURES_MEMORY:
        yield "Memory is not shown: pip install '.[compare]' brings psutil."
    if any(entry.mark for entry in complete):
        yield '* Not printed, but seen: from the first request or call to the last answer.'
    if others := list(other_work(complete)):
        first, noun = complete[0], 'number' if complete[0].runs[-1].work else 'request'
        size = plural(codes(first).total(), noun)
        yield f'Not the same work as {first.name} ({size}): {", ".join(others)}.'
    for entry in complete:
        for time in entry.outliers:
            yield (
                f'A run of {entry.name} took {time:.2f} s, far from the median, '
                f'{entry.median:.2f} s: something else may have kept the machine busy.'
            )
        share = min((share_of_cpus(run.work) for run in entry.runs if run.work), default=1)
        if share < LEAST_SHARE:
            yield (
                f'{entry.name} had {share:.0%} of the time of the CPUs that its workers asked for: '
                'something else kept the machine busy, so this time says little.'
            )


def other_work(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield what has not asked for the codes, or numbers, of the first one, and for how many."""
    for entry in entries[1:]:
        is_known = entry.runs[-1].spans or any(each.has_requests for each in entries)
        if is_known and codes(entry) != codes(entries[0]):
            is_other = codes(entry).total() == codes(entries[0]).total()
            yield f'{entry.name} ({codes(entry).total()}{" others" if is_other else ""})'


def codes(entry: Entry) -> Counter[str]:
    """Return how often the last run has asked for each code, or has checked each number."""
    spans = entry.runs[-1].spans
    return Counter(span.code for span in spans if not (isinstance(span, Call) and span.kind))


def share_of_cpus(work: Work) -> float:
    """Return the CPU time of workers, divided by what they would have had on an idle machine."""
    calls = [call for call in work.calls if call.kind != 'held']
    cpus = 1 if work.lanes[0].startswith('thread') else cpu_count()  # there is one GIL
    steps = sorted(step for call in calls for step in ((call.start, 1), (call.end, -1)))
    at_work = itertools.accumulate(step for _, step in steps)
    possible = sum(
        min(workers, cpus) * (end - start)
        for workers, ((start, _), (end, _)) in zip(at_work, itertools.pairwise(steps), strict=False)
    )
    return sum(call.share * (call.end - call.start) for call in calls) / (possible or 1)


def conclusion(entries: Sequence[Entry]) -> str:
    """Return how many times as fast the fastest is as the first, or as the next; '' if unknown."""
    first = entries[0]
    ranked = sorted(
        (entry for entry in entries if entry.is_complete and entry.median),
        key=lambda entry: entry.median,
    )
    if len(ranked) < 2 or len(ranked[0].runs) < LEAST_RUNS:
        return ''
    best = ranked[0]
    other = ranked[1] if best is first or first not in ranked else first
    if best.ratio(other) - best.speed_up_error(other) <= 1:
        return f'These runs do not tell whether {best.name} or {other.name} is faster.'
    times = best.speed_up(other).removesuffix('x').replace('±', ' ± ')
    return f'{best.name} is {times} times as fast as {other.name}.'
