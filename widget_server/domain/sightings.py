"""Where a partner's widget was seen, by what browsers say of the page that asks for it.

One thing must stay true: of a page only its origin is kept, and of whoever looked at it nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from widget_server.domain.partners import Partner, read_origin

KEPT = 50
"""So many origins that the partner has not named: anybody can make up more."""


@dataclass(frozen=True, slots=True)
class Sighting:
    origin: str
    first_seen_at: datetime
    last_seen_at: datetime


def seen_on(origin: str | None, referer: str | None) -> str | None:
    """The origin of the page that a request came from, by its `Origin`, else its `Referer`; None where neither says.

    A sandboxed page says `null`, which is nobody's.
    """
    if origin:
        return read_origin(origin)
    try:
        parts = urlsplit(referer or "")
    except ValueError:
        return None
    return read_origin(f"{parts.scheme}://{parts.netloc}")


def is_named(partner: Partner, origin: str) -> bool:
    """Whether the partner has named this origin as one of its own."""
    return origin in partner.origins
