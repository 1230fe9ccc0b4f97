"""The one owner of signals: break off what workers wait for, and end the process in time.

Python runs signal handlers in the main thread, but it is the workers that wait. So whatever
they wait for is broken off, as told by `on_stop`, and from then on `check` raises
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
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary

from support import windows

SIGNALS = {s for s in signal.Signals if s.name in ('SIGINT', 'SIGTERM', 'SIGHUP', 'SIGPIPE')}
SIGPIPE = 13  # also where there is no such signal
GRACE = 0.8  # seconds from a signal to the last words
PERIOD = 0.05  # seconds from one attempt to break things off to the next
TICK = 0.5  # seconds after which a signal is noticed that did not wake the main thread

stop_signal = 0  # the number of the signal that has come
_waiting: WeakKeyDictionary[Any, Callable[[Any], object]] = WeakKeyDictionary()
_last_words: Callable[[], object] = bool


def check() -> None:
    """Raise KeyboardInterrupt if the program has to stop."""
    if stop_signal:
        raise KeyboardInterrupt


def on_stop(waiting: Any, break_off: Callable[[Any], object]) -> None:
    """Have break_off(waiting) called in a thread after a signal, if waiting still exists."""
    _waiting[waiting] = break_off


def hold(owner: Any) -> None:
    """Let signals raise no exception in the main thread, until done(owner) or for good.

    They set stop_signal, as always, so that the owner can leave at a place that suits it.
    """
    _waiting[owner] = bool


def done(waiting: Any) -> None:
    """Forget what on_stop or hold was told of."""
    _waiting.pop(waiting, None)


def set_last_words(last_words: Callable[[], object]) -> None:
    """Have last_words called before a process is ended in the midst of its work."""
    global _last_words
    _last_words = last_words


@contextmanager
def handling_signals(grace: float = GRACE) -> Iterator[None]:
    """Context manager: let signals stop this process, within grace seconds.

    A signal that was ignored stays ignored, as after nohup or in a shell's background jobs.
    """
    global stop_signal
    stop_signal, owner, is_over = 0, os.getpid(), threading.Event()
    _waiting.clear()

    def stop(number: int) -> None:
        """Stop the program, in whatever thread it is noticed that it has to."""
        global stop_signal
        if not stop_signal:
            stop_signal = number
            _expect_loose_ends()
            _start_winding_down(grace, is_over)

    def handle(number: int, _frame: object) -> None:
        """Stop the program: by KeyboardInterrupt, unless something can be broken off."""
        if os.getpid() != owner:
            os._exit(128 + number)  # a process just forked
        if stop_signal or (number == SIGPIPE and not _reader_has_left()):
            return
        is_idle = not (_waiting or multiprocessing.active_children())
        stop(number)
        if is_idle and number != SIGPIPE:  # a write without a reader raises BrokenPipeError
            raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in before.items():
        if number == SIGPIPE or handler != signal.SIG_IGN:  # Python itself ignores SIGPIPE
            signal.signal(number, handle)
    windows.notice_signals(stop)
    windows.notice_broken_pipe(lambda: stop(SIGPIPE))
    try:
        with _ticking():
            yield
    finally:
        is_over.set()
        _give_back(before)


def _give_back(handlers: dict[signal.Signals, Any]) -> None:
    """Have signals handled as before, but ignored after a first one.

    When a script ends, and not just a call in a session, Python's own handler of Ctrl-C goes,
    too: it would print a traceback.
    """
    for number, handler in handlers.items():
        if handler == signal.default_int_handler and not hasattr(sys, 'ps1'):
            handler = signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN if stop_signal else handler)


@contextmanager
def _ticking() -> Iterator[None]:
    """Context manager: wake the main thread regularly, so that it notices every signal.

    One that comes just before it begins to wait for a lock does not break off the wait, nor
    does one that the system gives to another thread.
    """
    if sys.platform == 'win32':
        yield
        return
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, TICK, TICK)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
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


def _reader_has_left() -> bool:
    """Tell whether SIGPIPE comes from standard output, not from a socket."""
    (poll := select.poll()).register(1, select.POLLOUT)
    gone = select.POLLERR | select.POLLHUP
    return sys.stdout is not None and any(event & gone for _, event in poll.poll(0))


def _expect_loose_ends() -> None:
    """Have nothing told of threads that fail, coroutines left undone and objects half made."""
    threading.excepthook = lambda _: None
    sys.unraisablehook = lambda _: None
    warnings.simplefilter('ignore')


def _start_winding_down(grace: float, is_over: threading.Event) -> None:
    """Start the thread that ends the process, and wait until it runs.

    Python 3.11.2 crashes if it exits while a thread is about to begin. The main thread may hold
    the locks of `threading` just now, so this has to do without them.
    """
    has_begun = _thread.allocate_lock()
    has_begun.acquire()
    try:
        _thread.start_new_thread(_wind_down, (has_begun, grace, is_over))
    except RuntimeError:  # no more threads: nothing can be broken off
        os._exit(128 + stop_signal)
    has_begun.acquire(timeout=grace)


def _wind_down(has_begun: Any, grace: float, is_over: threading.Event) -> None:
    """Break off what waits, and what still comes to wait; end the process if it does not end."""
    has_begun.release()
    start = time.monotonic()
    while (elapsed := time.monotonic() - start) < grace:
        while _waiting:
            with suppress(KeyError, OSError, RuntimeError):  # it has just ended by itself
                waiting, break_off = _waiting.popitem()
                break_off(waiting)
        for child in multiprocessing.active_children():
            child.terminate() if elapsed < grace / 2 else child.kill()
        time.sleep(PERIOD)
    if stop_signal != SIGPIPE and not is_over.is_set():
        _speak()
    os._exit(128 + stop_signal)


def _speak() -> None:
    """Say the last words, unless whoever should read them makes them wait for too long."""
    is_said = _thread.allocate_lock()
    is_said.acquire()

    def speak() -> None:
        with suppress(OSError, ValueError):
            _last_words()
        is_said.release()

    _thread.start_new_thread(speak, ())
    is_said.acquire(timeout=GRACE)
