"""Make each Python that finds this file on PYTHONPATH look like that of Windows, where it can.

The library of this system is loaded first and goes on to use the real modules; what is loaded
later, such as the scripts, gets stand-ins with what Windows lacks or does in another way.
"""

import enum
import errno
import importlib
import io
import logging
import multiprocessing.context
import multiprocessing.resource_tracker
import multiprocessing.util
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

logging.getLogger('asyncio').setLevel(logging.ERROR)  # as in ../dev_mode

LIBRARIES = """asyncio.unix_events concurrent.futures.process concurrent.futures.thread http.server
multiprocessing.connection multiprocessing.popen_spawn_posix multiprocessing.queues
multiprocessing.synchronize ssl tempfile"""
for library in LIBRARIES.split():
    importlib.import_module(library)

TICK = 1 / 64  # seconds: the clocks stand still meanwhile
SLOW = 2.0  # seconds until it is told that a connection was refused


class StandIn(ModuleType):
    """A module that is another one, but for some names."""

    def __init__(self, module: ModuleType, lacks: str = '', **has: Any) -> None:
        """Take the place of a module; lacks names what it does not have."""
        super().__init__(module.__name__, module.__doc__)
        vars(self).update(has, _module=module, _lacks=lacks.split())
        sys.modules[module.__name__] = self

    def __getattr__(self, name: str) -> Any:
        """Return what the module has."""
        if name in self._lacks:
            raise AttributeError(name)
        return getattr(self._module, name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Change the module, such as sys.stdout."""
        setattr(self._module, name, value)


class Popen(subprocess.Popen[Any]):
    """Starts processes that see the Ctrl-C of the terminal unless they have a group."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Take what Popen takes on Windows."""
        has_group = bool(options.pop('creationflags', 0) & 0x200)
        super().__init__(*args, **options | {'start_new_session': has_group})


class File(io.FileIO):
    """A file in whose place may be a pipe, which tells in another way that it is broken."""

    def write(self, data: Any) -> int:
        """Write data; raise OSError if nobody reads it, as there is no SIGPIPE."""
        try:
            return super().write(data)
        except BrokenPipeError:
            raise OSError(errno.EINVAL, 'Invalid argument') from None


class Socket(socket.socket):
    """A socket that needs long to tell that nothing listens, and shares ports if it may."""

    def setsockopt(self, level: int, option: int, *value: Any) -> None:
        """Set an option; SO_REUSEADDR means more than elsewhere."""
        super().setsockopt(level, option, *value)
        if (level, option) == (socket.SOL_SOCKET, socket.SO_REUSEADDR):
            super().setsockopt(level, socket.SO_REUSEPORT, *value)

    def connect(self, address: Any) -> None:
        """Connect, or wait until it has been tried often enough."""
        try:
            super().connect(address)
        except ConnectionRefusedError:
            limit = self.gettimeout()
            time.sleep(SLOW if limit is None else min(limit, SLOW))
            if limit is not None and limit < SLOW:
                raise TimeoutError('timed out') from None
            raise


def create_process(path: str, words: list[str], *rest: Any) -> tuple[int, ...]:
    """Start a process that has a group if it is asked for one; its number is its handle, too."""
    *_, flags, descriptors, _, _ = rest
    group = 0 if flags & 0x200 else None
    process = subprocess.Popen(words, executable=path, pass_fds=descriptors, process_group=group)
    process.returncode = 0  # others wait for it
    return process.pid, 0, process.pid, 0


def spawn(path: str, words: list[str], descriptors: list[int]) -> int:
    """Start a process by the call that multiprocessing makes on Windows."""
    created = win32._winapi.CreateProcess(
        path, words, None, None, False, 0, descriptors, None, None
    )
    return int(created[2])


def unlink(path: Any, **options: Any) -> None:
    """Remove a file, but not a log: the server that has written it may just have ended."""
    if str(path).endswith('.log'):
        raise PermissionError(errno.EACCES, 'held by another process', path)
    os_unlink(path, **options)


def coarse(clock: Callable[[], float]) -> Callable[[], float]:
    """Return a clock that tells the time of the last tick."""
    return lambda: clock() // TICK * TICK


def take_signals() -> None:
    """Take signals in place of the main thread, which does not awake from a lock."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_BACK)
    threading.Event().wait()


def add_carriage_returns() -> None:
    """Have text end its lines as on Windows, in the encoding of its programs."""
    for name, number in (('stdout', 1), ('stderr', 2)):
        if stream := getattr(sys, name):
            raw = File(number, 'wb', closefd=False)
            buffer = io.BufferedWriter(raw)
            new: Any = io.TextIOWrapper(buffer, 'cp1252', stream.errors, newline='\r\n')
            new.reconfigure(line_buffering=name == 'stderr')
            setattr(sys, name, new)


win32: Any = ModuleType('multiprocessing.popen_spawn_win32')
win32._winapi = SimpleNamespace(
    CreateProcess=create_process, TerminateProcess=lambda pid, _: os.kill(pid, signal.SIGKILL)
)
Enum: Any = enum.IntEnum
MODULES: dict[str, Any] = sys.modules
MODULES[win32.__name__] = win32
vars(multiprocessing.util)['spawnv_passfds'] = spawn
os_unlink = os.unlink
HELD_BACK = {signal.SIGINT, signal.SIGTERM}
if 'resource_tracker' not in sys.orig_argv[-1]:  # Windows has none
    threading.Thread(target=take_signals, daemon=True).start()
else:
    warnings.simplefilter('ignore')  # of what a process has left that ended at once
signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK)
add_carriage_returns()
vars(multiprocessing.resource_tracker)['_HAVE_SIGMASK'] = False  # it would undo that
DEFAULT: Any = multiprocessing.context._default_context
DEFAULT._default_context = multiprocessing.get_context('spawn')
vars(socket).update(socket=Socket, os=SimpleNamespace(**vars(os) | {'name': 'nt'}))
vars(os)['unlink'] = unlink
for clock in ('time', 'monotonic', 'perf_counter'):
    setattr(time, clock, coarse(getattr(time, clock)))
for name in ('fcntl', 'psutil', 'pty', 'resource', 'termios', 'tty'):
    MODULES.setdefault(name, None)

names = ('SIGABRT', 'SIGFPE', 'SIGILL', 'SIGINT', 'SIGSEGV', 'SIGTERM')
Signals = Enum('Signals', {name: signal.Signals[name] for name in names})
others = [name for name in dir(signal) if name.startswith('SIG') and name not in names]
others = [name for name in others if name not in ('SIG_DFL', 'SIG_IGN', 'Signals')]
StandIn(
    signal, ' '.join([*others, 'alarm pause pthread_kill pthread_sigmask sigwait']), Signals=Signals
)
StandIn(
    os,
    'fork forkpty getloadavg getpgid getsid getuid geteuid killpg mkfifo setsid',
    strerror=lambda _: 'Unknown error',
)
StandIn(select, 'poll epoll')
StandIn(io, FileIO=File)
StandIn(subprocess, Popen=Popen, CREATE_NEW_PROCESS_GROUP=0x200, CREATE_NEW_CONSOLE=0x10)
StandIn(multiprocessing, get_all_start_methods=lambda: ['spawn'])
StandIn(sys, platform='win32')
