"""Where a request of ours may go: the rules for a destination's URL, and which network addresses are public.

One thing must stay true: what is refused here is refused when a destination is added, at every attempt, and
again for the very address that is about to be dialled. `ipaddress.is_global` is no guard (it calls 6to4 and
NAT64 wrappings of 127.0.0.1 global, and changes between patch releases of Python), hence lists of our own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_LENGTH = 2048

# IANA's special-purpose registries, multicast and reserved space, the AS112 and AMT anycast blocks, and the
# platform address of Azure, which is in a public range. For IPv6: global unicast, and from that what is
# special.
_DENIED_4 = [
    ip_network(n)
    for n in [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "168.63.129.16/32",
    ]
]
_ALLOWED_6 = ip_network("2000::/3")
_DENIED_6 = [ip_network(n) for n in ["2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"]]


def read_address(text: str) -> Address | None:
    """An address as a resolver gives it, an IPv4 one in IPv6 clothes as the IPv4 one; None for anything
    else."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id:
            return None
        return address.ipv4_mapped or address
    return address


def is_public(address: Address) -> bool:
    """Whether an address is one that anybody on the internet could reach: nothing local, special or
    internal."""
    if isinstance(address, IPv6Address):
        return address in _ALLOWED_6 and not any(address in network for network in _DENIED_6)
    return not any(address in network for network in _DENIED_4)


def is_inside(address: Address, allowed: Sequence[Network]) -> bool:
    """Whether the operator's list of networks names it."""
    return any(address.version == network.version and address in network for network in allowed)


def may_dial(text: str, allowed: Sequence[Network], *, only_inside: bool = False) -> bool:
    """Whether an address may be dialled: public or named by the operator, or (`only_inside`) only the
    latter."""
    address = read_address(text)
    if address is None:
        return False
    return is_inside(address, allowed) or (not only_inside and is_public(address))


class BadTarget(ValueError):
    """A URL that no destination can have. Each problem is a sentence."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that was read: `url` in the one spelling that is sent, `host` as A-label or literal without
    brackets.

    `objections` are sentences about what is accepted only in a network that the operator allows.
    """

    url: str
    scheme: str
    host: str
    port: int
    literal: Address | None
    objections: tuple[str, ...]


_URL = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[^/?#@:\[\]%\\]+)(?::([0-9]{1,5}))?(/[^?#]*)?(\?[^#]*)?", re.IGNORECASE)
_QUAD = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_LAST_LABEL = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LOCAL_NAMES = ("localhost", "local", "internal", "home.arpa", "onion")
_PORTS = {"http": 80, "https": 443}


@lru_cache(maxsize=1024)
def read_target(url: str, *, own_origin: str = "", hosts: frozenset[str] | None = None) -> Target:
    """Reads a destination's URL without any lookup. Raises `BadTarget` with every problem.

    `own_origin` is our public URL: sending to ourselves would go round in circles. `hosts` are the only ones
    that the destination's kind knows.
    """
    if len(url) > MAX_LENGTH:
        raise BadTarget(f"the URL is longer than {MAX_LENGTH} characters")
    if any(c <= " " or c == "\x7f" or c == "\\" for c in url):
        raise BadTarget("the URL has a blank, a control character or a backslash in it")
    if "#" in url:
        raise BadTarget("the URL has a fragment (#…), which is never sent")
    if "@" in re.split(r"[/?]", url.partition("://")[2], maxsplit=1)[0]:
        raise BadTarget("the URL has a user name or password in it")
    found = _URL.fullmatch(url)
    if found is None:
        raise BadTarget("the URL must be https://HOST/PATH")
    scheme, host_text, port_text, path, query = found.groups()
    scheme = scheme.lower()
    if not ((path or "") + (query or "")).isascii():
        raise BadTarget("write the path of the URL in percent-encoded ASCII")
    host, literal = _read_host(host_text)
    port = int(port_text) if port_text else _PORTS[scheme]
    if not 1 <= port <= 65535:
        raise BadTarget(f"{port} is no port")
    shown = f"[{host}]" if isinstance(literal, IPv6Address) else host
    spelled = f"{scheme}://{shown}{'' if port == _PORTS[scheme] else f':{port}'}"
    objections = tuple(_objections(scheme, host, port, literal, hosts))
    own = re.sub(r"^https?://", "", own_origin.lower())
    if own and (spelled == own_origin.lower() or (not objections and host == own.partition(":")[0])):
        raise BadTarget("the URL is one of this server's own: events would go round in circles")
    return Target(f"{spelled}{path or '/'}{query or ''}", scheme, host, port, literal, objections)


def _read_host(text: str) -> tuple[str, Address | None]:
    if text.startswith("["):
        address = read_address(text[1:-1])
        if address is None:
            raise BadTarget("the URL's host is no address")
        return str(address), address
    try:
        host = (text if text.isascii() else text.encode("idna").decode("ascii")).lower().removesuffix(".")
    except UnicodeError:
        raise BadTarget("the URL's host is no domain name") from None
    if _QUAD.fullmatch(host) and text.isascii():
        return host, IPv4Address(host)
    *labels, last = host.split(".")
    # Resolvers read 127.1, 2130706433, 0x7f000001 and 0177.0.0.1 as addresses: a name ends in a word.
    if not _LAST_LABEL.fullmatch(last) or not all(_LABEL.fullmatch(label) for label in labels) or len(host) > 253:
        raise BadTarget("the URL's host is neither a domain name nor a plain address")
    return host, None


def is_among(host: str, hosts: Collection[str]) -> bool:
    """Whether a host is one of a kind's own; one that begins with a dot stands for whatever is below it."""
    return host in hosts or any(known.startswith(".") and host.endswith(known) for known in hosts)


def _objections(scheme: str, host: str, port: int, literal: Address | None, hosts: frozenset[str] | None) -> list[str]:
    found = []
    if scheme != "https":
        found.append("the URL must start with https://")
    elif port != 443:
        found.append(f"port {port} is not 443")
    if literal is not None and not is_public(literal):
        found.append(f"{host} is not a public address")
    if literal is None and ("." not in host or any(host == n or host.endswith(f".{n}") for n in _LOCAL_NAMES)):
        found.append(f"{host} is a name of a local network")
    if hosts is not None and not is_among(host, hosts):
        shown = sorted(f"*{known}" if known.startswith(".") else known for known in hosts)
        found.append(f"the host must be {' or '.join(shown)}")
    return found
