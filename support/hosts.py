"""Which machine a host name or an address leads to."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address


def is_this_machine(host: str) -> bool:
    """Tell whether a name or address, such as 127.1, 0:0::1 or 0.0.0.0, means this machine."""
    if address := numeric_address(host):
        return address.is_loopback or address.is_unspecified
    return f'.{host}'.lower().rstrip('.').endswith('.localhost')


def numeric_address(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address that is written as 127.0.0.1, 127.1 or ::1; None for a name."""
    try:
        found = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    address = ip_address(found[0][4][0])
    return getattr(address, 'ipv4_mapped', None) or address
