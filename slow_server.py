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
import html
import json
import mimetypes
import os
import random
import re
import signal
import socket
import socketserver
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn, TextIO
from urllib.parse import quote, urlsplit

from support.arguments import in_range, seconds
from support.files import raise_file_limit
from support.hosts import is_this_machine, numeric_address

ROOT = Path(__file__).resolve().parent
DEFAULT_HOST = 'localhost'
DEFAULT_PORT = 8001
MIN_DELAY = 0.5  # seconds
MAX_DELAY = 5.0  # seconds
IDLE_TIMEOUT = 60.0  # seconds until a silent connection is closed
BACKLOG = 1024  # connections that may wait to be accepted
CLIENT_GONE = 499  # the status that nginx logs for it

PAGE = ROOT / 'slow_server.html'
RUN_PAUSE = 1.0  # seconds without a request of a client after which its run is over
MAX_RUNS = 6
MAX_KEPT = 5000  # requests of a run
MAX_TEXT = 200  # characters of a path or a User-Agent


@dataclass
class Run:
    """The requests of one User-Agent, until it pauses."""

    number: int
    agent: str
    requests: list['Request'] = field(default_factory=list)
    in_flight: int = 0
    last_end: float = 0


@dataclass
class Request:
    """One request; end and status are None until it is answered."""

    run: Run
    path: str
    lane: int  # the client's port, as it stands for a connection
    delay: float
    start: float
    change: int  # the number of the last change to any request, when this one changed
    end: float | None = None
    status: int | None = None

    @property
    def code(self) -> str:
        """The country code, or the path if it is not that of a flag."""
        return flag_code(self.path)

    def facts(self) -> dict[str, Any]:
        """Return what is logged."""
        return {
            'code': self.code,
            'path': self.path,
            'status': self.status,
            'start': self.start,
            'end': self.end,
            'delay': self.delay,
            'lane': self.lane,
            'agent': self.run.agent,
            'run': self.run.number,
            'change': self.change,
        }


class SlowServer(ThreadingHTTPServer):
    """Serves one directory, with a thread per connection, and remembers the last runs."""

    request_queue_size = BACKLOG
    allow_reuse_address = sys.platform != 'win32'  # on Windows, two servers could share a port

    def __init__(self, args: argparse.Namespace) -> None:
        """Listen at the first address of args.bind; raise OSError if that cannot be done."""
        found = socket.getaddrinfo(args.bind, args.port, type=socket.SOCK_STREAM)
        self.address_family, _, _, _, address = found[0]
        self.args = args
        self.log: TextIO | None = None
        self.page = PAGE.read_bytes() if PAGE.is_file() else b''
        self.lock = threading.Lock()
        self.runs: deque[Run] = deque(maxlen=MAX_RUNS)
        self.run = self.change = 0  # numbers of the last ones; a request changes when it ends, too
        self.clock_offset = time.time() - time.perf_counter()
        self.born = self.now()
        handler = partial(SlowHandler, directory=str(args.directory.resolve()))
        super().__init__((str(address[0]), args.port), handler)

    def server_bind(self) -> None:
        """Skip the look-up of this host's full name: it may take seconds."""
        socketserver.TCPServer.server_bind(self)

    def now(self) -> float:
        """Return the time in seconds since 1970, by a clock that is fine and never steps."""
        return time.perf_counter() + self.clock_offset

    def begin(self, path: str, lane: int, agent: str) -> Request:
        """Return a new request, in the run of its client that is under way or in a new one."""
        with self.lock:
            start = self.now()
            run = self.current_run(agent[:MAX_TEXT], start)
            run.in_flight += 1
            self.change += 1
            delay = random.uniform(self.args.min_delay, self.args.max_delay)
            request = Request(run, path[:MAX_TEXT], lane, delay, start, self.change)
            run.requests.append(request)
            return request

    def current_run(self, agent: str, now: float) -> Run:
        """Return the run of a User-Agent; begin one after a pause, or if the last one is full."""
        for run in reversed(self.runs):
            if run.agent == agent:
                goes_on = run.in_flight or now - run.last_end <= RUN_PAUSE
                if goes_on and len(run.requests) < MAX_KEPT:
                    return run
                break
        self.run += 1
        run = Run(self.run, agent)
        self.runs.append(run)
        return run

    def end(self, request: Request, status: int) -> None:
        """Note how a request is answered, in the log too if there is one."""
        with self.lock:
            self.change += 1
            request.status, request.end, request.change = status, self.now(), self.change
            request.run.in_flight -= 1
            request.run.last_end = request.end
            if status == CLIENT_GONE:
                request.delay = request.end - request.start
            if self.log:
                self.write_log(request, self.log)

    def write_log(self, request: Request, log: TextIO) -> None:
        """Write a line; if that fails, as on a full disk, say so once and log no more."""
        try:
            print(json.dumps(request.facts()), file=log, flush=True)
        except OSError as exc:
            self.log = None
            say(f'slow_server.py: cannot write {log.name}: {exc.strerror}; logging has ended')
            with suppress(OSError):  # it tries to write once more
                log.close()

    def changes(self, after: int) -> bytes:
        """Return the requests that have changed after that change, as JSON for slow_server.html."""
        with self.lock:
            requests = [
                request.facts()
                for run in self.runs
                for request in run.requests
                if request.change > after
            ]
            state = {'born': self.born, 'now': self.now(), 'change': self.change}
        return json.dumps(state | {'requests': requests}).encode()

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

    answering: Request | None  # None while there is no request for a flag

    def handle_one_request(self) -> None:
        """Read a request and answer it, unless the client is gone before that."""
        self.answering = None
        try:
            super().handle_one_request()
        finally:
            if self.answering and self.answering.status is None:
                self.log_request(CLIENT_GONE)

    def send_head(self) -> Any:
        """Send the headers; return the content, or None if there is none to send.

        What the page itself asks for is neither delayed nor kept in the history.
        """
        if 'Content-Length' in self.headers or 'Transfer-Encoding' in self.headers:
            self.close_connection = True  # a body that nobody reads must not pass for a request
        path, _, query = self.path.partition('?')
        is_page = path == '/' and bool(self.server.page)
        if refusal := self.refusal(is_page or path == '/requests'):
            self.log_error('refused: %s', refusal)
            return self.send_content(f'{refusal}\n'.encode(), 'text/plain', HTTPStatus.FORBIDDEN)
        if is_page:
            return self.send_content(self.server.page, 'text/html')
        if path == '/requests':
            after = re.fullmatch(r'after=(\d{1,18})', query)  # int() refuses thousands of digits
            changes = self.server.changes(int(after[1]) if after else 0)
            return self.send_content(changes, 'application/json')
        if query != 'picture':
            agent = self.headers.get('User-Agent', '')
            self.answering = self.server.begin(self.path, self.client_address[1], agent)
            if not self.wait(self.answering.delay):
                self.close_connection = True
                return None
            if random.random() < self.server.args.error_rate:
                return self.send_error(HTTPStatus.IM_A_TEAPOT)
        if not self.is_served():
            return self.send_error(HTTPStatus.NOT_FOUND)
        return super().send_head()

    def refusal(self, is_private: bool) -> str:
        """Return why a request is refused: other sites must not read what is done here."""
        host = self.headers.get('Host', '')
        listens_at = str(self.server.server_address[0])
        if host and not is_own_name(host, self.server.args.bind, listens_at):
            return f'{host} is not a name of this server: see --bind.'
        if is_private and self.headers.get('Sec-Fetch-Site') == 'cross-site':
            return 'Type the address of this page: links from other sites are refused.'
        return ''

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

    def is_served(self) -> bool:
        """Tell whether the path exists, inside the directory and not hidden, behind links too."""
        path = self.translate_path(self.path)
        try:
            places = {path, os.path.realpath(path, strict=True)}
            below = [os.path.relpath(place, self.directory) for place in places]
        except (OSError, ValueError):  # nothing there, or bytes that no name has
            return False
        return not any(f'{os.sep}.' in os.sep + place for place in below)  # '..' leads outside

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
        if not self.answering:
            super().send_error(code, message, explain)
        elif isinstance(sys.exception(), OSError):  # what is_served has found cannot be opened
            self.send_content(b'', 'text/plain', HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            self.send_content(b'', 'text/plain', code)

    def log_request(self, code: int | str = '-', size: int | str = '-') -> None:
        """Print and log a request; its response leaves afterwards, from the buffer."""
        if self.answering:
            self.server.end(self.answering, int(code))
            outcome = 'client gone' if code == CLIENT_GONE else int(code)
            say(f'{self.answering.code}  {self.answering.delay:.3f}s  {outcome}')

    def log_message(self, format: str, *args: Any) -> None:
        """Print what log_request does not: malformed requests and silent clients."""
        say(f'{self.client_address[0]}:{self.client_address[1]}  {format % args}')


def flag_code(path: str) -> str:
    """Return the country code in the path of a flag; any other path as it is.

    >>> flag_code('/flags/br/br.gif')
    'BR'
    """
    directory, _, name = path.removesuffix('.gif').rpartition('/')
    return name.upper() if name and directory.endswith(f'/{name}') else path


@lru_cache(maxsize=100)
def is_own_name(host: str, bind: str, listens_at: str) -> bool:
    """Tell whether a Host header names the machine of a server that listens at an address.

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
    own_address = numeric_address(listens_at)
    everywhere = own_address is not None and own_address.is_unspecified
    if is_this_machine(name):
        return True
    if address := numeric_address(name):
        return everywhere or address == own_address
    names = {bind.lower()}
    if everywhere:
        this_machine = socket.gethostname().lower()
        names |= {this_machine, f'{this_machine}.local'}
    return name in names


def say(line: str) -> None:
    """Print one whole line on stderr, control characters escaped."""
    with suppress(AttributeError, OSError, ValueError):  # stderr, or its reader, may be gone
        sys.stderr.write(ascii(line)[1:-1] + '\n')


def host_name(text: str) -> str:
    """Argparse type: a host name or address."""
    text.encode('idna')  # as the look-up does; its error is a ValueError, which argparse reports
    return text


def process_args() -> argparse.Namespace:
    """Read the command line; exit with status 2 if it makes no sense."""
    parser = argument_parser()
    args = parser.parse_args()
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
    add('--bind', 'to listen at', DEFAULT_HOST, metavar='ADDRESS', type=host_name)
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
    mimetypes.init()  # reads files, which the first request may be unable to do
    for signum in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(signum) is not signal.SIG_IGN:  # as in a background job of a script
            signal.signal(signum, stop)
    try:
        server = SlowServer(args)
    except OSError as exc:
        sys.exit(f'slow_server.py: cannot listen on {args.bind} port {args.port}: {exc.strerror}')
    with server:
        try:
            server.log = args.log.open('w', encoding='utf-8') if args.log else None
        except OSError as exc:
            sys.exit(f'slow_server.py: cannot write {args.log}: {exc.strerror}')
        host = f'[{args.bind}]' if ':' in args.bind else args.bind
        site = f'http://{host}:{server.server_address[1]}'
        with suppress(OSError):  # nobody has to read this
            print(f'Serving flags at {site}/flags', flush=True)
            if server.page:
                print(f'Watch the requests at {site}/', flush=True)
        if args.until_eof:
            threading.Thread(target=stop_at_eof, daemon=True).start()
        server.serve_forever()


if __name__ == '__main__':
    main()
