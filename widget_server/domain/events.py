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
    "signature.updated": "a signer or coordinator corrected it, showed or hid it, gave a consent or took one back",
    "signature.withdrawn": "its signer took it back, mended a mistyped address before confirming, or erased it",
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
TEST_MEANS = "you asked for it"
SIGNER_MAIL = "signer.mail"
"""A mail to a signer became due: for us alone, no destination hears of it."""
_ENDS = frozenset({"signature.withdrawn", "signature.rejected"})
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
    signature_id: str | None = None

    @classmethod
    def of(
        cls,
        type_: str,
        letter_id: int,
        partner_id: int | None,
        occurred_at: datetime,
        data: Mapping[str, Any],
        signature_id: str | None = None,
    ) -> Happening:
        test, about = bool(data.get("test")), data.get("destination")
        return cls(type_, letter_id, partner_id, occurred_at, test, about, signature_id)


@dataclass(frozen=True, slots=True)
class Listener:
    """What fan-out knows of a destination. `types` None takes every type; `chat` is a room, not a register; `lists`
    builds a mailing list; `tests`: it knows what to do with test signatures."""

    id: str
    letter_id: int
    partner_id: int | None
    types: Collection[str] | None
    chat: bool
    created_at: datetime
    lists: bool = False
    tests: bool = True
    after_seq: int | None = None

    def is_newer(self, seq: int, occurred_at: datetime) -> bool:
        """Whether an event happened after this destination was added: by its time, or, where a clock was set back
        since, by its place in the order of all events."""
        return occurred_at >= self.created_at or (self.after_seq is not None and seq > self.after_seq)


@dataclass(frozen=True, slots=True)
class Consented:
    """Whom a confirmed signature lets write to its signer: the letter's initiators, and the partner named."""

    letter: bool
    partner_id: int | None


def may_list(listener: Listener, consented: Consented | None) -> bool:
    """Whether a mailing list of this owner's may have a signature that stands like this."""
    if consented is None:
        return False
    if listener.partner_id is None:
        return consented.letter
    return consented.partner_id == listener.partner_id


def wants(listener: Listener, event: Happening) -> bool:
    """Whether an event is for a destination, whenever it happened."""
    if event.letter_id != listener.letter_id or event.type in (TEST, SIGNER_MAIL) or event.about == listener.id:
        return False
    if listener.partner_id is not None and not _is_for_partner(listener.partner_id, event):
        return False
    if event.test and listener.chat:
        # A room hears once of somebody trying the embed, confirmed or not.
        return event.type == "signature.created" and _takes_signatures(listener)
    if event.test and not listener.tests:
        return False
    if listener.lists and (event.signature_id is None or event.type in _ENDS):
        return False  # who has the address hears of its end in any case
    return listener.types is None or event.type in listener.types


def _is_for_partner(partner_id: int, event: Happening) -> bool:
    if event.type.startswith("abuse."):
        return False
    return event.partner_id == partner_id or event.type in _PUBLIC


def _takes_signatures(listener: Listener) -> bool:
    return listener.types is None or any(type_.startswith("signature.") for type_ in listener.types)
