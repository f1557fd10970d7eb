"""The capabilities an integration is handed for one send.

One thing must stay true: they are all that it has. No database, no client of its own, no clock of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from widget_server.contract.trouble import Response

Kept = Mapping[str, str]
"""What a destination keeps between sends, sealed in the database: tokens that are renewed, and the like."""


class Client(Protocol):
    """The guarded HTTP client: no redirects, no cookies, no private addresses, one deadline for it all.

    Raises `Temporary` when the target could not be reached, `Unknown` when the request was sent and no answer came,
    `Permanent` when none may be had."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
        read_bytes: int = 16 * 1024,
        once: bool = False,
    ) -> Response:
        """Send `content` as it is. `method` is GET, POST, PUT, PATCH or DELETE. Of the answer, at most `read_bytes` are
        read, and never more than 1 MiB. `once`: what may not be done twice; where a kept connection breaks, it is not
        sent again on another but `Unknown`."""
        ...

    async def post(self, url: str, *, content: bytes, headers: Mapping[str, str]) -> Response: ...


class Renderer(Protocol):
    """Text in a reader's language, for what an integration writes to people."""

    def __call__(self, key: str, locale: str, **values: Any) -> str: ...


class Clock(Protocol):
    """Now, aware and in UTC."""

    def __call__(self) -> datetime: ...


class Mailer(Protocol):
    """Mail to coordinators, over the server's own mail transport."""

    async def __call__(
        self, *, to: Sequence[str], subject: str, text: str, html: str, locale: str, reference: str
    ) -> Response:
        """Sends one mail. `reference` makes its Message-ID, so that a repeat is recognised as one. Gives the mail
        server's reply (its code and text); raises `Temporary`, `Unknown` or `Permanent`."""
        ...


class Remember(Protocol):
    """Keeps a note with a delivery, sealed, whatever becomes of this attempt: `Event.note` of the next one."""

    def __call__(self, event_id: str, note: str) -> None: ...


class Renew(Protocol):
    """Renews what a destination keeps, one renewal at a time whichever process asks.

    Where somebody has renewed it since `stale` was read, that is returned and `make` is not called. Else `make` is
    handed what is kept; what it gives is stored before it is returned.
    """

    async def __call__(self, stale: Kept, make: Callable[[Kept], Awaitable[Kept]]) -> Kept: ...


@dataclass(frozen=True, slots=True)
class Tools:
    """The capabilities an integration is handed for one send."""

    client: Client
    text: Renderer
    now: Clock
    mail: Mailer
    remember: Remember
    renew: Renew
