"""Worker processes that Ctrl-C does not reach, and that end in good order."""

import copy
import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing import resource_tracker
from multiprocessing.context import BaseContext

from support import interrupts, signals, windows
from support.console import discard_unwritable_output


class Process(multiprocessing.Process):
    """A process that leaves signals of the terminal to its parent, and ends with it."""

    def start(self) -> None:
        """Start in such a way that no signal can disturb it before `run` is called."""
        interrupts.check()
        self.daemon = True  # the script must not wait for it
        # A child that is not forked prints a traceback if SIGINT comes while it loads Python
        is_forked = multiprocessing.get_start_method() == 'fork'
        put_off = () if is_forked else (signal.SIGTERM,)
        interrupts.hold(self)
        try:
            with signals.blocked(*put_off), windows.ignoring_ctrl_c():
                super().start()
        finally:
            interrupts.done(self)

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


def tell_parent(number: int, _frame: object) -> None:
    """Send a signal to the parent process: nobody reads what both of them print."""
    if (parent := multiprocessing.parent_process()) and parent.pid:
        os.kill(parent.pid, number)


def end_with_parent() -> None:
    """Block until the parent process has ended, then end this one."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def quiet_processes() -> BaseContext:
    """Return the default context of multiprocessing, but with the processes from above."""
    context = copy.copy(multiprocessing.get_context())
    context.Process = Process  # type: ignore[misc]
    if context.get_start_method() != 'fork' and sys.platform != 'win32':
        with signals.blocked():
            resource_tracker.ensure_running()  # it must outlive the workers, to clean up after them
    return context
