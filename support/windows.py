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
from contextlib import contextmanager
from typing import Any

DELAY = 0.1  # seconds in which a main thread that computes notices a signal by itself

# For a process that shall not see the Ctrl-C of this terminal; elsewhere, it gets a new session
NEW_GROUP = getattr(subprocess, 'CREATE_NEW_PROCESS_GROUP', 0)


def notice_signals(stop: Callable[[int], None]) -> None:
    """Have stop(number) called in a thread soon after each signal.

    Before Python 3.14, none wakes a main thread that waits for a lock.
    """
    if sys.platform == 'win32':
        receiver, sender = socket.socketpair()
        sender.setblocking(False)
        signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=_notice, args=(receiver, sender, stop), daemon=True).start()


def _notice(receiver: socket.socket, _sender: socket.socket, stop: Callable[[int], None]) -> None:
    """Call stop for each number received; the sender must not be closed meanwhile."""
    while True:
        (number,) = receiver.recv(1)
        time.sleep(DELAY)
        stop(number)


def notice_broken_pipe(has_left: Callable[[], object]) -> None:
    """Have has_left() called as soon as stdout has no reader, and BrokenPipeError raised."""
    if sys.platform == 'win32' and sys.stdout and not sys.stdout.isatty():
        raw = Pipe(sys.stdout.fileno(), 'wb', closefd=False)
        raw.has_left = has_left
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(raw), sys.stdout.encoding, errors='backslashreplace'
        )


class Pipe(io.FileIO):
    """Standard output: without a reader, a write fails with EINVAL on Windows, without SIGPIPE."""

    has_left: Callable[[], object]

    def write(self, data: Any) -> int:
        """Write data; raise BrokenPipeError if nobody reads it."""
        try:
            return super().write(data)
        except OSError as exc:
            if exc.errno != errno.EINVAL:
                raise
            self.has_left()
            raise BrokenPipeError from exc


@contextmanager
def ignoring_ctrl_c() -> Iterator[None]:
    """Context manager: let processes that start in the block ignore Ctrl-C for good."""
    if sys.platform != 'win32':
        yield
        return
    import ctypes

    set_handler = ctypes.windll.kernel32.SetConsoleCtrlHandler
    set_handler(None, True)
    try:
        yield
    finally:
        set_handler(None, False)
