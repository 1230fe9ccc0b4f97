"""What the operating system does with signals; nothing here knows of scripts and workers."""

import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

SIGNALS = {s for s in signal.Signals if s.name in ('SIGINT', 'SIGTERM', 'SIGHUP', 'SIGPIPE')}
SIGPIPE = 13  # also where there is no such signal
TICK = 0.5  # seconds after which a signal is noticed that did not wake the main thread


@contextmanager
def ticking() -> Iterator[None]:
    """Context manager: wake the main thread regularly, so that it notices every signal.

    One that comes just before it begins to wait for a lock does not break off the wait, nor
    does one that the system gives to another thread.
    """
    if sys.platform == 'win32':
        yield
        return
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    timer = signal.setitimer(signal.ITIMER_REAL, TICK, TICK)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def blocked(*exceptions: int) -> Iterator[None]:
    """Context manager: put off signals, and let processes that start in the block do so too."""
    if sys.platform == 'win32':
        yield
        return
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS - {SIGPIPE, *exceptions})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def reader_has_left() -> bool:
    """Tell whether SIGPIPE comes from standard output, not from a socket."""
    (poll := select.poll()).register(1, select.POLLOUT)
    gone = select.POLLERR | select.POLLHUP
    return sys.stdout is not None and any(event & gone for _, event in poll.poll(0))


def end_by(number: int) -> NoReturn:
    """End this process as a signal does: a shell's loop goes on after any other end.

    Windows has no such end, nor has the first process of a container.
    """
    if sys.platform != 'win32':
        import ctypes  # signal.signal() works in the main thread only

        ctypes.CDLL(None).signal(number, None)
        os.kill(os.getpid(), number)
    os._exit(128 + number)
