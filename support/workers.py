"""Worker processes that Ctrl-C does not reach, and that end with their parent."""

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
    """A process that leaves the signals of the terminal to its parent, and ends with it."""

    @staticmethod
    def _Popen(process_obj: multiprocessing.process.BaseProcess) -> Any:  # noqa: N802
        """Start a process by the start method of `quiet_processes`, not the default one."""
        context: Any = multiprocessing.get_context(start_method())
        return context.Process._Popen(process_obj)

    def start(self) -> None:
        """Start, with signals blocked until `run` is called."""
        interrupts.check()
        self.daemon = True  # the script does not wait for it at exit
        with signals.blocked():
            super().start()

    def run(self) -> None:
        """Do the work until the parent sends SIGTERM or ends."""
        for number in signals.SIGNALS:
            is_deadly = number in (signal.SIGTERM, signals.SIGPIPE)  # even while it waits
            signal.signal(number, signal.SIG_DFL if is_deadly else signal.SIG_IGN)
        try:
            with signals.blocked():  # otherwise the new thread takes the signals
                threading.Thread(target=end_with_parent, daemon=True).start()
            if sys.platform != 'win32':
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            super().run()
        except (EOFError, MemoryError, OSError, RuntimeError):  # no parent, or out of threads
            sys.exit(1)  # the parent reports it
        finally:
            discard_unwritable_output()


def start_method() -> str:
    """Return the start method for processes: spawn in a session, and Python's default elsewhere.

    A session may have threads, so it must not fork; a fork server would know earlier runs only.
    """
    return 'spawn' if in_session() else multiprocessing.get_start_method()


def end_with_parent() -> None:
    """Wait until the parent process has ended, then end this process."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def quiet_processes() -> BaseContext:
    """Return a context of multiprocessing whose processes are of the class Process above."""
    script = sys._getframe(1).f_globals
    if script['__name__'] == '__main__':  # a profiler runs it in no module
        vars(sys.modules['__main__']).update(script)
    context = copy.copy(multiprocessing.get_context(start_method()))
    vars(context)['Process'] = Process
    if start_method() != 'fork':
        prepare_spawning()
    return context


def prepare_spawning() -> None:
    """Make new processes load the current script, and start the tracker of their resources.

    In a session, IPython and multiprocessing may still refer to a script that has run before.
    """
    main = sys.modules['__mp_main__'] = sys.modules['__main__']
    spec = vars(main).get('__spec__')
    vars(main)['__spec__'] = spec if spec and spec.origin == vars(main).get('__file__') else None
    if sys.platform != 'win32':
        with signals.blocked():  # the tracker must outlive the workers
            resource_tracker.ensure_running()
