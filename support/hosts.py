"""Which machine a host name or an address leads to."""

import socket
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

Address = IPv4Address | IPv6Address


def localhost() -> str:
    """Return localhost, or its address where the name is unknown or means another machine."""
    with suppress(OSError):
        if all(is_loopback(str(each[4][0])) for each in socket.getaddrinfo('localhost', None)):
            return 'localhost'
    return '127.0.0.1'


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
    with suppress(OSError, UnicodeError):
        found = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
        address = ip_address(found[0][4][0])
        return getattr(address, 'ipv4_mapped', None) or address
    return None
