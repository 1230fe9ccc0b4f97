"""Record the calls of primes.is_prime in every process, and the order of the arguments of map.

Python imports this module when it starts, because runs.py puts its folder on PYTHONPATH. Child
processes inherit that. If there is another sitecustomize.py, it is imported as well.
"""

import functools
import importlib
import json
import os
import sys
import threading
from time import perf_counter, thread_time
from types import SimpleNamespace
from typing import Any

# The number of the first process is there already in another interpreter of that process only
KIND = 'interpreter' if os.environ.get('RECORDED_PROCESS') == str(os.getpid()) else 'thread'
MAIN = os.environ.setdefault('RECORDED_PROCESS', str(os.getpid()))


def add_line(**fields: Any) -> None:
    """Add a line to the file, in one write, because other workers write to it as well."""
    with open(os.environ['RECORDED_CALLS'], 'ab', buffering=0) as lines:  # noqa: PTH123
        lines.write(json.dumps(fields).encode() + b'\n')


def recording(function: Any) -> Any:
    """Return a function that also adds a line for each call."""

    @functools.wraps(function)
    def call_and_record(n: int) -> Any:
        start, cpu_start = perf_counter(), thread_time()
        result = function(n)
        end, cpu = perf_counter(), thread_time() - cpu_start
        kind = KIND if str(os.getpid()) == MAIN else 'process'
        worker = (kind, os.getpid(), threading.get_ident())
        add_line(n=str(n), worker=worker, start=start, end=end, cpu=cpu)
        return result

    return call_and_record


def recording_order(plain_map: Any) -> Any:
    """Return a method like map that also adds a line for each argument."""

    def map_and_record(self: Any, function: Any, *lists: Any, **options: Any) -> Any:
        if lists and hasattr(lists[0], '__len__'):  # an iterator can be read only once
            for n in lists[0]:
                add_line(order=str(n))
        return plain_map(self, function, *lists, **options)

    return map_and_record


RECORDED = {  # module: class, function and what records it
    'primes': ('', 'is_prime', recording),
    'concurrent.futures.thread': ('ThreadPoolExecutor', 'map', recording_order),
    'concurrent.futures.process': ('ProcessPoolExecutor', 'map', recording_order),
    'distributed.cfexecutor': ('ClientExecutor', 'map', recording_order),
}


def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
    """Return the spec of another finder for a module; recording begins when it is loaded."""
    others = [each for each in sys.meta_path if each.find_spec is not find_spec]
    specs = (each.find_spec(name, path, target) for each in others)
    if name not in RECORDED or not (spec := next(filter(None, specs), None)):
        return None
    loader: Any = spec.loader
    load = loader.exec_module

    def load_and_record(module: Any) -> None:
        load(module)
        class_name, function, wrapper = RECORDED[name]
        owner = getattr(module, class_name) if class_name else module
        setattr(owner, function, wrapper(getattr(owner, function)))

    loader.exec_module = load_and_record
    return spec


sys.meta_path.insert(0, SimpleNamespace(find_spec=find_spec))
sys.path.remove(os.path.dirname(__file__))  # noqa: PTH120
this = sys.modules.pop(__name__)
try:
    importlib.import_module(__name__)
except ModuleNotFoundError as exc:
    sys.modules[__name__] = this
    if exc.name != __name__:  # there is one, but it cannot import something else
        raise
