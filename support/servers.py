"""The servers to download from, and private ones where nothing listens yet."""

import argparse
import ipaddress
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from urllib.parse import urlsplit

import httpx

from support.console import fail, note

SERVERS = {
    'REMOTE': 'https://www.fluentpython.com/data/flags',
    'LOCAL': 'http://localhost:8000/flags',
    'DELAY': 'http://localhost:8001/flags',
    'ERROR': 'http://localhost:8002/flags',
}

LABELS = ', '.join(sorted(SERVERS))

# How slow_server.py has to be started to answer as the label promises
OPTIONS = {'LOCAL': ['--max-delay=0'], 'DELAY': [], 'ERROR': ['--error-rate=.25']}

SLOW_SERVER = Path(__file__).resolve().parent.parent / 'slow_server.py'
CONNECT_TIMEOUT = 1.0  # seconds
MAX_PORT = 65535


def server_name(text: str) -> str:
    """Argparse type: a label in upper case, or a base URL without the last slash."""
    if text.upper() in SERVERS:
        return text.upper()
    with suppress(httpx.InvalidURL, UnicodeError):
        url = httpx.URL(text)
        url.host.encode('idna')  # as the look-up does
        valid_port = url.port is None or 0 < url.port <= MAX_PORT
        plain = not {'?', '#', '@'} & set(text)  # the rest of the path goes to its end
        if url.scheme in ('http', 'https') and url.host and valid_port and plain:
            return text.rstrip('/')
    raise argparse.ArgumentTypeError(f'neither one of {LABELS}, nor a URL without a password')


def add_server_option(parser: argparse._ActionsContainer, default: str | None) -> None:
    """Let the user choose a server by -s or --server."""
    shown_default = f' (default={default})' if default else ''
    parser.add_argument(
        '-s',
        '--server',
        metavar='LABEL',
        type=server_name,
        default=default,
        help=f'Server to hit; one of {LABELS}{shown_default}; case-insensitive; or a base URL',
    )


@contextmanager
def running(name: str, *options: str) -> Iterator[str]:
    """Context manager: yield the base URL for a label, or the URL that name is.

    If nothing listens on the label's port, a private server does for as long as the block
    takes. It gets these options in addition to its label's.
    """
    base_url = SERVERS.get(name, name)
    if name not in OPTIONS or is_listening(base_url):
        yield base_url
        return
    port = urlsplit(base_url).port
    with private_server(*OPTIONS[name], *options) as private_url:
        note(f'Nothing listens on port {port}; using {private_url}')
        yield private_url


def is_listening(url: str) -> bool:
    """Tell whether something accepts connections for url."""
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port), CONNECT_TIMEOUT).close()
    except OSError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Tell whether a name or address, such as 127.1 or 0:0::1, means this machine."""
    with suppress(OSError, UnicodeError):
        found = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
        address = ipaddress.ip_address(found[0][4][0])
        return (getattr(address, 'ipv4_mapped', None) or address).is_loopback
    return f'.{host}'.rstrip('.').endswith('.localhost')


@contextmanager
def private_server(*options: str) -> Iterator[str]:
    """Context manager: run slow_server.py on a free port; yield its base URL.

    It ends when its standard input does, so it cannot outlive this process, and it does not
    see this terminal's Ctrl-C. If it does not start, the script ends.
    """
    command = [sys.executable, str(SLOW_SERVER), '0', '--until-eof', *options]
    with Popen(
        command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True, start_new_session=True
    ) as server:
        assert server.stdout
        try:
            greeting = server.stdout.readline()
            if not greeting:
                fail(f'{SLOW_SERVER.name} did not start')
            yield greeting.split()[-1]
        finally:
            server.terminate()
