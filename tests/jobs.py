"""Programs that test_signals.py and test_streams.py run to their bad, or good, ends.

For example: python3 tests/jobs.py print_lines 3 flush
"""

import asyncio
import atexit
import math
import multiprocessing
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support import files
from support.console import complain
from support.exits import orderly_exit, say_interrupted
from support.workers import Process, quiet_processes

left: list[object] = []  # until the module is deleted


def compute() -> None:
    """Compute in the main thread; tell of the exception that ends it."""
    try:
        print('ready', flush=True)
        while True:
            math.factorial(1000)
    except BaseException as exc:
        print(type(exc).__name__, flush=True)
        raise


def slow_goodbye(_stdout: TextIO) -> None:
    """Say goodbye, after a while."""
    time.sleep(0.3)
    complain('goodbye')


def speak_slowly() -> None:
    """Do what nothing can break off, before a slow goodbye."""
    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(time.sleep, 120)
        print('ready', flush=True)
        future.result()


def block_a_loop() -> None:
    """Block an event loop, so that its tasks cannot be cancelled, where no thread can start."""

    async def sleep() -> None:
        print('ready', flush=True)
        time.sleep(120)

    threading.stack_size(2**46)  # more than any process can have
    asyncio.run(sleep())


def at_the_end(call: Callable[[], object]) -> Iterator[None]:
    """Call something when this generator is deleted."""
    try:
        yield
    finally:
        call()


def leave_a_lock_taken() -> None:
    """Leave a lock taken, and an object that takes it when it is deleted, after all else."""
    lock = threading.Lock()
    lock.acquire()
    left.append(generator := at_the_end(lock.acquire))
    next(generator)
    atexit.register(print, 'done', flush=True)
    print('ready', flush=True)
    time.sleep(120)


def take_a_while_to_exit() -> None:
    """Leave a thread that Python waits for before it exits."""

    def sleep() -> None:
        threading.main_thread().join()
        print('ready', flush=True)
        time.sleep(120)

    threading.Thread(target=sleep).start()


class SlowError(OSError):
    """An error of the system that takes a while to tell."""

    def __str__(self) -> str:
        """Be interrupted, if possible."""
        print('ready', flush=True)
        time.sleep(0.3)
        return 'no such luck'


def fail_slowly() -> None:
    """Fail, in a way that takes a while to tell."""
    raise SlowError


class TalkativeError(Exception):
    """An error that cannot pass from process to process, as pickle forgets keywords."""

    def __init__(self, *, message: str) -> None:
        """Take the message by its name only."""
        super().__init__(message)


def raise_talkative_error() -> None:
    """Raise that error."""
    raise TalkativeError(message='no such luck')


def fail_in_a_process() -> None:
    """Wait for a process whose error cannot be read; no process dies."""
    with ProcessPoolExecutor(1, quiet_processes()) as executor:
        executor.submit(raise_talkative_error).result()


def sleep_in_processes(method: str) -> None:
    """Start a pool of processes in a given way, and have them sleep."""
    multiprocessing.set_start_method(method)
    print('ready', flush=True)
    with ProcessPoolExecutor(3, quiet_processes()) as executor:
        list(executor.map(time.sleep, [120] * 3))


def write_in_processes(method: str) -> None:
    """Have a process write a file."""
    multiprocessing.set_start_method(method)
    with ProcessPoolExecutor(1, quiet_processes()) as executor:
        executor.submit(write_slowly).result()


class SlowPath(type(Path())):  # type: ignore[misc]
    """A path of a file that takes a while to be written."""

    def write_bytes(self, data: Any) -> int:
        """Wait once part of the file is written."""
        self.touch()
        print('ready', flush=True)
        time.sleep(0.2)
        return Path(self).write_bytes(data)


def write_slowly() -> None:
    """Take a while to save a file."""
    files.save(SlowPath('whole'), b'all of it')


def end_processes() -> None:
    """End processes by SIGTERM before they can have begun to work."""
    for _ in range(20):
        process = Process(target=time.sleep, args=(60,))
        process.start()
        process.terminate()
        process.join(5)
        assert process.exitcode is not None


def fork() -> None:
    """Have a child process print its number and sleep; print how it ends."""
    child = os.fork()
    if not child:
        print(os.getpid(), flush=True)
        while True:
            time.sleep(0.1)  # a signal that comes just before it begins does not break it off
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status))


def take_all_memory() -> None:
    """Ask for more memory than there can be."""
    bytearray(sys.maxsize - 100)


def write_to_a_closed_socket() -> None:
    """Send something that nobody can receive; tell of the exception."""
    ours, theirs = socket.socketpair()
    theirs.close()
    try:
        ours.sendall(b'spam')
    except OSError as exc:
        print(type(exc).__name__)


def print_lines(count: str, flush: str) -> None:
    """Print so many lines, flushed one by one or not at all."""
    for _ in range(int(count)):
        print('spam', flush=flush == 'flush')


if __name__ == '__main__':
    _, name, *args = sys.argv
    with orderly_exit(slow_goodbye if name == 'speak_slowly' else say_interrupted):
        globals()[name](*args)
