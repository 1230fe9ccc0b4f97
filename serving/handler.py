"""Answers to requests: files, lists of files, the page, and the data of the page."""

import argparse
import html
import mimetypes
import os
import re
import socket
import sys
import time
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

from serving.history import CLIENT_GONE, Client, Exchange, History
from serving.names import is_own_name
from support.console import tell

IDLE_TIMEOUT = 60.0  # seconds until a silent connection is closed

mimetypes.knownfiles.clear()  # answers do not depend on the system's files


class FileHandler(SimpleHTTPRequestHandler):
    """Serves files on persistent connections, records requests, and refuses foreign sites."""

    protocol_version = 'HTTP/1.1'
    timeout = IDLE_TIMEOUT
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024  # headers and a flag go out in one write

    exchange: Exchange | None  # None unless a flag is requested

    def __init__(self, *request: Any, args: argparse.Namespace, page: bytes, history: History):
        """Handle all requests of a connection."""
        self.args, self.page, self.history = args, page, history
        super().__init__(*request, directory=str(args.directory.resolve()))

    def send_head(self) -> Any:
        """Send the headers of an answer; return its content, or None if it has none."""
        if content := self.answer_of_its_own():
            return content
        if self.path.endswith('?picture'):  # the page shows it
            return self.send_file()
        return self.send_flag()

    def send_flag(self) -> Any:
        """Send the headers for a file that a client downloads; return its content."""
        return self.send_file()

    def begin(self, delay: float) -> None:
        """Record a request whose response will be delayed by `delay` seconds."""
        client = Client.of(self.headers.get('User-Agent', ''), self.client_address[0])
        self.exchange = self.history.begin(self.path, self.client_address[1], client, delay)

    def wait(self, delay: float) -> bool:
        """Wait for `delay` seconds; return False as soon as the client closes its side."""
        end = time.perf_counter() + delay
        self.connection.settimeout(delay)
        try:
            connected: bool = self.connection.recv(1, socket.MSG_PEEK) != b''
        except (
            TimeoutError,
            BlockingIOError,
        ):  # nothing to read: the client waits for the response
            connected = True
        except OSError:
            connected = False
        self.connection.settimeout(self.timeout)
        remaining = end - time.perf_counter()
        if connected and remaining > 0:  # the client has already sent its next request
            time.sleep(remaining)
        self.close_connection |= not connected
        return connected

    def send_file(self) -> Any:
        """Send the headers for a file; return its content, or None if there is no such file."""
        if not self.is_served():
            return self.send_error(HTTPStatus.NOT_FOUND)
        return super().send_head()

    def is_served(self) -> bool:
        """Return whether the path exists in the directory and is not hidden; follow links."""
        path = self.translate_path(self.path)
        try:
            places = {path, os.path.realpath(path, strict=True)}
            below = [os.path.relpath(place, self.directory) for place in places]
        except (OSError, ValueError):  # no such file, or no valid name
            return False
        return not any(f'{os.sep}.' in os.sep + place for place in below)  # '..' leads outside

    def answer_of_its_own(self) -> BytesIO | None:
        """Send the headers of the page, its data or a refusal; return None if it is a file."""
        if 'Content-Length' in self.headers or 'Transfer-Encoding' in self.headers:
            self.close_connection = True  # otherwise the body is read as a request
        path, _, query = self.path.partition('?')
        is_page = path == '/'
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
        """Return why a request is refused, or '': other sites must not read the page's data."""
        host = self.headers.get('Host', '')
        own_address = self.connection.getsockname()[0]
        if host and not is_own_name(host, self.args.bind, own_address, *self.args.allow_host or ()):
            return f'{host} is not a name of this server: see --bind and --allow-host.'
        if is_private and self.headers.get('Sec-Fetch-Site') == 'cross-site':
            return 'Type the address of this page: links from other sites are refused.'
        return ''

    def handle_one_request(self) -> None:
        """Read a request and answer it, unless the client has gone away."""
        self.exchange = None
        try:
            super().handle_one_request()
        finally:
            if self.exchange and self.exchange.status is None:
                self.log_request(CLIENT_GONE)

    def list_directory(self, path: str | os.PathLike[str]) -> BytesIO | None:
        """Send a list of links to all files that are not hidden."""
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
        """Send the headers for content in UTF-8; return the content as a file."""
        self.send_response(status)
        self.send_header('Content-Type', f'{media_type}; charset=utf-8')
        self.send_header('Content-Length', str(len(content)))
        self.send_header('Content-Security-Policy', "frame-ancestors 'none'")
        self.end_headers()
        return BytesIO(content)

    def end_headers(self) -> None:
        """Tell browsers not to guess media types, and HTTP/1.0 clients to keep the connection."""
        self.send_header('X-Content-Type-Options', 'nosniff')
        if self.request_version == 'HTTP/1.0' and not self.close_connection:
            self.send_header('Connection', 'keep-alive')
        super().end_headers()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Send an error; close the connection only after a malformed request."""
        if not self.exchange:
            super().send_error(code, message, explain)
        elif isinstance(sys.exception(), OSError):  # the file exists, but cannot be opened
            self.send_content(b'', 'text/plain', HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            self.send_content(b'', 'text/plain', code)

    def log_request(self, code: int | str = '-', size: int | str = '-') -> None:
        """Print and log a request; its response, which is in the buffer, goes out after that."""
        if self.exchange:
            self.history.end(self.exchange, int(code))
            outcome = 'client gone' if code == CLIENT_GONE else int(code)
            say(f'{self.exchange.code}  {self.exchange.delay:.3f}s  {outcome}')

    def log_message(self, format: str, *args: Any) -> None:
        """Print a message about a malformed request or a silent client."""
        say(f'{self.client_address[0]}:{self.client_address[1]}  {format % args}')


def say(line: str) -> None:
    """Print a line on stderr, control characters escaped."""
    tell(ascii(line)[1:-1])
