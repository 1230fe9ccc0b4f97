"""Break off what workers wait for on SIGINT, SIGTERM and SIGHUP, and on SIGPIPE from stdout.

Python runs signal handlers in the main thread, but it is the workers that wait. So whatever
they wait for is broken off, as entered in `break_off`, and from then on `check` raises
KeyboardInterrupt in the worker, whose future carries it to whoever asks for its result.
"""

import _thread
import multiprocessing
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary

SIGNALS = [s for s in signal.Signals if s.name in ('SIGINT', 'SIGTERM', 'SIGHUP', 'SIGPIPE')]
SIGPIPE = 13  # also where there is no such signal
GRACE = 1.0  # seconds from a signal to the end of the process
PERIOD = 0.05  # seconds
# An exception raised in the midst of these would leave processes behind, or go unnoticed
FRAGILE = ('asyncio', 'concurrent.futures', 'importlib', '_frozen_importlib', 'multiprocessing')

break_off: WeakKeyDictionary[Any, Callable[[Any], object]] = WeakKeyDictionary()
stop_signal = _pid = 0
last_words = ''  # to say on stderr where a process is ended in the midst of its work


def check() -> None:
    """Raise KeyboardInterrupt if the program has to stop."""
    if stop_signal:
        raise KeyboardInterrupt


def handle_signals(words: str) -> dict[signal.Signals, Any]:
    """Have signals stop this process, with these last words if overdue; return old handlers."""
    global stop_signal, last_words, _pid
    stop_signal, last_words, _pid = 0, words, os.getpid()
    break_off.clear()
    return {number: signal.signal(number, _on_signal) for number in SIGNALS}


def _on_signal(number: int, frame: FrameType | None) -> None:
    """Stop the program: by KeyboardInterrupt, unless something can be broken off."""
    global stop_signal
    if os.getpid() != _pid:
        os._exit(128 + number)  # a process just forked
    if stop_signal or (number == SIGPIPE and not _reader_has_left()):
        return
    stop_signal = number
    threading.excepthook = lambda _: None  # what threads raise from now on is no news
    busy = bool(break_off or multiprocessing.active_children())
    try:
        _thread.start_new_thread(_wind_down, ())  # threading's own locks may be taken just now
    except RuntimeError:  # no more threads: nothing can be broken off
        os._exit(128 + number)
    while frame and not busy:
        busy = frame.f_globals.get('__name__', '').startswith(FRAGILE)
        frame = frame.f_back
    if not busy and number != SIGPIPE:
        raise KeyboardInterrupt


def _reader_has_left() -> bool:
    """Tell whether SIGPIPE comes from standard output, not from a socket."""
    (poll := select.poll()).register(1, 0)
    return sys.stdout is not None and bool(poll.poll(0))


def _wind_down() -> None:
    """Break off what waits, and what still comes to wait; end the process if it does not end."""
    start = time.monotonic()
    while (elapsed := time.monotonic() - start) < (GRACE if last_words else 2 * GRACE):
        with suppress(KeyError, OSError, RuntimeError):  # none left; it has ended by itself
            while True:
                waiting, end = break_off.popitem()
                end(waiting)
        for child in multiprocessing.active_children():
            child.terminate() if elapsed < GRACE / 2 else child.kill()
        time.sleep(PERIOD)
    with suppress(OSError):
        if last_words and stop_signal != SIGPIPE:
            print(last_words, file=sys.stderr, flush=True)
    os._exit(128 + stop_signal)
