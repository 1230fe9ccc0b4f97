"""What only Windows needs: on other systems, none of this does anything."""

import errno
import io
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from types import SimpleNamespace
from typing import Any

from support.sessions import changed
from support.signals import SIGPIPE

DELAY = 0.1  # seconds in which a main thread that computes notices a signal by itself

# For a process that shall not see the Ctrl-C of this terminal; elsewhere, it gets a new session
NEW_GROUP = getattr(subprocess, 'CREATE_NEW_PROCESS_GROUP', 0)


@contextmanager
def noticing_signals(stop: Callable[[int], None]) -> Iterator[None]:
    """Context manager: have stop(number) called in a thread soon after each signal.

    Before Python 3.14, none wakes a main thread that waits for a lock. A pipe without a reader
    is noticed, too, and a write to it raises BrokenPipeError.
    """
    if sys.platform != 'win32':
        yield
        return
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    with receiver, sender, redirect_stdout(_noticing_output(stop) or sys.stdout):
        before = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=_notice, args=(receiver, stop), daemon=True).start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            sender.shutdown(socket.SHUT_RDWR)


def _notice(receiver: socket.socket, stop: Callable[[int], None]) -> None:
    """Call stop for each number received, until there are no more."""
    with suppress(OSError):
        while number := receiver.recv(1):
            time.sleep(DELAY)
            stop(number[0])


def _noticing_output(stop: Callable[[int], None]) -> io.TextIOWrapper | None:
    """Return standard output that tells of a broken pipe, or None if it is no file."""
    if sys.stdout and not sys.stdout.isatty():
        with suppress(OSError):
            raw = Pipe(sys.stdout.fileno(), 'wb', closefd=False)
            raw.stop = stop
            buffer = io.BufferedWriter(raw)
            return io.TextIOWrapper(buffer, sys.stdout.encoding, errors='backslashreplace')
    return None


class Pipe(io.FileIO):
    """Standard output: without a reader, a write fails with EINVAL on Windows, without SIGPIPE."""

    stop: Callable[[int], None]

    def write(self, data: Any) -> int:
        """Write data; raise BrokenPipeError if nobody reads it."""
        try:
            return super().write(data)
        except OSError as exc:
            if exc.errno != errno.EINVAL:
                raise
            self.stop(SIGPIPE)
            raise BrokenPipeError from exc


@contextmanager
def ignoring_ctrl_c(on_stop: Callable[[Callable[[Any], object]], object]) -> Iterator[None]:
    """Context manager: let processes that multiprocessing starts in the block ignore Ctrl-C.

    For each, on_stop gets a function that ends it. Without that, one that still starts when
    this process ends would print a traceback.
    """
    if sys.platform != 'win32':
        yield
        return
    from multiprocessing import popen_spawn_win32

    api: Any = vars(popen_spawn_win32)['_winapi']

    def create_process(*args: Any) -> Any:
        created = api.CreateProcess(*args[:5], args[5] | NEW_GROUP, *args[6:])
        on_stop(lambda _: api.TerminateProcess(created[0], 1))
        return created

    with changed(
        popen_spawn_win32, _winapi=SimpleNamespace(**vars(api) | {'CreateProcess': create_process})
    ):
        yield
