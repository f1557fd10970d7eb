"""The catalogue of events, and which destination wants which.

One thing must stay true: a partner's destination never hears of another partner's signatures, and no
destination of its own trouble.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

EVENT_TYPES: Mapping[str, str] = {
    "signature.created": "somebody signed; not yet confirmed where the letter asks for that",
    "signature.confirmed": "the signature counts",
    "signature.assisted": "somebody who had already signed came through another partner",
    "signature.updated": "a signer or coordinator corrected it",
    "signature.withdrawn": "its signer took it back",
    "signature.rejected": "a coordinator refused it",
    "letter.milestone": "the count passed a round number or the goal",
    "letter.opened": "the letter can be signed",
    "letter.closed": "the letter can no longer be signed",
    "abuse.spike": "many signatures from one client, domain or partner",
    "destination.failing": "a delivery gave up",
    "destination.disabled": "a destination was switched off after lasting trouble",
}
"""Every type that can be asked for. `destination.test` goes only where it was asked for."""

TEST = "destination.test"
SIGNER_MAIL = "signer.mail"
"""A mail to a signer became due: for us alone, no destination hears of it."""
_PUBLIC = frozenset({"letter.milestone", "letter.opened", "letter.closed"})


@dataclass(frozen=True, slots=True)
class Happening:
    """What fan-out knows of an event. `about` is the destination that a `destination.…` event is about."""

    type: str
    letter_id: int
    partner_id: int | None
    occurred_at: datetime
    test: bool
    about: str | None

    @classmethod
    def of(
        cls,
        type_: str,
        letter_id: int,
        partner_id: int | None,
        occurred_at: datetime,
        data: Mapping[str, Any],
    ) -> Happening:
        return cls(type_, letter_id, partner_id, occurred_at, bool(data.get("test")), data.get("destination"))


@dataclass(frozen=True, slots=True)
class Listener:
    """What fan-out knows of a destination. `types` None takes every type; `chat` is a room, not a
    register."""

    id: str
    letter_id: int
    partner_id: int | None
    types: Collection[str] | None
    chat: bool
    created_at: datetime


def wants(listener: Listener, event: Happening) -> bool:
    """Whether an event is for a destination, whenever it happened."""
    if event.letter_id != listener.letter_id or event.type in (TEST, SIGNER_MAIL) or event.about == listener.id:
        return False
    if listener.partner_id is not None and not _is_for_partner(listener.partner_id, event):
        return False
    if event.test and listener.chat:
        # A room hears once of somebody trying the embed, confirmed or not.
        return event.type == "signature.created" and _takes_signatures(listener)
    return listener.types is None or event.type in listener.types


def _is_for_partner(partner_id: int, event: Happening) -> bool:
    if event.type.startswith("abuse."):
        return False
    return event.partner_id == partner_id or event.type in _PUBLIC


def _takes_signatures(listener: Listener) -> bool:
    return listener.types is None or any(type_.startswith("signature.") for type_ in listener.types)
