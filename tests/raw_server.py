"""Servers that misbehave, one connection at a time, on free loopback ports.

    with misbehaving('resets mid-body') as server:
        run_script('flags.py', '-s', server.url)

To add a behaviour, write a function of a connected socket and enter it in BEHAVIORS.
"""

import re
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

GIF = (Path(__file__).resolve().parent.parent / 'flags/br/br.gif').read_bytes()
HALF = len(GIF) // 2

Handler = Callable[[socket.socket], None]


class RawServer(NamedTuple):
    """A base URL, and the connections that it has accepted so far, open or closed."""

    url: str
    connections: list[socket.socket]


@contextmanager
def misbehaving(behavior: str) -> Iterator[RawServer]:
    """Run the server that BEHAVIORS describes for as long as the block takes."""
    with raw_server(BEHAVIORS[behavior]) as server:
        yield server


@contextmanager
def raw_server(handle: Handler | None) -> Iterator[RawServer]:
    """Have each connection handled in a thread of its own, then closed.

    Without a handler, the port is taken but nothing listens there. At the end of the block
    all connections are shut down: reads return nothing then, and writes fail.
    """
    connections: list[socket.socket] = []
    threads: list[threading.Thread] = []
    is_over = threading.Event()

    def accept() -> None:
        while True:
            conn, _ = listener.accept()
            if is_over.is_set():
                conn.close()
                return
            connections.append(conn)
            threads.append(threading.Thread(target=serve, args=(handle, conn)))
            threads[-1].start()

    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        port = listener.getsockname()[1]
        server = RawServer(f'http://127.0.0.1:{port}/flags', connections)
        if not handle:
            yield server
            return
        listener.listen(1024)
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield server
        finally:
            is_over.set()
            socket.create_connection(listener.getsockname()).close()  # wakes it on any system
            acceptor.join()
            for conn in connections:
                with suppress(OSError):
                    conn.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


def serve(handle: Handler, conn: socket.socket) -> None:
    """Handle a connection, until its client leaves at the latest."""
    with conn, suppress(OSError):
        handle(conn)


def request_path(conn: socket.socket) -> str:
    """Read one request to the end of its headers; return its path, or '' if none comes."""
    head = b''
    while b'\r\n\r\n' not in head:
        if not (received := conn.recv(4096)):
            return ''
        head += received
    return head.split()[1].decode()


def response(
    status: str, body: bytes = b'', *headers: str, length: int | None = None, kept: bool = False
) -> bytes:
    """Return a response that announces length bytes, or as many as body has.

    A negative length is not announced, so that the body ends with the connection.
    """
    announced = len(body) if length is None else length
    lines = [f'HTTP/1.1 {status}', *headers]
    if announced >= 0:
        lines.append(f'Content-Length: {announced}')
    if not kept:
        lines.append('Connection: close')
    return '\r\n'.join([*lines, '', '']).encode() + body


def left(conn: socket.socket, seconds: float | None = None) -> bool:
    """Wait until the other side hangs up, or for so many seconds; tell whether it did."""
    conn.settimeout(seconds)
    try:
        while conn.recv(4096):
            pass
    except TimeoutError:
        return False
    finally:
        conn.settimeout(None)
    return True


def close_at_once(_conn: socket.socket) -> None:
    """Accept the connection, and nothing more."""


def answer(reply: bytes, conn: socket.socket) -> None:
    """Send reply whatever is asked for."""
    if request_path(conn):
        conn.sendall(reply)


def reset_mid_body(conn: socket.socket) -> None:
    """Send half a flag, then reset the connection instead of closing it."""
    answer(response('200 OK', GIF[:HALF], length=len(GIF)), conn)
    left(conn, 0.05)  # a reset would discard what the client has not read yet
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))


def redirect_once(conn: socket.socket) -> None:
    """Send a flag from another path than the one that is asked for at first."""
    path = request_path(conn)
    if path.startswith('/moved'):
        conn.sendall(response('200 OK', GIF))
    elif path:
        conn.sendall(response('302 Found', b'', f'Location: /moved{path}'))


def stay_silent(conn: socket.socket) -> None:
    """Take the request and leave the client waiting."""
    left(conn)


def drip_body(conn: socket.socket) -> None:
    """Send headers in one go, and some of the flag, a byte a second."""
    answer(HEADERS, conn)
    for byte in GIF[:20]:
        if left(conn, 1):
            break
        conn.sendall(bytes([byte]))


def send_for_ever(head: bytes, chunk: bytes, conn: socket.socket) -> None:
    """Send a chunk again and again, until the client has enough."""
    answer(head, conn)
    while True:
        conn.sendall(chunk)


def bomb() -> tuple[bytes, bytes]:
    """Return the start of something in gzip, and a chunk of it that becomes a thousandfold."""
    squeeze = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    parts = [squeeze.compress(bytes(10**7)) + squeeze.flush(zlib.Z_FULL_FLUSH) for _ in 'ab']
    return parts[0], parts[1]


def by_code(behaviors: Mapping[str, str], conn: socket.socket) -> None:
    """Do what behaviors name for the code in the path of the request that is about to be read."""
    found = re.search(rb'/flags/(\w\w)', conn.recv(4096, socket.MSG_PEEK))
    behavior = found and BEHAVIORS[behaviors[found[1].decode().upper()]]
    assert behavior
    behavior(conn)


def converse(replies: list[bytes], asked: list[str], conn: socket.socket, pause: float = 0) -> None:
    """Send one reply per request, noting what is asked for; close the connection after a pause."""
    for reply in replies:
        if path := request_path(conn):
            asked.append(path)
            conn.sendall(reply)
    time.sleep(pause)


FLAG = response('200 OK', GIF)
HEADERS = FLAG.removesuffix(GIF)
KEPT = response('200 OK', GIF, kept=True)  # the next request may use the connection
PAGE = response('200 OK', b'<!doctype html><p>Log in.', 'Content-Type: text/html; charset=utf-8')
ENDLESS = b'HTTP/1.1 200 OK\r\nConnection: close\r\n'
BOMB, MORE = bomb()

BEHAVIORS: dict[str, Handler | None] = {
    'refuses': None,
    'accepts and closes': close_at_once,
    'resets mid-body': reset_mid_body,
    'ends half-way': partial(answer, response('200 OK', GIF[:HALF], length=len(GIF))),
    'sends garbage': partial(answer, b'\x00\xff\x7fnot HTTP at all\r\n\r\n'),
    'redirects for ever': partial(answer, response('302 Found', b'', 'Location: /flags/br')),
    'redirects to no host': partial(answer, response('302 Found', b'', 'Location: http://a..b/')),
    'redirects once': redirect_once,
    'redirects to HU': partial(answer, response('302 Found', b'', 'Location: /flags/hu/hu.gif')),
    'answers 500': partial(answer, response('500 Internal Server Error', b'Sorry.')),
    'answers 404': partial(answer, response('404 Not Found', b'Nothing here.')),
    'sends a page': partial(answer, PAGE),
    'sends a red phrase': partial(answer, response('418 \x1b[31mred', GIF)),
    'never answers': stay_silent,
    'sends without end': partial(send_for_ever, ENDLESS + b'\r\n', bytes(10**5)),
    'sends a bomb': partial(
        send_for_ever, ENDLESS + b'Content-Encoding: gzip\r\n\r\n' + BOMB, MORE
    ),
    'drips body': drip_body,
}
