"""The kinds of executors beside the chapter's pool of processes."""

import sys
from concurrent import futures
from typing import Any

from support.console import fail

NOUNS = {  # of a worker, by kind
    'thread': 'thread',
    'serial': 'thread',
    'interpreter': 'interpreter',
    'dask': 'dask worker',
}
KINDS = [kind for kind in NOUNS if kind != 'interpreter' or sys.version_info >= (3, 14)]


def executor_of(kind: str, workers: int | None, scheduler: str | None) -> Any:
    """Return an executor of a kind; fail if it is not to be had.

    A scheduler is the address of one that dask's workers are connected to.
    """
    if kind == 'thread':
        return futures.ThreadPoolExecutor(workers)
    if kind == 'serial':
        return futures.ThreadPoolExecutor(1)
    if kind == 'interpreter':
        return futures.InterpreterPoolExecutor(workers)  # type: ignore[attr-defined]
    try:
        from pools.dask import DaskExecutor
    except ModuleNotFoundError:
        fail("dask.distributed is not installed; try: pip install '.[cluster]'")
    return DaskExecutor(workers, scheduler)
