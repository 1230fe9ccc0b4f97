"""Record the calls of a function, in whatever process they are, and the order map was asked for.

Python imports this at the start of each process for which runs.py has put this folder on
PYTHONPATH. The function, such as primes.is_prime, is one of a number, and of a module.
"""

import functools
import importlib
import json
import os
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from time import perf_counter, thread_time
from typing import Any

MAIN = os.environ.setdefault('RECORDED_PROCESS', str(os.getpid()))


def add_line(**fields: Any) -> None:
    """Write a line with a single call of the system, as other workers write into the file too."""
    with open(os.environ['RECORDED_CALLS'], 'ab', buffering=0) as lines:  # noqa: PTH123
        lines.write(json.dumps(fields).encode() + b'\n')


def record_calls(module: Any, name: str) -> None:
    """From now on, add a line for each call."""
    function = getattr(module, name)
    cpu_time = thread_time if module.__name__ == 'primes' else perf_counter  # others need no CPU

    @functools.wraps(function)
    def call_and_record(n: int) -> Any:
        start, cpu_start = perf_counter(), cpu_time()
        result = function(n)
        end, cpu = perf_counter(), cpu_time() - cpu_start
        kind = 'thread' if str(os.getpid()) == MAIN else 'process'
        worker = (kind, os.getpid(), threading.get_ident())
        add_line(n=n, worker=worker, start=start, end=end, cpu=cpu)
        return result

    setattr(module, name, call_and_record)


def record_order(executor: Any) -> None:
    """From now on, add a line for each map, which returns results in the order of its calls."""
    plain_map = executor.map

    def map_and_record(self: Any, function: Any, *iterables: Any, **options: Any) -> Any:
        lists = [list(each) for each in iterables]
        add_line(order=lists[0])
        return plain_map(self, function, *lists, **options)

    executor.map = map_and_record


module_name, _, function_name = os.environ['RECORDED_FUNCTION'].rpartition('.')
record_calls(importlib.import_module(module_name), function_name)
record_order(ThreadPoolExecutor)
record_order(ProcessPoolExecutor)
