"""Worker processes that Ctrl-C does not reach, and that end in good order."""

import copy
import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing import resource_tracker
from multiprocessing.context import BaseContext
from typing import Any

from support import interrupts, signals
from support.console import discard_unwritable_output
from support.sessions import in_session


class Process(multiprocessing.Process):
    """A process that leaves signals of the terminal to its parent, and ends with it."""

    @staticmethod
    def _Popen(process_obj: multiprocessing.process.BaseProcess) -> Any:  # noqa: N802
        """Start a process as `quiet_processes` would; the default context may do otherwise."""
        context: Any = multiprocessing.get_context(start_method())
        return context.Process._Popen(process_obj)

    def start(self) -> None:
        """Start in such a way that no signal can disturb it before `run` is called."""
        interrupts.check()
        self.daemon = True  # the script must not wait for it
        with signals.blocked():
            super().start()

    def run(self) -> None:
        """Do the work until the parent sends SIGTERM, or ends without a word."""
        for number in signals.SIGNALS:
            is_deadly = number in (signal.SIGTERM, signals.SIGPIPE)  # at once, even while it waits
            signal.signal(number, signal.SIG_DFL if is_deadly else signal.SIG_IGN)
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


def start_method() -> str:
    """Return how processes start: by default as Python does it, but in a session they are spawned.

    It may have threads, which must not be forked, and a fork server knows the run before only.
    """
    return 'spawn' if in_session() else multiprocessing.get_start_method()


def end_with_parent() -> None:
    """Block until the parent process has ended, then end this one."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def quiet_processes() -> BaseContext:
    """Return a context of multiprocessing, but with the processes from above."""
    script = sys._getframe(1).f_globals
    if script['__name__'] == '__main__':  # a profiler runs it in no module
        vars(sys.modules['__main__']).update(script)
    context = copy.copy(multiprocessing.get_context(start_method()))
    vars(context)['Process'] = Process
    if start_method() != 'fork':
        prepare_spawning()
    return context


def prepare_spawning() -> None:
    """Let processes find this script, not an earlier one, and start what cleans up after them."""
    main = sys.modules['__mp_main__'] = sys.modules['__main__']
    spec = vars(main).get('__spec__')
    vars(main)['__spec__'] = spec if spec and spec.origin == vars(main).get('__file__') else None
    if sys.platform != 'win32':
        with signals.blocked():  # it must outlive the workers
            resource_tracker.ensure_running()
