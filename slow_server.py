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
import mimetypes
import os
import random
import signal
import sys
import threading
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, NoReturn

from serving.handler import FileHandler
from serving.history import History
from serving.listening import FileServer, listen
from serving.page import page
from support.arguments import in_range, parse, seconds
from support.console import reason
from support.files import raise_file_limit
from support.hosts import localhost

ROOT = Path(__file__).resolve().parent
DEFAULT_PORT = 8001
MIN_DELAY = 0.5  # seconds
MAX_DELAY = 5.0  # seconds


class SlowHTTPRequestHandler(FileHandler):
    """Delays and spoils what a FileHandler answers."""

    def send_flag(self) -> Any:
        """Send the headers for a flag, slowly; return its content, or None if there is none."""
        delay = random.uniform(self.args.min_delay, self.args.max_delay)
        self.begin(delay)
        if not self.wait(delay):
            return None
        if random.random() < self.args.error_rate:
            return self.send_error(HTTPStatus.IM_A_TEAPOT)
        return super().send_flag()


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
    history = History()
    handler = partial(SlowHTTPRequestHandler, args=args, page=page().encode(), history=history)
    try:
        server = FileServer(listen(args.bind, args.port), handler)
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
            print(f'Watch the requests at {site}/', flush=True)
        if args.until_eof:
            threading.Thread(target=stop_at_eof, daemon=True).start()
        server.serve_forever()


if __name__ == '__main__':
    main()
