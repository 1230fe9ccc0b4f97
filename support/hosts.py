"""Which machine a host name or an address leads to."""

import socket
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address


def localhost() -> str:
    """Return localhost, or its address on a machine that does not know the name."""
    try:
        socket.getaddrinfo('localhost', None)
    except OSError:
        return '127.0.0.1'
    return 'localhost'


def is_this_machine(host: str) -> bool:
    """Tell whether a name or address means this machine, as seen from here or from others."""
    address = numeric_address(host)
    return is_loopback(host) or (is_own(address) if address else host.lower() in own_names())


def is_loopback(host: str) -> bool:
    """Tell whether a name or address, such as 127.1, 0:0::1 or 0.0.0.0, is only used here."""
    if address := numeric_address(host):
        return address.is_loopback or address.is_unspecified
    return f'.{host}'.lower().rstrip('.').endswith('.localhost')


def is_own(address: Address) -> bool:
    """Tell whether an address is one of this machine: no others can be bound."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with suppress(OSError), socket.socket(family) as sock:
        sock.bind((str(address), 0))
        return True
    return False


def own_names() -> set[str]:
    """Return the names by which others know this machine."""
    name = socket.gethostname().lower()
    return {name, f'{name}.local'}


def numeric_address(host: str) -> Address | None:
    """Return the address that is written as 127.0.0.1, 127.1 or ::1; None for a name."""
    try:
        found = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    address = ip_address(found[0][4][0])
    return getattr(address, 'ipv4_mapped', None) or address


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
