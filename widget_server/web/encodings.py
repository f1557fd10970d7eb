"""What a client takes and already has: `Accept-Encoding` and `If-None-Match` (RFC 9110)."""

from __future__ import annotations

from widget_server.web.open_ended import Encoding


def accepted(header: str) -> Encoding:
    """The best encoding that a client takes: Brotli, else gzip, else none."""
    weights: dict[str, float] = {}
    for part in header.lower().split(","):
        name, _, weight = part.partition(";")
        try:
            weights[name.strip()] = float(weight.partition("=")[2] or 1)
        except ValueError:
            continue
    for encoding in ("br", "gzip"):
        if weights.get(encoding, weights.get("*", 0)) > 0:
            return encoding
    return "identity"


def matches(header: str | None, etag: str) -> bool:
    """`If-None-Match` (RFC 9110, 13.1.2): a list, `*`, and weak tags, which proxies make of ours."""
    tags = [tag.strip().removeprefix("W/") for tag in (header or "").split(",")]
    return etag in tags or "*" in tags
