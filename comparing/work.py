"""Work that computes: when a worker began and ended each call, and when its result was shown.

A script that recorded.py runs writes this into a file; compare.py reads it when the script ends.
"""

import builtins
import functools
import importlib
import json
import os
import re
import threading
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any

CALLS_FILE = 'calls.jsonl'  # in the folder where the script runs
# Such as "7777777777777777     0.000031s", and "[15:56:55] result 4: 40" for an argument of 4
RESULTS = {r' *(\d+) +(?:P +)?\d+\.\d+s': 1, r'.*\bresult \d+: ([\d.]+)': 10}
LEAST_WAIT = 0.02  # seconds: results need some time from process to process, too


@dataclass(frozen=True)
class Call:
    """A call, or how long its result had to wait, in seconds from the first call."""

    code: str  # the argument
    start: float
    end: float
    share: float  # of that time, in which the worker had a CPU
    lane: int
    kind: str = ''  # or 'held', while the result waits for an earlier one


@dataclass(frozen=True)
class Work:
    """All calls of a run, and the names of the lanes, which are the workers."""

    lanes: list[str]
    calls: list[Call]


def add_line(file: Path, **fields: Any) -> None:
    """Write a line with a single call of the system, as other workers write into the file too."""
    with file.open('ab', buffering=0) as lines:
        lines.write(json.dumps(fields).encode() + b'\n')


def record_calls(name: str, file: Path) -> None:
    """From now on, add a line to the file for each call of a function, such as primes.is_prime.

    This is for functions of a number, and has to come before other modules import them.
    """
    module_name, _, function_name = name.rpartition('.')
    module = importlib.import_module(module_name)
    function = getattr(module, function_name)
    cpu_time = thread_time if module_name == 'primes' else perf_counter  # others need no CPU

    @functools.wraps(function)
    def call_and_record(n: int) -> Any:
        start, cpu_start = perf_counter(), cpu_time()
        result = function(n)
        end, cpu = perf_counter(), cpu_time() - cpu_start
        worker = [os.getpid(), threading.get_ident()]
        add_line(file, n=n, worker=worker, start=start, end=end, cpu=cpu)
        return result

    setattr(module, function_name, call_and_record)


def record_results(file: Path) -> None:
    """From now on, add a line to the file for each result that is printed."""
    plain_print = builtins.print

    def print_and_record(*args: Any, **options: Any) -> None:
        plain_print(*args, **options)
        text = ' '.join(map(str, args))
        for pattern, factor in RESULTS.items():
            if found := re.match(pattern, text):
                result = json.loads(found[1])
                n = result // factor if isinstance(result, int) else result / factor
                add_line(file, n=n, shown=perf_counter(), pid=os.getpid())

    builtins.print = print_and_record


def read_work(file: Path) -> Work | None:
    """Return what a script has written, or None if it has recorded no call."""
    lines = [json.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []
    calls = sorted((line for line in lines if 'start' in line), key=lambda line: line['start'])
    results = [line for line in lines if 'shown' in line]
    if not calls:
        return None
    workers = list(dict.fromkeys(tuple(call['worker']) for call in calls))
    script = {result['pid'] for result in results}
    lanes = [
        f'{"thread" if pid in script else "process"} {number}'
        for number, (pid, _) in enumerate(workers, 1)
    ]
    spans = [
        Call(
            str(call['n']),
            call['start'],
            call['end'],
            min(call['cpu'] / max(call['end'] - call['start'], 1e-9), 1.0),
            workers.index(tuple(call['worker'])),
        )
        for call in calls
    ]
    spans += held_results(spans, results)
    begin = spans[0].start
    return Work(
        lanes, [replace(each, start=each.start - begin, end=each.end - begin) for each in spans]
    )


def held_results(calls: list[Call], results: list[dict[str, Any]]) -> list[Call]:
    """Return how long results that were ready waited until earlier ones were shown."""
    ready = defaultdict(list)
    for call in sorted(calls, key=lambda call: call.end):
        ready[call.code].append(call)
    held, latest = [], 0.0
    for result in sorted(results, key=lambda result: result['shown']):
        if not ready[str(result['n'])]:
            continue
        call, until = ready[str(result['n'])].pop(0), result['shown']
        if call.end < latest and until - call.end > LEAST_WAIT:
            held.append(replace(call, start=call.end, end=until, share=0, kind='held'))
        latest = max(latest, call.end)
    return held
