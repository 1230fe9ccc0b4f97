#!/usr/bin/env python3
"""Serve the flags slowly, and on request unreliably, to see how a client copes.

    $ python3 slow_server.py
    Serving flags at http://localhost:8001/flags
    BR  1.873s  200
    ZZ  0.624s  404

A random delay precedes each response; with --error-rate, some responses are
418 "I'm a teapot" (RFC 2324). The connection stays open after those and after 404.
"""

import argparse
import html
import json
import mimetypes
import os
import random
import signal
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TextIO
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent
DEFAULT_HOST = 'localhost'
DEFAULT_PORT = 8001
MIN_DELAY = 0.5  # seconds
MAX_DELAY = 5.0  # seconds
IDLE_TIMEOUT = 60.0  # seconds until a silent connection is closed
BACKLOG = 1024  # connections that may wait to be accepted


class Behavior(NamedTuple):
    """How each request is treated: delays in seconds, rate of errors from 0 to 1."""

    min_delay: float
    max_delay: float
    error_rate: float


class SlowServer(ThreadingHTTPServer):
    """Serves one directory, with a thread per connection."""

    request_queue_size = BACKLOG

    log: TextIO | None = None

    def __init__(self, host: str, port: int, directory: Path, behavior: Behavior) -> None:
        """Listen at the first address of host; raise OSError if that cannot be done."""
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        self.address_family = family
        self.directory = directory.resolve()
        self.behavior = behavior
        self.log_lock = threading.Lock()
        handler = partial(SlowHandler, directory=str(self.directory))
        super().__init__((str(address[0]), port), handler)

    def server_bind(self) -> None:
        """Skip the look-up of this host's full name: it may take seconds."""
        socketserver.TCPServer.server_bind(self)

    def record(self, **request: object) -> None:
        """Append one finished request to the log file, if there is one."""
        if self.log:
            with self.log_lock:
                print(json.dumps(request), file=self.log, flush=True)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell in one line what broke a connection, mostly the client hanging up."""
        say(f'{client_address[0]}:{client_address[1]}  {sys.exc_info()[1]!r}')


class SlowHandler(SimpleHTTPRequestHandler):
    """Delays and spoils what SimpleHTTPRequestHandler answers."""

    server: SlowServer
    protocol_version = 'HTTP/1.1'
    timeout = IDLE_TIMEOUT
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024  # headers and flag leave in one write

    delay: float | None  # of the request that is being answered

    def handle_one_request(self) -> None:
        """Have no request to answer until one has been read that makes sense."""
        self.delay = None
        super().handle_one_request()

    def send_head(self) -> Any:
        """Wait, then send the headers; return the content, or None after an error."""
        self.start = time.time()
        min_delay, max_delay, error_rate = self.server.behavior
        self.delay = random.uniform(min_delay, max_delay)
        if 'Content-Length' in self.headers or 'Transfer-Encoding' in self.headers:
            self.close_connection = True  # a body that nobody reads must not pass for a request
        time.sleep(self.delay)
        if random.random() < error_rate:
            return self.send_error(HTTPStatus.IM_A_TEAPOT)
        if not self.is_served():
            return self.send_error(HTTPStatus.NOT_FOUND)
        return super().send_head()

    def is_served(self) -> bool:
        """Tell whether the path exists, inside the directory and not hidden, behind links too."""
        path = Path(self.translate_path(self.path))
        try:
            names = [
                *path.relative_to(self.server.directory).parts,
                *path.resolve(strict=True).relative_to(self.server.directory).parts,
            ]
        except (OSError, ValueError, RuntimeError):  # missing, outside, a loop of links
            return False
        return not any(name.startswith('.') for name in names)

    def list_directory(self, path: str | os.PathLike[str]) -> BytesIO | None:
        """Send a list of links to all that is not hidden."""
        try:
            names = sorted(
                entry.name + '/' * entry.is_dir()
                for entry in Path(path).iterdir()
                if not entry.name.startswith('.')
            )
        except OSError:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
            return None
        links = [
            f'<li><a href="{quote(os.fsencode(name))}">{html.escape(name)}</a></li>'
            for name in names
        ]
        page = '\n'.join(['<!DOCTYPE html>', '<title>Directory</title>', '<ul>', *links, '</ul>'])
        return self.send_content(page.encode(errors='replace'), 'text/html')

    def send_content(self, content: bytes, media_type: str) -> BytesIO:
        """Send the headers for some content in UTF-8; return it, to be sent as a file is."""
        self.send_response(HTTPStatus.OK)
        self.send_header('Content-Type', f'{media_type}; charset=utf-8')
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        return BytesIO(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Send 503 where http.server sends 404 because it failed to open what is_served."""
        if isinstance(sys.exception(), OSError):
            code, message = HTTPStatus.SERVICE_UNAVAILABLE, None
        super().send_error(code, message, explain)

    def send_header(self, keyword: str, value: str) -> None:
        """Leave out the 'Connection: close' that send_error adds to every error.

        Only after a malformed request is it unclear where the next one begins.
        """
        if self.delay is None or keyword != 'Connection':
            super().send_header(keyword, value)

    def log_request(self, code: int | str = '-', size: int | str = '-') -> None:
        """Print and log a request; its response leaves afterwards, from the buffer."""
        if self.delay is None:
            return
        say(f'{flag_code(self.path)}  {self.delay:.3f}s  {int(code)}')
        self.server.record(
            path=self.path,
            status=int(code),
            start=self.start,
            end=time.time(),
            delay=self.delay,
            client_port=self.client_address[1],
        )

    def log_message(self, format: str, *args: Any) -> None:
        """Print what log_request does not: malformed requests and silent clients."""
        if self.delay is None:
            say(f'{self.client_address[0]}:{self.client_address[1]}  {format % args}')


def flag_code(path: str) -> str:
    """Return the country code in the path of a flag; any other path as it is.

    >>> flag_code('/flags/br/br.gif')
    'BR'
    """
    directory, _, name = path.removesuffix('.gif').rpartition('/')
    return name.upper() if name and directory.endswith(f'/{name}') else path


def say(line: str) -> None:
    """Print one whole line on stderr, control characters escaped."""
    with suppress(AttributeError, OSError, ValueError):  # stderr, or its reader, may be gone
        sys.stderr.write(ascii(line)[1:-1] + '\n')


def in_range(low: float, high: float, kind: type[int] | type[float]) -> Callable[[str], float]:
    """Return an argparse type for numbers from low to high."""

    def number(text: str) -> float:
        value = kind(text)
        if not low <= value <= high:  # also true for NaN
            raise argparse.ArgumentTypeError(f'{text} is not between {low:g} and {high:g}')
        return value

    number.__name__ = kind.__name__
    return number


def host_name(text: str) -> str:
    """Be an argparse type for names of hosts, and their addresses."""
    text.encode('idna')  # as the look-up does; its error is a ValueError, which argparse reports
    return text


seconds = in_range(0, 3600, float)


def existing_directory(text: str) -> Path:
    """Be an argparse type for directories."""
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f'no such directory: {text!r}')
    return path


def process_args() -> argparse.Namespace:
    """Read the command line; exit with status 2 if it makes no sense."""
    parser = argument_parser()
    args = parser.parse_args()
    if args.min_delay is None:
        args.min_delay = min(MIN_DELAY, args.max_delay)
    if args.min_delay > args.max_delay:
        parser.error(f'--min-delay {args.min_delay:g} exceeds --max-delay {args.max_delay:g}')
    return args


def argument_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description='Serve country flags, slowly.')

    def add(name: str, text: str, default: object = None, **options: Any) -> None:
        shown = '' if default is None else f' (default: {default})'
        parser.add_argument(name, default=default, help=text + shown, **options)

    port = in_range(0, 65535, int)
    add('port', '0: any free', DEFAULT_PORT, nargs='?', type=port)
    add('--bind', 'to listen at', DEFAULT_HOST, metavar='ADDRESS', type=host_name)
    add('--directory', 'to serve', ROOT, metavar='DIR', type=existing_directory)
    add('--error-rate', 'share of 418', 0, metavar='P', type=in_range(0, 1, float))
    shortest = f'shortest delay in seconds (default: {MIN_DELAY}, or MAX if less)'
    add('--min-delay', shortest, metavar='S', type=seconds)
    add('--max-delay', 'longest delay', MAX_DELAY, metavar='S', type=seconds)
    add('--log', 'write a line of JSON per request', metavar='FILE', type=Path)
    add('--until-eof', 'stop when standard input ends', action='store_true')
    return parser


def raise_file_limit() -> None:
    """Allow as many open files, which connections are too, as the system permits."""
    with suppress(ImportError, OSError, ValueError):  # not everywhere, or not without limit
        import resource

        _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))


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
    mimetypes.init()  # reads files, which the first request may be unable to do
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, stop)
    behavior = Behavior(args.min_delay, args.max_delay, args.error_rate)
    try:
        server = SlowServer(args.bind, args.port, args.directory, behavior)
    except OSError as exc:
        sys.exit(f'slow_server.py: cannot listen on {args.bind} port {args.port}: {exc.strerror}')
    with server:
        try:
            server.log = args.log.open('w', encoding='utf-8') if args.log else None
        except OSError as exc:
            sys.exit(f'slow_server.py: cannot write {args.log}: {exc.strerror}')
        host = f'[{args.bind}]' if ':' in args.bind else args.bind
        with suppress(OSError):  # nobody has to read this
            print(f'Serving flags at http://{host}:{server.server_address[1]}/flags', flush=True)
        if args.until_eof:
            threading.Thread(target=stop_at_eof, daemon=True).start()
        server.serve_forever()


if __name__ == '__main__':
    main()
