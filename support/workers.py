"""Executors beside the chapter's, and processes that Ctrl-C does not reach."""

import argparse
import copy
import multiprocessing
import os
import signal
import sys
import threading
from concurrent import futures
from importlib import import_module
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from support import interrupts
from support.console import discard_unwritable_output, fail, signals_blocked

MAX_WORKERS = 61 if sys.platform == 'win32' else 256  # Windows cannot wait for more
KINDS = ['process', 'thread', 'serial', 'interpreter', 'dask']
if sys.version_info < (3, 14):
    KINDS.remove('interpreter')
NOUNS = {'serial': 'serial thread', 'dask': 'dask worker'}  # where it is not the kind's name


class Process(multiprocessing.Process):
    """A process that leaves signals of the terminal to its parent, and ends with it."""

    def start(self) -> None:
        """Start in such a way that no signal can disturb it before `run` is called."""
        interrupts.check()
        self.daemon = True  # the script must not wait for it
        is_forked = multiprocessing.get_start_method() == 'fork'
        with signals_blocked(*(() if is_forked else (signal.SIGTERM,))):  # fatal to what loads
            super().start()

    def run(self) -> None:
        """Do the work until the parent sends SIGTERM, or ends without a word."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # Python may miss one just before it waits
        for number in set(interrupts.SIGNALS) - {signal.SIGTERM}:
            signal.signal(number, signal.SIG_IGN)
        try:
            with signals_blocked():  # only the main thread may take them, as it puts them off
                threading.Thread(target=end_with_parent, daemon=True).start()
            if sys.platform != 'win32':
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            super().run()
        except (EOFError, MemoryError, OSError, RuntimeError):  # no parent, no more threads
            sys.exit(1)  # which the parent will tell
        finally:
            discard_unwritable_output()  # or it would fail again, at length, when this ends


def end_with_parent() -> None:
    """Block until the parent process has ended, then end this one."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def quiet_processes() -> Any:
    """Return the default context of multiprocessing, but with the processes from above."""
    context: Any = copy.copy(multiprocessing.get_context())
    context.Process = Process
    if context.get_start_method() != 'fork' and sys.platform != 'win32':
        with signals_blocked():
            resource_tracker.ensure_running()  # it outlives them, to clean up
    return context


def other_executor(kind: str, workers: int | None, scheduler: str | None) -> Any:
    """Return an executor of a kind that is not 'process'; fail if it is not to be had."""
    if kind in ('thread', 'serial'):
        return futures.ThreadPoolExecutor(1 if kind == 'serial' else workers)
    if kind == 'interpreter':
        executor: Any = futures.InterpreterPoolExecutor(workers)  # type: ignore[attr-defined]
        # Classes of __main__ cannot be passed, those of the same script imported can
        script, pool_map = import_module(Path(sys.argv[0]).stem), executor.map
        executor.map = lambda fn, *args: pool_map(getattr(script, fn.__name__), *args)
        return executor
    try:
        from pools.dask import DaskExecutor
    except ModuleNotFoundError:
        fail("dask.distributed is not installed; try: pip install '.[cluster]'")
    return DaskExecutor(workers, scheduler)


def add_workers_argument(parser: argparse.ArgumentParser) -> None:
    """Let the user choose a number of workers."""
    parser.add_argument(
        'workers',
        nargs='?',
        type=worker_count,
        help=f'number of workers, {MAX_WORKERS} at most (default: depends on the CPUs)',
    )


def worker_count(text: str) -> int:
    """Argparse type: a number of workers."""
    if not (text.isdecimal() and 1 <= int(text) <= MAX_WORKERS):
        raise argparse.ArgumentTypeError(f'{text!r} is not a number from 1 to {MAX_WORKERS}')
    return int(text)
