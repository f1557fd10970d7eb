"""When a signer looks at what they signed: what they may see, without holding or changing anything.

1. What is in quarantine looks as it would without: it waits, or it is confirmed once the link in the mail was pressed.
2. Of one who signed more than once, the signature that counts is shown: the one that correcting changes, too. To
   another mailbox than its own, nothing of it is.
3. Whatever else the same mailbox has signed in this letter stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from widget_server.domain.letters import Letter
from widget_server.domain.listing import evidence, listing_of
from widget_server.domain.signatures import Signature
from widget_server.flows.confirm import standing_of
from widget_server.store.db import Db
from widget_server.store.letters import wording
from widget_server.store.places import find_place
from widget_server.store.signatures import find_signature, signatures_at

SeenAs = Literal["pending", "confirmed", "repeated", "withdrawn", "rejected"]
"""What its signer is told of a signature. `repeated`: they had signed already."""


@dataclass(frozen=True, slots=True)
class Seen:
    """All of it as its signer may see it. `signature`: the one that the link opens; `shown`: the one that counts, if
    they signed more than once; `mine`: it and what repeats it, from the same mailbox; `others`: what else that mailbox
    has signed, one for each signer. `had_signed`: a signature that waits, or looks confirmed, repeats another one.
    `first`: what it repeats, where the same mailbox made that; `elsewhere`: that came through another partner, or is
    gone. `uncounted`: it looks as if it counted."""

    signature: Signature
    shown: Signature
    mine: tuple[Signature, ...]
    others: tuple[Signature, ...]
    had_signed: bool
    first: Signature | None
    elsewhere: bool
    uncounted: bool

    @property
    def standing(self) -> SeenAs:
        if self.signature.status == "pending":
            return "pending"
        ended = standing_of(self.signature)
        if ended == "gone":
            raise ValueError("nobody looks at what is gone")
        return "repeated" if ended == "confirmed" and self.had_signed else ended


async def look(db: Db, letter: Letter, signature: Signature) -> Seen:
    """`signature` as it is stored."""
    opened = as_seen(letter, signature)
    everything = [opened]
    if signature.address_hash is not None:
        at_mailbox = await signatures_at(db, letter.id, signature.address_hash)
        everything += [as_seen(letter, one) for one in at_mailbox if one.id != signature.id]
        everything.sort(key=lambda one: one.seq)
    mine = [one for one in everything if _head_id(one) == _head_id(signature)]
    head = next((one for one in mine if one.id == _head_id(signature)), opened)
    counts = opened.status == head.status == "confirmed"
    before_id = await _signed_before(db, signature) if signature.status == "pending" else None
    had_signed = before_id is not None
    first = await _that_counts(db, before_id or signature.repeat_of)
    return Seen(
        signature=opened,
        shown=head if counts else opened,
        mine=tuple(mine),
        others=tuple(_one_each([one for one in everything if one not in mine])),
        had_signed=had_signed,
        first=None if first is None else next((one for one in everything if one.id == first.id), None),
        elsewhere=first is None or first.partner_id != signature.partner_id,
        uncounted=signature.status == "pending" and opened.status == "confirmed" and not had_signed,
    )


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed, in the language in which it was read."""

    locale: str
    title: str
    statement: str


async def what_was_signed(db: Db, letter: Letter, signature: Signature) -> Signed:
    """In the text version that was before the signer."""
    versions = await wording(db, letter.id, signature.text_version) or letter.wording
    locale = signature.locale if signature.locale in versions else next(iter(versions))
    return Signed(locale, versions[locale].title, versions[locale].statements.get(signature.statement, ""))


def as_seen(letter: Letter, signature: Signature) -> Signature:
    """Step 1."""
    if signature.quarantine is None:
        return signature
    at_once = signature.created_at if letter.settings.confirmation == "none" else None
    at = signature.confirmed_at or signature.address_confirmed_at or at_once
    if at is None:
        return replace(signature, quarantine=None)
    listing = listing_of(letter.settings, signature.kind, public=signature.public, match=evidence(signature))
    return replace(
        signature,
        quarantine=None,
        status="confirmed" if signature.status == "pending" else signature.status,
        confirmed_at=at,
        listing="hidden_by_staff" if signature.listing == "hidden_by_staff" else listing,
    )


def _head_id(signature: Signature) -> str:
    return signature.repeat_of or signature.id


def _one_each(signatures: list[Signature]) -> list[Signature]:
    """One of those that repeat each other: the one that counts, if it is there."""
    found: dict[str, Signature] = {}
    for one in signatures:
        head = _head_id(one)
        if head not in found or one.id == head:
            found[head] = one
    return list(found.values())


async def _signed_before(db: Db, signature: Signature) -> str | None:
    """Which other signature, in good standing, has this signer's place; it may be gone."""
    place = await find_place(db, signature.letter_id, signature.signer_hash or "")
    return None if place is None or place.rejected or place.signature_id == signature.id else place.signature_id


async def _that_counts(db: Db, id_: str | None) -> Signature | None:
    """That signature, or the one that it repeats in its turn."""
    found = None if id_ is None else await find_signature(db, id_)
    behind = None if found is None or found.repeat_of is None else await find_signature(db, found.repeat_of)
    return behind or found
