"""Servers to download from: their labels and URLs, and private ones where nothing listens."""

import argparse
import socket
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from urllib.parse import urlsplit

from support.console import fail, printable, tell
from support.hosts import is_own, localhost

SERVERS = {
    'REMOTE': 'https://www.fluentpython.com/data/flags',
    'LOCAL': 'http://localhost:8000/flags',
    'DELAY': 'http://localhost:8001/flags',
    'ERROR': 'http://localhost:8002/flags',
}
LABELS = ', '.join(sorted(SERVERS))

# The options of slow_server.py that make it answer as the label promises
OPTIONS = {'LOCAL': ['--max-delay=0'], 'DELAY': [], 'ERROR': ['--error-rate=.25']}

SLOW_SERVER = Path(__file__).resolve().parent.parent / 'slow_server.py'
NO_FLAGS = 'another program, or a server of another folder, may listen there'
GREETING = 'Serving flags at '  # what slow_server.py prints before its base URL
CONNECT_TIMEOUT = 0.2  # seconds: enough on one machine, where Windows is slow to refuse


@contextmanager
def running(name: str, *options: str) -> Iterator[str]:
    """Context manager: yield the base URL of a label; any other name is a URL itself.

    If nothing listens on the label's port, run a private server during the block. It gets the
    options in addition to those of its label.
    """
    base_url = SERVERS.get(name, name).replace('//localhost', f'//{localhost()}')
    if name not in OPTIONS or is_listening(base_url):
        yield base_url
        return
    port = urlsplit(base_url).port
    with private_server(*OPTIONS[name], *options) as private_url:
        tell(f'Nothing listens on port {port}; using {private_url}')
        yield private_url


def is_listening(url: str) -> bool:
    """Return whether something accepts connections at a URL."""
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port), CONNECT_TIMEOUT).close()
    except OSError:
        return False
    return True


def is_site_of_the_book(base_url: str) -> bool:
    """Return whether a URL leads to the public server of the book, in any spelling."""
    host = (urlsplit(base_url).hostname or '').rstrip('.')
    return host.removeprefix('www.') == 'fluentpython.com'


@contextmanager
def private_server(*options: str) -> Iterator[str]:
    """Context manager: run slow_server.py on a free port; yield its base URL.

    The server stops when its standard input ends, so it cannot outlive this process. Ctrl-C in the
    terminal does not reach it. If it does not start, exit and say why.
    """
    import subprocess  # which takes time to load, and most runs start no server

    address = '127.0.0.1' if is_own(IPv4Address('127.0.0.1')) else '::1'
    where = ['0', f'--bind={address}']  # an address saves clients a look-up
    command = [sys.executable, str(SLOW_SERVER), *where, '--until-eof', *options]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
            creationflags=getattr(subprocess, 'CREATE_NEW_PROCESS_GROUP', 0),  # Windows
        ) as server,
    ):
        try:
            if url := greeting_url(server.stdout or ()):
                yield url
            else:
                errors.seek(0)
                fail(f'{SLOW_SERVER.name} did not start: {last_line(errors.read())}')
        finally:
            server.terminate()


def greeting_url(output: Iterable[str]) -> str:
    """Return the base URL that a server prints, maybe after other lines; '' if it prints none."""
    greetings = (line for line in output if line.startswith(GREETING))
    return next(greetings, '').removeprefix(GREETING).rstrip()


def last_line(output: bytes) -> str:
    """Return the last line of output, which names the error in a traceback."""
    return printable((output.decode(errors='replace').strip().splitlines() or ['no reason'])[-1])


def server_name(text: str) -> str:
    """Argparse type: a label in upper case, or a base URL without the last slash."""
    if text.upper() in SERVERS:
        return text.upper()
    if not is_base_url(text):
        example = 'a URL such as http://localhost:8080/flags'
        raise argparse.ArgumentTypeError(f'neither one of {LABELS}, nor {example}')
    return text.rstrip('/')


def is_base_url(text: str) -> bool:
    """Return whether text is a URL without a password, to which paths can be added."""
    try:
        parts = urlsplit(text)
        (parts.hostname or '').encode('idna')  # the look-up does the same
        valid_port = parts.port != 0
    except ValueError:
        return False
    plain = text.isprintable() and not {'?', '#', '@', ' '} & set(text)
    return plain and valid_port and parts.scheme in ('http', 'https') and bool(parts.hostname)


def add_server_option(parser: argparse._ActionsContainer, default: str | None) -> None:
    """Add the option -s or --server, which names a server."""
    labels = {url: label for label, url in SERVERS.items()}
    shown_default = f' (default={labels.get(default, default)})' if default else ''
    parser.add_argument(
        '-s',
        '--server',
        metavar='LABEL',
        type=server_name,
        default=default,
        help=f'Server to hit; one of {LABELS}{shown_default}; case-insensitive; or a base URL',
    )
