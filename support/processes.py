"""Which command on this machine is behind a connection, where the system tells: on Linux."""

import socket
import struct
import sys
import threading
import time
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from support.hosts import numeric_address

SOCK_DIAG = 4  # the family of netlink that tells of sockets, and its request for those of a family
BY_FAMILY = 20
LISTENS = 10  # the state of a socket that is no end of a connection
PAUSE = 1.0  # seconds until all processes are looked at again after that was in vain
MAX_SOCKETS = 20_000  # whose processes are remembered


class Commands:
    """The commands behind connections: it remembers the processes that it has looked at."""

    def __init__(self) -> None:
        """Begin without any."""
        self.lock = threading.Lock()  # what one thread finds serves those that wait meanwhile
        self.owners: dict[str, Path] = {}  # from a socket to its process, a folder of /proc
        self.commands: dict[Path, int] = {}  # from the process of a client to its command
        self.in_vain = -PAUSE

    def behind(self, client: Any, server: Any) -> int | None:
        """Return the process ID of the command at the other end of a connection, None if hidden."""
        if not (inode := inode_of(client, server)):
            return None
        sock = f'socket:[{inode}]'
        with self.lock:
            if sock not in self.owners:
                self.look_for(sock)
            if not (folder := self.owners.get(sock)):
                return None
            if folder not in self.commands:
                self.commands[folder] = command_of(int(folder.name))
            return self.commands[folder]

    def look_for(self, sock: str) -> None:
        """Note who owns which sockets, until that one is found: clients come first."""
        if len(self.owners) > MAX_SOCKETS:
            self.owners.clear()
        others = Path('/proc').glob('[0-9]*') if time.monotonic() - self.in_vain > PAUSE else ()
        for folder in chain(list(self.commands), others):
            try:
                for file in (folder / 'fd').iterdir():
                    with suppress(FileNotFoundError):  # it has been closed meanwhile
                        self.owners[str(file.readlink())] = folder
            except OSError:  # the process has ended, or is another user's
                self.commands.pop(folder, None)
            if sock in self.owners:
                return
        self.in_vain = time.monotonic()


def inode_of(client: Any, server: Any) -> int:
    """Return the number of a client's socket if it is on this machine, else 0."""
    if sys.platform != 'linux':
        return 0
    ends = [address for end in (client, server) if (address := numeric_address(end[0]))]
    family = socket.AF_INET if ends[0].version == 4 else socket.AF_INET6
    query = struct.pack('=4BI', family, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF)
    query += struct.pack('!2H16s16s', client[1], server[1], *(end.packed for end in ends))
    query += bytes(4) + b'\xff' * 8  # any interface, any cookie
    header = struct.pack('=I2H2I', 16 + len(query), BY_FAMILY, 1, 0, 0)
    with suppress(OSError), socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, SOCK_DIAG) as sock:
        sock.send(header + query)
        answer = sock.recv(4096)
        if len(answer) >= 88 and answer[17] != LISTENS:
            return int.from_bytes(answer[84:88], sys.byteorder)
    return 0


def command_of(process: int) -> int:
    """Return the ID of the process that a user has started: the parent of those in a pool."""
    with suppress(OSError):
        words = Path(f'/proc/{process}/cmdline').read_bytes()
        parent = int(Path(f'/proc/{process}/stat').read_text().rpartition(')')[2].split()[1])
        is_forked = words == Path(f'/proc/{parent}/cmdline').read_bytes()
        if is_forked or b'from multiprocessing.' in words:
            return command_of(parent)
    return process
