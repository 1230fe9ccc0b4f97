#!/usr/bin/env python3
"""Serve the flags slowly and, if you like, unreliably, to test clients.

    $ python3 slow_server.py
    Serving flags at http://localhost:8001/flags
    Watch the requests at http://localhost:8001/
    BR  1.873s  200
    ZZ  0.624s  404

It waits for a random delay before each response. With --error-rate, some responses are
418 "I'm a teapot" (RFC 2324). Connections stay open after these and after 404.
"""

import argparse
import random
import signal
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from serving.handler import FileHandler
from serving.history import History, open_log
from serving.listening import FileServer, end_with_stdin, listen
from serving.names import site
from serving.page import page
from support.arguments import in_range, parse, seconds
from support.console import description, fail
from support.exits import orderly_exit
from support.files import raise_file_limit
from support.hosts import localhost

ROOT = Path(__file__).resolve().parent
DEFAULT_PORT = 8001
MIN_DELAY = 0.5  # seconds
MAX_DELAY = 5.0  # seconds


class SlowHTTPRequestHandler(FileHandler):
    """Delays the responses of a FileHandler, and makes some of them errors."""

    def send_flag(self) -> Any:
        """Send the headers for a flag, after a delay; return its content, or None."""
        delay = random.uniform(self.args.min_delay, self.args.max_delay)
        self.begin(delay)
        if not self.wait(delay):  # the client has hung up
            return None
        if random.random() < self.args.error_rate:
            return self.send_error(HTTPStatus.IM_A_TEAPOT)
        return super().send_flag()


def process_args() -> argparse.Namespace:
    """Return the options of the command line; exit with status 2 if they are wrong."""
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

    add(
        'port',
        'port to listen on; 0: any free port',
        DEFAULT_PORT,
        nargs='?',
        type=in_range(0, 65535, int),
    )
    add('--bind', 'address to listen on', localhost(), metavar='ADDRESS', type=host_name)
    names = 'further host name by which clients may address this server'
    add('--allow-host', names, metavar='NAME', action='append', type=str.lower)
    add('--directory', 'directory to serve', ROOT, metavar='DIR', type=Path)
    rate = 'share of requests answered with 418'
    add('--error-rate', rate, 0, metavar='P', type=in_range(0, 1, float))
    shortest = f'shortest delay in seconds (default: {MIN_DELAY}, or MAX if less)'
    add('--min-delay', shortest, metavar='S', type=seconds)
    add('--max-delay', 'longest delay in seconds', MAX_DELAY, metavar='S', type=seconds)
    add('--log', 'file to which to append a line of JSON per request', metavar='FILE', type=Path)
    add('--until-eof', 'stop when standard input ends', action='store_true')
    return parser


def host_name(text: str) -> str:
    """Argparse type: a host name or address."""
    text.encode('idna')  # argparse reports the ValueError of a wrong name
    return text


def greet(site: str) -> None:
    """Print where the flags and the page are, if standard output has a reader."""
    with suppress(OSError):
        print(f'Serving flags at {site}/flags')
        print(f'Watch the requests at {site}/', flush=True)


def main() -> None:
    """Serve until a signal comes or, with --until-eof, until standard input ends."""
    args = process_args()
    raise_file_limit()
    with orderly_exit():
        if hasattr(signal, 'SIGPIPE'):
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # the reader of the greeting may leave
        try:
            history = History(open_log(args.log) if args.log else None)
        except OSError as exc:
            fail(f'cannot write {args.log}: {exc.strerror}')
        handler = partial(SlowHTTPRequestHandler, args=args, page=page().encode(), history=history)
        try:
            server = FileServer(listen(args.bind, args.port), handler)
        except OSError as exc:
            fail(f'cannot listen on {args.bind} port {args.port}: {description(exc)}')
        with server:
            greet(site(args.bind, server.port))
            if args.until_eof:
                end_with_stdin()
            server.serve_forever()


if __name__ == '__main__':
    main()
