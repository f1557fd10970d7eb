"""A client's address in the one spelling by which it is counted.

One thing must stay true: an IPv6 client counts by its /64, which is one household, and IPv4 inside IPv6 is IPv4.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Network
from socket import AF_INET, AF_INET6, inet_pton

Number = tuple[int, int]
"""An address as its version and its value: made by the C library, compared without objects."""


def read_number(text: str) -> Number | None:
    """An address, or None. IPv4 inside IPv6 (`::ffff:192.0.2.1`) is IPv4."""
    try:
        return 4, int.from_bytes(inet_pton(AF_INET, text))
    except OSError:
        pass
    except UnicodeError:
        return None
    try:
        value = int.from_bytes(inet_pton(AF_INET6, text))
    except (OSError, ValueError):
        return None
    return (4, value & 0xFFFFFFFF) if value >> 32 == 0xFFFF else (6, value)


def household(text: str) -> str:
    """An address as it is counted; what is none comes back as it is."""
    if ":" not in text:
        return text
    number = read_number(text)
    if number is None:
        return text
    version, value = number
    return str(IPv4Address(value)) if version == 4 else str(IPv6Network((value >> 64 << 64, 64)))
