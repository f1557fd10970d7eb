"""Web addresses that a letter or a partner names: shown as links, never fetched."""

from __future__ import annotations

from urllib.parse import urlsplit

MAX_LENGTH = 2000


def read_url(text: str) -> str | None:
    """A web address, trimmed, or None: http or https, with a host, printable, without a user name in it."""
    address = text.strip()
    if not address or len(address) > MAX_LENGTH or not address.isprintable() or any(c in address for c in ' "<>\\'):
        return None
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018  reading it raises ValueError where it is no number
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        return None
    return address
