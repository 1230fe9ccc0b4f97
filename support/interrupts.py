"""What signals do: raise KeyboardInterrupt in the main thread, and start a thread that keeps time.

As in any Python program, Ctrl-C raises KeyboardInterrupt or cancels the tasks of an event loop.
SIGTERM and SIGHUP do the same. Other threads finish their current call, and start no other. If the
script has not ended when the time is over, the thread prints the report, and the process dies.
"""

import _thread
import atexit
import io
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn, TextIO

from support import signals
from support.console import discard_unwritable_output
from support.sessions import in_session
from support.signals import SIGPIPE

GRACE = 0.8  # seconds from a signal to the last words
PATIENCE = 1.0  # seconds for last words that nobody reads

LastWords = Callable[[TextIO], object]  # takes standard output, which is replaced by then

_lock = threading.RLock()  # held for a report, and while files and counts differ
_worker = threading.local()  # the run during which a thread started
_is_over = False  # if set, the next signal ends the process


def running_loop() -> Any:
    """Return the event loop that runs in this thread, or None."""
    with suppress(KeyError, RuntimeError):
        return sys.modules['asyncio'].get_running_loop()
    return None


class Run:
    """A run of a script that a signal can stop."""

    def __init__(self, last_words: LastWords, grace: float) -> None:
        """Begin; in a session, the process may already have child processes and an event loop."""
        self.last_words, self.grace = last_words, grace
        self.stop_signal = 0  # number of the signal that stops the run
        self.has_reported = False
        self.left: BaseException | None = None  # the exception that ended the script
        self.process, self.others = os.getpid(), signals.children()
        self.outer_loop = running_loop()

    def handle(self, number: int, _frame: object) -> None:
        """Handle a signal, in this process or in a forked one."""
        is_own = os.getpid() == self.process
        if number == SIGPIPE:  # unless the process ends, the write raises BrokenPipeError
            if is_own and signals.reader_has_left() and not self.stop_signal:
                end(SIGPIPE)
        elif not is_own:
            os._exit(128 + number)
        elif signals.is_blocked(number):  # another thread has received it
            signal.pthread_kill(threading.get_ident(), number)  # this thread receives it later
        elif _is_over:
            end(number)
        elif in_session() or not self.stop_signal:
            self.stop(number)

    def stop(self, number: int) -> None:
        """Stop the run; start the thread that keeps time, unless a session goes on."""
        self.stop_signal = number
        if not in_session():
            warnings.simplefilter('ignore')  # such as that a coroutine was never awaited
            threading.excepthook = sys.unraisablehook = id  # which prints nothing
            try:
                _thread.start_new_thread(self.keep_time, ())
            except (MemoryError, RuntimeError):  # out of threads
                self.keep_time()
        signals.end_children(self.others)  # first: they may use what is deleted next
        if not self.has_reported:
            self.interrupt()

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt; in an event loop, which it would break, cancel all tasks."""
        if (loop := running_loop()) is self.outer_loop:
            raise KeyboardInterrupt
        all_tasks = sys.modules['asyncio'].all_tasks
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in all_tasks(loop)])

    def keep_time(self) -> None:
        """Print the last words after the grace period, unless it is done; end the process."""
        time.sleep(self.grace)
        with suppress(Exception):  # out of threads, or of memory
            threading.Timer(PATIENCE, end, [self.stop_signal]).start()  # if nobody reads them
        with suppress(Exception):
            _lock.acquire()  # from now on no other thread saves or prints
            stdout, sys.stdout = sys.stdout, io.StringIO()
            if not self.has_reported:
                self.last_words(stdout)
                stdout.flush()
        end(self.stop_signal)

    @contextmanager
    def reporting(self) -> Iterator[bool]:
        """Context manager: hold the lock for a report; yield whether it is the first one."""
        with _lock:
            is_first, self.has_reported = not self.has_reported, True
            yield is_first


run = Run(id, 0)  # the current run; this one stands for none


def check() -> None:
    """Raise KeyboardInterrupt in threads of a stopped run, which must start nothing more."""
    own_run: Run = vars(_worker).setdefault('run', run)
    if own_run.stop_signal and threading.current_thread() is not threading.main_thread():
        raise KeyboardInterrupt


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Context manager: no signal interrupts the block; after a report it is not entered."""
    with signals.blocked(), _lock:
        if run.stop_signal and run.has_reported:
            raise KeyboardInterrupt
        yield


@contextmanager
def handling_signals(last_words: LastWords, grace: float) -> Iterator[Run]:
    """Context manager: let signals stop the block, if it is run in the main thread."""
    global run
    if threading.current_thread() is not threading.main_thread():  # cannot set handlers
        yield Run(last_words, grace)
        return
    run = Run(last_words, grace)
    numbers = {signal.SIGINT} if in_session() else signals.SIGNALS
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler != signal.SIG_IGN or number == SIGPIPE:  # Python ignores SIGPIPE by default
            signal.signal(number, run.handle)
    try:
        yield run
    finally:
        if in_session():
            signals.end_children(run.others)  # which wait for work until the process ends
        if in_session() or not run.stop_signal:  # otherwise the process is about to end
            for number, handler in before.items():
                if handler == signal.default_int_handler and not in_session():
                    handler = signal.SIG_DFL  # the default handler prints a traceback
                signal.signal(number, handler)
            run = Run(id, 0)


@atexit.register
def end_stopped_script() -> None:
    """Die of the signal that has stopped the script, so that a shell loop stops as well."""
    if run.stop_signal:
        discard_unwritable_output()
        end(run.stop_signal)


def end(number: int) -> NoReturn:
    """End the child processes, then let this process die of a signal.

    Only the main thread can do that, so it gets the signal. If it does not react, exit.
    """
    global _is_over
    _is_over = True
    if threading.current_thread() is threading.main_thread():
        signal.signal(number, signal.SIG_IGN)
        sys.stderr = io.StringIO()  # threads print errors when their processes end
        signals.end_children(run.others)
        if util := sys.modules.get('multiprocessing.util'):
            with suppress(Exception):
                util._run_finalizers(0)  # otherwise semaphores leak
        signals.die(number)
    for _ in range(100 if sys.platform != 'win32' else 0):
        time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    os._exit(128 + number)
