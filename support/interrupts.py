"""What signals do: KeyboardInterrupt in the main thread, and one thread that keeps time.

As in any Python program, Ctrl-C raises KeyboardInterrupt or cancels the tasks of an event loop; so
do SIGTERM and SIGHUP. Other threads finish the call that they are in, and begin no other. What has
not ended in time is not waited for: a thread says the last words, and the process dies.
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

LastWords = Callable[[TextIO], object]  # gets what was standard output

_lock = threading.RLock()  # held while files and counts differ, and for a report
_worker = threading.local()  # the run in which a thread began
_is_over = False  # whatever signal comes next ends the process


def running_loop() -> Any:
    """Return the event loop that runs in this thread, or None."""
    with suppress(KeyError, RuntimeError):
        return sys.modules['asyncio'].get_running_loop()
    return None


class Run:
    """A run of a script, which a signal stops."""

    def __init__(self, last_words: LastWords, grace: float) -> None:
        """Begin in a process that may be a session, with processes and a loop of its own."""
        self.last_words, self.grace = last_words, grace
        self.stop_signal = 0  # the number of the signal that has come
        self.has_reported = False
        self.left: BaseException | None = None  # what the script has been left by
        self.process, self.others = os.getpid(), signals.children()
        self.outer_loop = running_loop()

    def handle(self, number: int, _frame: object) -> None:
        """Handle a signal, in this process or in one that is forked."""
        is_own = os.getpid() == self.process
        if number == SIGPIPE:  # a write raises BrokenPipeError, unless the process ends first
            if is_own and signals.reader_has_left() and not self.stop_signal:
                end(SIGPIPE)
        elif not is_own:
            os._exit(128 + number)
        elif signals.is_blocked(number):  # another thread has got it
            signal.pthread_kill(threading.get_ident(), number)  # this one does so later
        elif _is_over:
            end(number)
        elif in_session() or not self.stop_signal:
            self.stop(number)

    def stop(self, number: int) -> None:
        """Stop the run, and start the clock unless a session goes on."""
        self.stop_signal = number
        if not in_session():
            warnings.simplefilter('ignore')  # what is left undone is no news
            threading.excepthook = sys.unraisablehook = id  # which says nothing
            try:
                _thread.start_new_thread(self.keep_time, ())
            except (MemoryError, RuntimeError):  # no more threads
                self.keep_time()
        signals.end_children(self.others)  # one just started may need what is deleted next
        if not self.has_reported:
            self.interrupt()

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt, or cancel the tasks of an event loop, which that would break."""
        if (loop := running_loop()) is self.outer_loop:
            raise KeyboardInterrupt
        all_tasks = sys.modules['asyncio'].all_tasks
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in all_tasks(loop)])

    def keep_time(self) -> None:
        """Say the last words after the grace, unless they are being said; end the process."""
        time.sleep(self.grace)
        with suppress(Exception):  # no more threads, or no memory
            threading.Timer(PATIENCE, end, [self.stop_signal]).start()  # nobody may read them
        with suppress(Exception):
            _lock.acquire()  # from now on nothing is saved, and nobody else is heard
            stdout, sys.stdout = sys.stdout, io.StringIO()
            if not self.has_reported:
                self.last_words(stdout)
                stdout.flush()
        end(self.stop_signal)

    @contextmanager
    def reporting(self) -> Iterator[bool]:
        """Context manager: report undisturbed; yield whether it is the first report."""
        with _lock:
            is_first, self.has_reported = not self.has_reported, True
            yield is_first


run = Run(id, 0)  # the one under way, or at a prompt, none


def check() -> None:
    """Raise KeyboardInterrupt in a thread of a run that was stopped: it begins nothing more."""
    own_run: Run = vars(_worker).setdefault('run', run)
    if own_run.stop_signal and threading.current_thread() is not threading.main_thread():
        raise KeyboardInterrupt


@contextmanager
def whole() -> Iterator[None]:
    """Context manager: no signal divides the block, which does not begin after the last report."""
    with signals.blocked(), _lock:
        if run.stop_signal and run.has_reported:
            raise KeyboardInterrupt
        yield


@contextmanager
def handling_signals(last_words: LastWords, grace: float) -> Iterator[Run]:
    """Context manager: let signals stop the block, if it is run in the main thread."""
    global run
    if threading.current_thread() is not threading.main_thread():  # which alone can handle them
        yield Run(last_words, grace)
        return
    run = Run(last_words, grace)
    numbers = {signal.SIGINT} if in_session() else signals.SIGNALS
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler != signal.SIG_IGN or number == SIGPIPE:  # Python itself ignores SIGPIPE
            signal.signal(number, run.handle)
    try:
        yield run
    finally:
        if in_session():
            signals.end_children(run.others)  # which wait for work until the process ends
        if in_session() or not run.stop_signal:  # otherwise the process is about to end
            for number, handler in before.items():
                if handler == signal.default_int_handler and not in_session():
                    handler = signal.SIG_DFL  # Python's own would print a traceback
                signal.signal(number, handler)
            run = Run(id, 0)


@atexit.register
def end_stopped_script() -> None:
    """End by the signal that has stopped a script: a shell's loop goes on after any other end."""
    if run.stop_signal:
        discard_unwritable_output()
        end(run.stop_signal)


def end(number: int) -> NoReturn:
    """Let this process die of a signal, and those that it has started before it.

    The main thread, which alone can do that, is told to. If it does not react, the process exits.
    """
    global _is_over
    _is_over = True
    if threading.current_thread() is threading.main_thread():
        sys.stderr = io.StringIO()  # what threads raise that lose their processes is no news
        signals.end_children(set())
        if util := sys.modules.get('multiprocessing.util'):
            with suppress(Exception):
                util._run_finalizers(0)  # otherwise semaphores leak
        signals.die(number)
    for _ in range(100 if sys.platform != 'win32' else 0):
        time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    os._exit(128 + number)
