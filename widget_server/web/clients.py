"""Who is asking: the client's address, told by a proxy only where the operator trusts that proxy.

One thing must stay true: an untrusted peer, loopback included, cannot choose the address it is known by.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network

import structlog

from widget_server.domain.clients import Number, household, read_number

log = structlog.get_logger(__name__)

Network = IPv4Network | IPv6Network


def _bare(part: str) -> str:
    """An address without brackets, quotes and port: `"[2001:db8::1]:80"` → `2001:db8::1`."""
    text = part.strip().strip('"')
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _forwarded_for(value: str) -> list[str]:
    """The `for=` addresses of a `Forwarded` header (RFC 7239), in order."""
    found = []
    for element in value.split(","):
        for pair in element.split(";"):
            name, _, given = pair.strip().partition("=")
            if name.lower() == "for":
                found.append(_bare(given))
    return found


class Clients:
    """Reads a client's address: the peer's, or what trusted proxies say it is."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = tuple(
            (network.version, int(network.network_address), int(network.netmask)) for network in trusted
        )
        self._warned = False

    def address(self, peer: str, headers: Mapping[str, str]) -> str:
        """`headers` by lower-case name. An IPv6 client counts by its /64, which is one household."""
        told = headers.get("forwarded") or headers.get("x-forwarded-for")
        if told is None:
            return household(peer)
        if not self._trusts(peer):
            self._warn()
            return household(peer)
        named = headers.get("x-forwarded-for")
        chain = [_bare(part) for part in named.split(",")] if named else _forwarded_for(told)
        for hop in reversed(chain):  # nearest first: the first that is no trusted proxy is the client
            number = read_number(hop)
            if number is None:
                break
            if not self._has(number):
                return household(hop)
            peer = hop
        return household(peer)

    def _trusts(self, text: str) -> bool:
        number = read_number(text)
        return number is not None and self._has(number)

    def _has(self, number: Number) -> bool:
        version, value = number
        return any(version == kind and value & mask == network for kind, network, mask in self._trusted)

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            log.warning(
                "proxy.untrusted",
                hint="a peer sends X-Forwarded-For or Forwarded; if it is your proxy, name its network in"
                " UNDERSIGNED_TRUSTED_PROXIES, else every visitor counts as one",
            )


_READ = {
    name.encode(): name
    for name in (
        "accept", "accept-language", "content-length", "content-type", "forwarded", "origin", "x-forwarded-for",
    )
}  # fmt: skip


def headers_by_name(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers that signing reads, by lower-case name; repeated ones joined with a comma (RFC 9110, 5.3)."""
    found: dict[str, str] = {}
    for name, value in raw:
        key = _READ.get(name)
        if key is not None:
            text = value.decode("latin-1")
            found[key] = f"{found[key]}, {text}" if key in found else text
    return found
