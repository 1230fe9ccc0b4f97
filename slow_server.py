#!/usr/bin/env python3
"""Serve the flags slowly, and on request unreliably, to see how a client copes.

    $ python3 slow_server.py
    Serving flags at http://localhost:8001/flags
    Watch the requests at http://localhost:8001/
    BR  1.873s  200
    ZZ  0.624s  404

A random delay precedes each response; with --error-rate, some responses are
418 "I'm a teapot" (RFC 2324). The connection stays open after those and after 404.
Each line of --log is a request as JSON. Its start and end are seconds since 1970, by a clock
that is set once, when the server starts, and then runs evenly: their differences are exact.
"""

import argparse
import errno
import html
import mimetypes
import os
import random
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache, partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote, urlsplit

from support.arguments import in_range, parse, seconds
from support.console import reason, tell
from support.files import raise_file_limit
from support.history import CLIENT_GONE, Client, Exchange, History
from support.hosts import is_loopback, localhost, numeric_address, own_names

ROOT = Path(__file__).resolve().parent
DEFAULT_PORT = 8001
MIN_DELAY = 0.5  # seconds
MAX_DELAY = 5.0  # seconds
IDLE_TIMEOUT = 60.0  # seconds until a silent connection is closed
BACKLOG = 1024  # connections that may wait to be accepted
PAUSE = 0.1  # seconds until a connection is accepted after one could not be

PAGE = ROOT / 'slow_server.html'


class SlowHandler(SimpleHTTPRequestHandler):
    """Delays and spoils what SimpleHTTPRequestHandler answers."""

    protocol_version = 'HTTP/1.1'
    timeout = IDLE_TIMEOUT
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024  # headers and flag leave in one write

    exchange: Exchange | None  # None while there is no request for a flag

    def __init__(self, *request: Any, args: argparse.Namespace, page: bytes, history: History):
        """Handle all requests of a connection."""
        self.args, self.page, self.history = args, page, history
        super().__init__(*request, directory=str(args.directory.resolve()))

    def send_head(self) -> Any:
        """Send the headers, slowly; return the content, or None if there is none to send."""
        if content := self.answer_of_its_own():
            return content
        if self.path.endswith('?picture'):  # which the page shows
            return self.send_file()
        delay = random.uniform(self.args.min_delay, self.args.max_delay)
        client = Client.of(self.headers.get('User-Agent', ''), self.client_address[0])
        self.exchange = self.history.begin(self.path, self.client_address[1], client, delay)
        if not self.wait(delay):
            self.close_connection = True
            return None
        if random.random() < self.args.error_rate:
            return self.send_error(HTTPStatus.IM_A_TEAPOT)
        return self.send_file()

    def wait(self, delay: float) -> bool:
        """Wait for `delay` seconds; return False as soon as the client closes its side."""
        end = time.perf_counter() + delay
        self.connection.settimeout(delay)
        try:
            connected: bool = self.connection.recv(1, socket.MSG_PEEK) != b''
        except (TimeoutError, BlockingIOError):  # nothing to read, while the client waits as well
            connected = True
        except OSError:
            connected = False
        self.connection.settimeout(self.timeout)
        remaining = end - time.perf_counter()
        if connected and remaining > 0:  # the client has sent its next request already
            time.sleep(remaining)
        return connected

    def send_file(self) -> Any:
        """Send the headers for a file; return its content, or None if there is no such file."""
        if not self.is_served():
            return self.send_error(HTTPStatus.NOT_FOUND)
        return super().send_head()

    def is_served(self) -> bool:
        """Tell whether the path exists, inside the directory and not hidden, behind links too."""
        path = self.translate_path(self.path)
        try:
            places = {path, os.path.realpath(path, strict=True)}
            below = [os.path.relpath(place, self.directory) for place in places]
        except (OSError, ValueError):  # nothing there, or bytes that no name has
            return False
        return not any(f'{os.sep}.' in os.sep + place for place in below)  # '..' leads outside

    def answer_of_its_own(self) -> BytesIO | None:
        """Send the headers of the page, of what it shows, or of a refusal; None if it is a file."""
        if 'Content-Length' in self.headers or 'Transfer-Encoding' in self.headers:
            self.close_connection = True  # a body that nobody reads must not pass for a request
        path, _, query = self.path.partition('?')
        is_page = path == '/' and bool(self.page)
        if refusal := self.refusal(is_page or path == '/requests'):
            self.log_error('refused: %s', refusal)
            return self.send_content(f'{refusal}\n'.encode(), 'text/plain', HTTPStatus.FORBIDDEN)
        if is_page:
            return self.send_content(self.page, 'text/html')
        if path == '/requests':
            after = re.fullmatch(r'after=(\d{1,18})', query)  # int() refuses thousands of digits
            changes = self.history.changes(int(after[1]) if after else 0)
            return self.send_content(changes, 'application/json')
        return None

    def refusal(self, is_private: bool) -> str:
        """Return why a request is refused: other sites must not read what is done here."""
        host = self.headers.get('Host', '')
        own_address = self.connection.getsockname()[0]
        if host and not is_own_name(host, self.args.bind, own_address, *self.args.allow_host or ()):
            return f'{host} is not a name of this server: see --bind and --allow-host.'
        if is_private and self.headers.get('Sec-Fetch-Site') == 'cross-site':
            return 'Type the address of this page: links from other sites are refused.'
        return ''

    def handle_one_request(self) -> None:
        """Read a request and answer it, unless the client is gone before that."""
        self.exchange = None
        try:
            super().handle_one_request()
        finally:
            if self.exchange and self.exchange.status is None:
                self.log_request(CLIENT_GONE)

    def list_directory(self, path: str | os.PathLike[str]) -> BytesIO | None:
        """Send a list of links to all that is not hidden."""
        try:
            names = [entry.name + '/' * entry.is_dir() for entry in Path(path).iterdir()]
        except OSError:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
            return None
        links = ''.join(
            f'<li><a href="{quote(os.fsencode(name))}">{html.escape(name)}</a></li>\n'
            for name in sorted(names)
            if not name.startswith('.')
        )
        page = f'<!DOCTYPE html>\n<title>{html.escape(self.path)}</title>\n<ul>\n{links}</ul>\n'
        return self.send_content(page.encode(errors='replace'), 'text/html')

    def send_content(self, content: bytes, media_type: str, status: int = HTTPStatus.OK) -> BytesIO:
        """Send the headers for some content in UTF-8; return it, to be sent as a file is."""
        self.send_response(status)
        self.send_header('Content-Type', f'{media_type}; charset=utf-8')
        self.send_header('Content-Length', str(len(content)))
        self.send_header('Content-Security-Policy', "frame-ancestors 'none'")
        self.end_headers()
        return BytesIO(content)

    def end_headers(self) -> None:
        """Keep browsers from guessing another media type than the one that is sent."""
        self.send_header('X-Content-Type-Options', 'nosniff')
        super().end_headers()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Send an error, and close the connection only after a request that makes no sense."""
        if not self.exchange:
            super().send_error(code, message, explain)
        elif isinstance(sys.exception(), OSError):  # what is_served has found cannot be opened
            self.send_content(b'', 'text/plain', HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            self.send_content(b'', 'text/plain', code)

    def log_request(self, code: int | str = '-', size: int | str = '-') -> None:
        """Print and log a request; its response leaves afterwards, from the buffer."""
        if self.exchange:
            self.history.end(self.exchange, int(code))
            outcome = 'client gone' if code == CLIENT_GONE else int(code)
            say(f'{self.exchange.code}  {self.exchange.delay:.3f}s  {outcome}')

    def log_message(self, format: str, *args: Any) -> None:
        """Print what log_request does not: malformed requests and silent clients."""
        say(f'{self.client_address[0]}:{self.client_address[1]}  {format % args}')


class SlowServer(ThreadingHTTPServer):
    """Serves one directory at some addresses, with a thread per connection."""

    def __init__(self, listeners: list[socket.socket], handler: Callable[..., SlowHandler]) -> None:
        """Take connections from sockets that listen; the first one's are those of a TCPServer."""
        super().__init__(listeners[0].getsockname(), handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listeners[0]
        for listener in listeners[1:]:
            threading.Thread(target=self.accept, args=[listener], daemon=True).start()

    def accept(self, listener: socket.socket) -> None:
        """Handle all connections that come to one of the other sockets."""
        while True:
            try:
                self.process_request(*listener.accept())
            except OSError:  # too many files are open
                time.sleep(PAUSE)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell in one line what broke a connection, mostly the client hanging up."""
        say(f'{client_address[0]}:{client_address[1]}  {sys.exc_info()[1]!r}')


def listen(host: str, port: int) -> list[socket.socket]:
    """Listen at each address that a host has, on the same port; raise OSError if none is free."""
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
            problem = exc  # such as that this machine does not have the address
            if exc.errno == errno.EADDRINUSE:
                break
    if problem and (not listeners or problem.errno == errno.EADDRINUSE):
        for listener in listeners:
            listener.close()
        if listeners and port == 0:  # what is free at one address was taken at another
            return listen(host, port)
        raise problem
    return listeners


@lru_cache(maxsize=100)
def is_own_name(host: str, bind: str, own_address: str, *allowed: str) -> bool:
    """Tell whether a Host header names this machine, to which own_address belongs.

    Any other name may be a foreign site's, which has been pointed at this machine so that
    its scripts can read what is served here.

    >>> is_own_name('localhost:8001', 'localhost', '127.0.0.1')
    True
    >>> is_own_name('example.com:8001', 'localhost', '127.0.0.1')
    False
    """
    try:
        name = (urlsplit(f'//{host}').hostname or '').rstrip('.')
    except ValueError:  # such as [x]
        return False
    listens_at = numeric_address(bind)
    everywhere = listens_at is not None and listens_at.is_unspecified
    if is_loopback(name) or name in allowed:
        return True
    if address := numeric_address(name):
        return everywhere or address == numeric_address(own_address)
    return name in (own_names() if everywhere else {bind.lower()})


def say(line: str) -> None:
    """Print a line on stderr, control characters escaped."""
    tell(ascii(line)[1:-1])


def host_name(text: str) -> str:
    """Argparse type: a host name or address."""
    text.encode('idna')  # as the look-up does; its error is a ValueError, which argparse reports
    return text


def process_args() -> argparse.Namespace:
    """Read the command line; exit with status 2 if it makes no sense."""
    parser = argument_parser()
    args = parse(parser)
    if args.min_delay is None:
        args.min_delay = min(MIN_DELAY, args.max_delay)
    if args.min_delay > args.max_delay:
        parser.error(f'--min-delay {args.min_delay:g} exceeds --max-delay {args.max_delay:g}')
    if not args.directory.is_dir():
        parser.error(f'no such directory: {args.directory}')
    return args


def argument_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description='Serve country flags, slowly.')

    def add(name: str, text: str, default: object = None, **options: Any) -> None:
        shown = '' if default is None else f' (default: {default})'
        text_with_default = (text + shown).replace('%', '%%')  # a path may have one
        parser.add_argument(name, default=default, help=text_with_default, **options)

    add('port', '0: any free', DEFAULT_PORT, nargs='?', type=in_range(0, 65535, int))
    add('--bind', 'to listen at', localhost(), metavar='ADDRESS', type=host_name)
    add('--allow-host', 'name to answer to, too', metavar='NAME', action='append', type=str.lower)
    add('--directory', 'to serve', ROOT, metavar='DIR', type=Path)
    add('--error-rate', 'share of 418', 0, metavar='P', type=in_range(0, 1, float))
    shortest = f'shortest delay in seconds (default: {MIN_DELAY}, or MAX if less)'
    add('--min-delay', shortest, metavar='S', type=seconds)
    add('--max-delay', 'longest delay', MAX_DELAY, metavar='S', type=seconds)
    add('--log', 'write a line of JSON per request', metavar='FILE', type=Path)
    add('--until-eof', 'stop when standard input ends', action='store_true')
    return parser


def stop(*_: object) -> NoReturn:
    """End at once, whatever the threads that serve clients are doing."""
    os._exit(0)


def stop_at_eof() -> None:
    """End when the other end of standard input is closed, be it by the death of its owner."""
    if sys.stdin:  # None if it was closed from the start
        sys.stdin.buffer.read()
    stop()


def main() -> None:
    """Serve until SIGINT, SIGTERM or, with --until-eof, the end of standard input."""
    args = process_args()
    raise_file_limit()
    mimetypes.knownfiles.clear()  # of the system: nothing that is served here needs them
    for signum in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(signum) is not signal.SIG_IGN:  # as in a background job of a script
            signal.signal(signum, stop)
    page = PAGE.read_bytes() if PAGE.is_file() else b''
    history = History()
    handler = partial(SlowHandler, args=args, page=page, history=history)
    try:
        server = SlowServer(listen(args.bind, args.port), handler)
    except OSError as exc:
        sys.exit(f'slow_server.py: cannot listen on {args.bind} port {args.port}: {reason(exc)}')
    with server:
        try:
            history.log = args.log.open('w', encoding='utf-8') if args.log else None
        except OSError as exc:
            sys.exit(f'slow_server.py: cannot write {args.log}: {exc.strerror}')
        host = f'[{args.bind}]' if ':' in args.bind else args.bind
        site = f'http://{host}:{server.server_address[1]}'
        with suppress(OSError):  # nobody has to read this
            print(f'Serving flags at {site}/flags', flush=True)
            if page:
                print(f'Watch the requests at {site}/', flush=True)
        if args.until_eof:
            threading.Thread(target=stop_at_eof, daemon=True).start()
        server.serve_forever()


if __name__ == '__main__':
    main()
