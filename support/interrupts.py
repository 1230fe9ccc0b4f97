"""The one owner of signals: break off what workers wait for, and end the process in time.

Python runs signal handlers in the main thread, but it is the workers that wait. So whatever
they wait for is broken off, as told by `on_stop`, and from then on `check` raises
KeyboardInterrupt in the worker, whose future carries it to whoever asks for its result.
"""

import _thread
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary

from support import windows
from support.sessions import changed, in_session
from support.signals import SIGNALS, SIGPIPE, blocked, end_by, reader_has_left, ticking

GRACE = 0.8  # seconds from a signal to the last words
PERIOD = 0.05  # seconds from one attempt to break things off to the next

stop_signal = 0  # the number of the signal that has come
_waiting: WeakKeyDictionary[Any, Callable[[Any], object]] = WeakKeyDictionary()


def check() -> None:
    """Raise KeyboardInterrupt if the script has to stop."""
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


@contextmanager
def handling_signals(last_words: Callable[[], object], grace: float = GRACE) -> Iterator[None]:
    """Context manager: let signals stop the block.

    If it does not end within grace seconds, the process says its last words and ends. A session
    goes on: only Ctrl-C matters there, and a second one ends what cannot be broken off. In a
    thread other than the main one, Python does not handle signals, so they are left alone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _waiting.clear()
    script = Script(last_words, grace)
    with ExitStack() as stack:
        if in_session():
            stack.enter_context(changed(threading, excepthook=threading.excepthook))
            stack.enter_context(changed(sys, unraisablehook=sys.unraisablehook))
            stack.enter_context(changed(sys.modules[__name__], stop_signal=0))
            stack.enter_context(warnings.catch_warnings())
        stack.enter_context(_handled_by(script.handle))
        stack.enter_context(ticking())
        stack.enter_context(windows.noticing_signals(script.stop))
        stack.callback(script.is_over.set)
        yield


class Script:
    """What runs until a signal stops it, with the processes that it has started."""

    def __init__(self, last_words: Callable[[], object], grace: float) -> None:
        """Begin, maybe in a session that has processes of its own."""
        self.last_words, self.grace = last_words, grace
        self.owner, self.is_over = os.getpid(), threading.Event()
        self.others = set(multiprocessing.active_children())

    def handle(self, number: int, _frame: object) -> None:
        """Stop the script: by KeyboardInterrupt, unless something can be broken off."""
        if os.getpid() != self.owner:
            os._exit(128 + number)  # a process just forked
        if number == SIGPIPE and not reader_has_left():
            return
        raises = in_session() if stop_signal else not (_waiting or self.children())
        self.stop(number)
        if raises and number != SIGPIPE:  # a write without a reader raises BrokenPipeError
            raise KeyboardInterrupt

    def stop(self, number: int) -> None:
        """Stop the script, in whatever thread it is noticed that it has to."""
        global stop_signal
        if stop_signal or self.is_over.is_set():
            return
        stop_signal = number
        threading.excepthook = lambda _: None  # what is broken off is no news
        sys.unraisablehook = lambda _: None
        warnings.simplefilter('ignore')
        try:
            _thread.start_new_thread(self.wind_down, ())
        except RuntimeError:  # no more threads: nothing can be broken off
            end_by(number)

    def wind_down(self) -> None:
        """Break off what waits, and what still comes to wait; end the process in time."""
        start = time.monotonic()
        while (elapsed := time.monotonic() - start) < self.grace or in_session():
            children, broken_off = self.children(), {}
            with suppress(RuntimeError):  # workers change it meanwhile; the next time will do
                broken_off = dict(_waiting.items())
            if self.is_over.is_set() and in_session():
                return  # what has begun since belongs to another script
            for waiting, break_off in broken_off.items():
                done(waiting)
                with suppress(OSError, RuntimeError):  # it has just ended by itself
                    break_off(waiting)
            for child in children:
                child.terminate() if elapsed < self.grace / 2 else child.kill()
            time.sleep(PERIOD)
        number = stop_signal
        if number != SIGPIPE and not self.is_over.is_set():
            with suppress(OSError, RuntimeError, ValueError):
                _thread.start_new_thread(_end_later, (number,))  # if they are not read
                self.last_words()
        end_by(number)

    def children(self) -> set[Any]:
        """Return the processes that the script has started."""
        return set(multiprocessing.active_children()) - self.others


@contextmanager
def _handled_by(handle: Callable[[int, object], None]) -> Iterator[None]:
    """Context manager: have handle called for signals, but not for those that are ignored.

    Where the process ends, signals are ignored after a first one, and without one Python's own
    handler of Ctrl-C goes, too: it would print a traceback.
    """
    numbers = {signal.SIGINT} if in_session() else SIGNALS
    before = {number: signal.getsignal(number) for number in numbers}
    with blocked():  # all are handled, or none is
        for number, handler in before.items():
            if handler != signal.SIG_IGN or number == SIGPIPE:  # which Python itself ignores
                signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler == signal.default_int_handler and not in_session():
                handler = signal.SIG_DFL
            is_ignored = stop_signal and not in_session()
            signal.signal(number, signal.SIG_IGN if is_ignored else handler)


def _end_later(number: int) -> None:
    """End the process after a while."""
    time.sleep(GRACE)
    end_by(number)
