"""The links in our mails: what they open, and for how long.

One thing must stay true: a link opens one signature for one purpose, and says nothing to anybody who cannot open it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from widget_server.domain.letters import Letter
from widget_server.domain.tokens import BadToken, Seals

LinkPurpose = Literal["confirm", "signer", "unsubscribe"]

HOLDS = timedelta(days=14)
AFTER_CLOSING = timedelta(hours=72)


@dataclass(frozen=True, slots=True)
class Link:
    """`letter_id`: of which letter, so that a page can still say so when the signature is gone."""

    signature_id: str
    issued_at: datetime
    letter_id: int | None = None

    def is_over(self, now: datetime) -> bool:
        return now >= self.issued_at + HOLDS


PATHS: Mapping[LinkPurpose, str] = {
    "confirm": "/confirm/{token}",
    "signer": "/signatures/{token}",
    "unsubscribe": "/unsubscribe/{token}",
}
"""Where each kind of link leads: to confirming, to the signer's own page, to no more mail."""


def seal_link(seals: Seals, purpose: LinkPurpose, signature_id: str, at: datetime, letter_id: int | None = None) -> str:
    return seals.seal(purpose, [signature_id, int(at.timestamp()), *([] if letter_id is None else [letter_id])])


def link_url(
    public_url: str, seals: Seals, purpose: LinkPurpose, signature_id: str, at: datetime, letter_id: int | None = None
) -> str:
    """The whole address, for a mail."""
    return public_url + PATHS[purpose].format(token=seal_link(seals, purpose, signature_id, at, letter_id))


def open_link(seals: Seals, purpose: LinkPurpose, token: str) -> Link:
    """Raises `BadToken`. Whether it still holds is the caller's to ask."""
    match seals.open(purpose, token):
        case [str(signature_id), int(issued)]:
            return Link(signature_id, datetime.fromtimestamp(issued, UTC))
        case [str(signature_id), int(issued), int(letter_id)]:
            return Link(signature_id, datetime.fromtimestamp(issued, UTC), letter_id)
        case _:
            raise BadToken("forged")


def takes_confirmations(letter: Letter, now: datetime) -> bool:
    """Whether what was signed while the letter was open may still be confirmed."""
    closed_at = letter.closed_since(now)
    return closed_at is None or now < closed_at + AFTER_CLOSING
