"""What the operating system does with signals and processes; nothing here knows of scripts."""

import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

SIGNALS = {s for s in signal.Signals if s.name in ('SIGINT', 'SIGTERM', 'SIGHUP', 'SIGPIPE')}
SIGPIPE = 13  # also where there is no such signal

unfinished: set[Path] = set()  # files to delete if the process dies now


@contextmanager
def blocked() -> Iterator[None]:
    """Context manager: put off signals, also in processes that start in the block."""
    if sys.platform == 'win32':
        yield
        return
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS - {SIGPIPE})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def is_blocked(number: int) -> bool:
    """Tell whether the calling thread puts off a signal."""
    return sys.platform != 'win32' and number in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def reader_has_left() -> bool:
    """Tell whether SIGPIPE comes from standard output, not from a socket."""
    if sys.platform == 'win32':  # which has no SIGPIPE
        return False
    (poll := select.poll()).register(1, select.POLLOUT)
    gone = select.POLLERR | select.POLLHUP
    return sys.stdout is not None and any(event & gone for _, event in poll.poll(0))


def children() -> set[Any]:
    """Return the processes that were started, without an import that most scripts do not need."""
    module = sys.modules.get('multiprocessing')
    return set(module.active_children()) if module else set()


def end_children(others: set[Any]) -> None:
    """End all processes but others; one may just be forked, and one may ignore SIGTERM."""
    for attempt in range(50):
        with suppress(Exception):  # another thread may just close a process, or add one
            if not (running := children() - others):
                return
            for child in running:
                child.terminate() if attempt < 25 else child.kill()
        time.sleep(0.01)


def die(number: int) -> NoReturn:
    """Die of a signal, called in the main thread: a shell's loop goes on after any other end.

    Windows has no such end, nor has the first process of a container.
    """
    for path in list(unfinished):
        path.unlink(missing_ok=True)
    if sys.platform != 'win32':
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
    os._exit(128 + number)
