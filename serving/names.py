"""The names of this server: those in requests that it accepts, and the one for others to type."""

import socket
from contextlib import suppress
from functools import lru_cache
from urllib.parse import urlsplit

from support.hosts import is_loopback, localhost, numeric_address, own_names

ELSEWHERE = {socket.AF_INET: '192.0.2.1', socket.AF_INET6: '2001:db8::1'}  # no real machine


@lru_cache(maxsize=100)
def is_own_name(host: str, bind: str, own_address: str, *allowed: str) -> bool:
    """Return whether a Host header names this machine, to which own_address belongs.

    Another name may belong to a foreign site that has made it point to this machine, so that its
    scripts can read what is served here.

    >>> is_own_name('localhost:8001', 'localhost', '127.0.0.1')
    True
    >>> is_own_name('example.com:8001', 'localhost', '127.0.0.1')
    False
    """
    try:
        name = (urlsplit(f'//{host}').hostname or '').rstrip('.')
    except ValueError:  # such as [x]
        return False
    if is_loopback(name) or name in allowed:
        return True
    if address := numeric_address(name):
        return is_everywhere(bind) or address == numeric_address(own_address)
    return name in (own_names() if is_everywhere(bind) else {bind.lower()})


def is_everywhere(bind: str) -> bool:
    """Return whether an address, such as 0.0.0.0 or ::, stands for all of this machine's."""
    address = numeric_address(bind)
    return address is not None and address.is_unspecified


def site(bind: str, port: int) -> str:
    """Return the URL of a server, without a path, for others to type."""
    host = own_address(bind) if is_everywhere(bind) else bind
    return f'http://[{host}]:{port}' if ':' in host else f'http://{host}:{port}'


def own_address(bind: str) -> str:
    """Return the address of this machine in its network, or localhost without a network."""
    for family in [socket.AF_INET6, socket.AF_INET] if ':' in bind else [socket.AF_INET]:
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((ELSEWHERE[family], 9))  # sends nothing
            return str(sock.getsockname()[0])
    return localhost()
