"""End the work of many workers together: on Ctrl-C, on SIGTERM, or when one of them fails.

Python runs signal handlers in the main thread only, and no exception reaches a thread that
waits for a server. So nothing is raised from outside here. Whatever may wait for long is
registered with `breakable`; a watcher thread breaks it off when it is overdue or when the
program has to stop. From then on `breakable` refuses new work. So the variants need no code
for signals: their loops run to the end, only faster. They just say, by `stop_on_failure`,
whose failure is to stop the others.
"""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from math import inf

from support.console import complain, discard_output

PERIOD = 0.05  # seconds between two looks at what is waiting
GRACE = 0.7  # seconds in which everything has to wind down after a signal
SIGNALS = (signal.SIGINT, signal.SIGTERM)
BROKEN_PIPE_STATUS = 128 + 13  # as shells report a program that SIGPIPE has ended


class StoppedError(Exception):
    """Raised by work that is refused or broken off because the program has to stop."""


_waiting: dict[Callable[[], object], float] = {}  # how to break it off: when it is overdue
_reason: signal.Signals | Exception | None = None  # why the program has to stop
_last_words: Callable[[], object] | None = None
_running = False
_grace = GRACE
_wakeup_fd = -1
_forking = threading.local()
_starting = threading.Lock()
_ending = threading.Lock()  # taken by who ends the run: the main thread or the watcher


@contextmanager
def breakable(break_off: Callable[[], object], seconds: float = inf) -> Iterator[None]:
    """Have break_off called, in another thread, when the block must not wait any longer.

    That is after so many seconds, or when the program has to stop. In the second case the
    block ends with StoppedError; if the program has to stop already, it does not even begin.
    """
    check()
    _start_watcher()
    _waiting[break_off] = time.monotonic() + seconds
    try:
        yield
    finally:
        del _waiting[break_off]
        check()


@contextmanager
def ended(end: Callable[[], object]) -> Iterator[None]:
    """Have end called if the program has to stop, also if that is so before the block begins.

    For what is under way already, such as a process that the block waits for.
    """
    try:
        with breakable(end):
            yield
    except StoppedError:
        end()
        raise


def check() -> None:
    """Raise StoppedError if the program has to stop."""
    if _reason:
        raise StoppedError


def is_stopping() -> bool:
    """Tell whether the program has to stop."""
    return _reason is not None


def stop(reason: signal.Signals | Exception) -> bool:
    """Break off what waits and refuse what comes.

    The first reason counts, but a signal counts more than a failure. Do nothing outside of a
    run, and return False: there a failure concerns its caller alone.
    """
    global _reason
    if _running and (not _reason or (isinstance(reason, signal.Signals) and not stop_signal())):
        _reason = reason
    return _running


@contextmanager
def stop_on_failure() -> Iterator[None]:
    """Stop all other work when the block fails; also useful as a decorator."""
    try:
        yield
    except StoppedError:
        raise
    except Exception as exc:
        stop(exc)
        raise


def stop_signal() -> signal.Signals | None:
    """Return the signal that the program has to stop for, if any."""
    return _reason if isinstance(_reason, signal.Signals) else None


@contextmanager
def handled(grace: float = GRACE) -> Iterator[None]:
    """Make the block a run that signals and failures can stop, and end it in good order.

    After a signal it has so many seconds to wind down.
    Raise SystemExit with 128 + its number after a signal, and the failure that made the
    rest stop. If whoever read standard output is gone, exit without a word.
    """
    global _running
    start_run(grace)
    set_last_words(partial(complain, 'interrupted'))
    failure: Exception | None = None
    try:
        yield
        print(end='', flush=True)
    except Exception as exc:
        failure = exc
    finally:
        with _ending:
            _running = False
    if signum := stop_signal():
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # also while the interpreter shuts down
        if failure:
            complain('interrupted')
        raise SystemExit(128 + signum)
    _end_run()
    if isinstance(_reason, Exception):
        failure = _reason
    if isinstance(failure, BrokenPipeError):
        discard_output()
        raise SystemExit(BROKEN_PIPE_STATUS)
    if failure:
        raise failure


def set_last_words(say: Callable[[], object] | None) -> None:
    """Call say if the program has to end while work, like a DNS look-up, cannot be broken off.

    None means that all is said, or about to be.
    """
    global _last_words
    _last_words = say


def start_run(grace: float = GRACE) -> None:
    """Let signals and failures stop this process, within so many seconds, from now on."""
    global _running, _reason, _grace
    _running, _reason, _grace = True, None, grace
    for signum in SIGNALS:
        signal.signal(signum, _on_signal)
    _start_watcher()  # which lets Ctrl-C through: a handler must be there
    signal.set_wakeup_fd(_wakeup_fd, warn_on_full_buffer=False)
    _mask_ctrl_c(True)  # also in all threads and processes that the run starts


def _on_signal(number: int, _frame: object) -> None:
    stop(signal.Signals(number))


def _mask_ctrl_c(masked: bool) -> None:
    """Keep Ctrl-C from the calling thread, and from what it starts, or no longer do so."""
    if sys.platform != 'win32':
        how = signal.SIG_BLOCK if masked else signal.SIG_UNBLOCK
        signal.pthread_sigmask(how, {signal.SIGINT})


def _end_run() -> None:
    """Treat signals as Python does by default."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _mask_ctrl_c(False)


def _start_watcher() -> None:
    """Start the watcher thread, unless this process has one."""
    global _wakeup_fd
    if _wakeup_fd < 0:
        with _starting:
            if _wakeup_fd < 0:
                waker, woken = socket.socketpair()
                waker.setblocking(False)
                woken.settimeout(PERIOD)
                threading.Thread(target=_watch, args=(waker, woken), daemon=True).start()
                _wakeup_fd = waker.fileno()


def _watch(_waker: socket.socket, woken: socket.socket) -> None:
    """Look after what waits, several times per second and whenever a signal arrives."""
    _mask_ctrl_c(False)
    give_up_at = inf
    while True:
        now = time.monotonic()
        for break_off, overdue_at in list(_waiting.items()):
            if _reason or now >= overdue_at:
                with suppress(OSError, RuntimeError):  # it has just ended by itself
                    break_off()
        if not _must_end():
            give_up_at = inf
        elif give_up_at == inf:
            give_up_at = now + _grace
        elif now >= give_up_at:
            _give_up()
        with suppress(TimeoutError):
            for number in woken.recv(64):  # signal.set_wakeup_fd sends them
                if number in SIGNALS:
                    stop(signal.Signals(number))


def _must_end() -> bool:
    """Tell whether nobody wants the rest: after a signal, or when the output is closed."""
    return _running and (bool(stop_signal()) or isinstance(_reason, BrokenPipeError))


def _give_up() -> None:
    """End the process although some of its work cannot be broken off."""
    with _ending:
        if _running and isinstance(_reason, BrokenPipeError):
            os._exit(BROKEN_PIPE_STATUS)
        if _running and (signum := stop_signal()):
            try:
                if _last_words:
                    _last_words()
                print(end='', flush=True)
            finally:
                os._exit(128 + signum)


def _forget_parent() -> None:
    """Undo in a forked process what its parent has set up for itself."""
    global _wakeup_fd, _running, _reason, _last_words
    if _wakeup_fd >= 0:
        _wakeup_fd, _running, _reason, _last_words = -1, False, None, None
        _waiting.clear()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _hold_signals() -> None:
    """Keep signals from a process that is about to be forked until it has forgotten its parent.

    Before that, it would pass them on: to the watcher of its parent.
    """
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def _release_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _start_as_child() -> None:
    _forget_parent()
    _release_signals()


if sys.platform != 'win32':
    os.register_at_fork(
        before=_hold_signals, after_in_parent=_release_signals, after_in_child=_start_as_child
    )
