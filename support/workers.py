"""Worker processes that Ctrl-C does not reach, and that end in good order."""

import copy
import multiprocessing
import os
import signal
import sys
import threading
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.context import BaseContext

from support import interrupts, signals, windows
from support.console import discard_unwritable_output
from support.sessions import in_session


class Process(multiprocessing.Process):
    """A process that leaves signals of the terminal to its parent, and ends with it."""

    def start(self) -> None:
        """Start in such a way that no signal can disturb it before `run` is called."""
        interrupts.check()
        self.daemon = True  # the script must not wait for it
        method = multiprocessing.get_start_method()
        multiprocessing.set_start_method(method_here(), force=True)
        # A child that is not forked prints a traceback if SIGINT comes while it loads Python
        put_off = () if method_here() == 'fork' else (signal.SIGTERM,)
        interrupts.hold(self)
        try:
            on_stop = partial(interrupts.on_stop, self)
            with signals.blocked(*put_off), windows.ignoring_ctrl_c(on_stop):
                super().start()
        finally:
            interrupts.done(self)
            multiprocessing.set_start_method(method, force=True)

    def run(self) -> None:
        """Do the work until the parent sends SIGTERM, or ends without a word."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # it ends at once, even while it waits
        for number in signals.SIGNALS - {signal.SIGTERM}:
            signal.signal(number, tell_parent if number == signals.SIGPIPE else signal.SIG_IGN)
        try:
            with signals.blocked():  # else this thread takes the signals
                threading.Thread(target=end_with_parent, daemon=True).start()
            if sys.platform != 'win32':
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            super().run()
        except (EOFError, MemoryError, OSError, RuntimeError):  # no parent, no more threads
            sys.exit(1)  # which the parent will tell
        finally:
            discard_unwritable_output()  # else it fails again, at exit


def method_here() -> str:
    """Return how processes start: by default as Python does it, but in a session they are spawned.

    It may have threads, which must not be forked, and a fork server knows the run before only.
    """
    return 'spawn' if in_session() else multiprocessing.get_start_method()


def tell_parent(number: int, _frame: object) -> None:
    """Send a signal to the parent process: nobody reads what both of them print."""
    if (parent := multiprocessing.parent_process()) and parent.pid:
        os.kill(parent.pid, number)


def end_with_parent() -> None:
    """Block until the parent process has ended, then end this one."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def cpu_count() -> int:
    """Return how many CPUs there are for this process: the default of a pool of processes."""
    count = getattr(os, 'process_cpu_count', os.cpu_count)  # Python 3.13 has the former
    return count() or 1


def quiet_processes() -> BaseContext:
    """Return a context of multiprocessing, but with the processes from above."""
    vars(sys.modules['__main__']).setdefault('__spec__', None)  # %run loses it the second time
    context = copy.copy(multiprocessing.get_context(method_here()))
    vars(context)['Process'] = Process
    if method_here() != 'fork' and sys.platform != 'win32':
        with signals.blocked():
            resource_tracker.ensure_running()  # it must outlive the workers, to clean up after them
    return context
