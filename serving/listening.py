"""A server that listens on several addresses, with a thread per connection."""

import errno
import os
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from typing import Any

from serving.handler import FileHandler, say

BACKLOG = 1024  # connections that may wait to be accepted
POLL = 0.5  # seconds: on Windows, Ctrl-C does not end a wait
PAUSE = 0.1  # seconds to wait after a connection could not be accepted


class FileServer(ThreadingHTTPServer):
    """Serves one directory on several addresses, with a thread per connection."""

    def __init__(self, listeners: list[socket.socket], handler: Callable[..., FileHandler]) -> None:
        """Take listening sockets, and the handler of connections."""
        super().__init__(listeners[0].getsockname(), handler, bind_and_activate=False)
        self.socket.close()
        self.listeners = listeners
        self.port = listeners[0].getsockname()[1]

    def serve_forever(self, poll_interval: float = POLL) -> None:
        """Handle all connections to any of the sockets."""
        with selectors.DefaultSelector() as selector:
            for listener in self.listeners:
                listener.setblocking(False)
                selector.register(listener, selectors.EVENT_READ, listener)
            while True:
                for key, _ in selector.select(poll_interval):
                    try:
                        self.process_request(*key.data.accept())
                    except (OSError, RuntimeError):  # out of files, or of threads
                        time.sleep(PAUSE)

    def server_close(self) -> None:
        """Close the listening sockets."""
        for listener in self.listeners:
            listener.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print on one line why a connection broke, mostly because the client has gone away."""
        say(f'{client_address[0]}:{client_address[1]}  {sys.exc_info()[1]!r}')


def listen(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen on all addresses of a host, on one port; raise OSError if none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    listeners: list[socket.socket] = []
    problem: OSError | None = None
    for family, _, _, _, address in dict.fromkeys(found):
        same_port = listeners[0].getsockname()[1] if listeners else port
        is_dual = address[0] == '::' and socket.has_dualstack_ipv6()
        try:
            listener = socket.create_server(
                (str(address[0]), same_port), family=family, backlog=BACKLOG, dualstack_ipv6=is_dual
            )
            listeners.append(listener)
        except OSError as exc:
            problem = exc  # for example, the address is of another machine
            if exc.errno == errno.EADDRINUSE:
                break
    if problem and (not listeners or problem.errno == errno.EADDRINUSE):
        for listener in listeners:
            listener.close()
        if listeners and port == 0:  # the port is free on one address, but not on another
            return listen(host, port)
        raise problem
    return listeners


def end_with_stdin() -> None:
    """Exit when standard input ends, as it does if the parent process dies."""

    def wait() -> None:
        if sys.stdin:  # None if it was closed from the start
            sys.stdin.buffer.read()
        os._exit(0)  # does not wait for the threads that serve clients

    threading.Thread(target=wait, daemon=True).start()
