"""When somebody presses the link in our mail: their address is theirs, and their signature counts.

1. The signature as it is now: one that waits no longer is answered as it stands; pressing twice does no harm.
2. In quarantine, or from a signer who was refused before: keep that the address was confirmed, and show nothing of it.
3. Take the signer's place. Who finds it taken had signed already: the first keeps the credit, this one is an assist
   where another partner brought it, with that partner's own consent, and is not counted.
4. Whoever agreed again to the initiators' mail has agreed for the signature that counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from widget_server.domain.consents import FIELDS
from widget_server.domain.letters import Letter
from widget_server.domain.links import takes_confirmations
from widget_server.domain.listing import evidence, listing_of
from widget_server.domain.refusals import NotOpen
from widget_server.domain.signatures import REJECTED_BEFORE, Signature
from widget_server.flows.standing import count_in
from widget_server.flows.turn import Turn, Turns
from widget_server.store.signatures import find_signature, lock_signatures, update_signature

Ended = Literal["confirmed", "repeated", "withdrawn", "rejected", "gone"]


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What became of it: `confirmed` (counted, or looks so), `repeated` (had signed already), or why it cannot be.
    `signature` is None once it is gone."""

    ended: Ended
    signature: Signature | None


async def confirm(turns: Turns, letter: Letter, signature_id: str) -> Confirmation:
    """Raises `NotOpen` once the letter has been closed for too long, `Unavailable`."""
    if not takes_confirmations(letter, turns.now()):
        raise NotOpen("confirm_too_late", letter_status="closed")
    return await turns.take(letter, lambda turn: _confirm(turn, signature_id))


async def _confirm(turn: Turn, signature_id: str) -> Confirmation:
    signature = (await lock_signatures(turn.writer, turn.letter.id, [signature_id])).get(signature_id)
    if signature is None:
        return Confirmation("gone", None)
    if signature.status == "pending" and signature.address_confirmed_at is None:
        signature = replace(signature, address_confirmed_at=turn.now)
        await update_signature(turn.writer, signature.id, address_confirmed_at=turn.now)
        if signature.quarantine is None:
            signature = await make_confirmed(turn, signature)
    return Confirmation(standing_of(signature), signature)


def standing_of(signature: Signature) -> Ended:
    """What its signer is told. Quarantine is told to nobody."""
    if signature.status == "pending":
        return "confirmed"
    if signature.status == "confirmed":
        return "confirmed" if signature.repeat_of is None else "repeated"
    return signature.status


async def make_confirmed(turn: Turn, signature: Signature, *, vouched: bool = False) -> Signature:
    """Steps 2 to 4, for a pending signature that is not in quarantine; as it is then. `vouched`: a coordinator has
    released it."""
    if signature.test:
        return await _counts(turn, signature, None)
    standing = await count_in(turn, signature, vouched=vouched)
    if standing.barred:
        await update_signature(turn.writer, signature.id, quarantine=REJECTED_BEFORE)
        return replace(signature, quarantine=REJECTED_BEFORE)
    return await _counts(turn, signature, standing.first_id)


async def _counts(turn: Turn, signature: Signature, first_id: str | None) -> Signature:
    values: dict[str, Any] = {
        "status": "confirmed",
        "confirmed_at": turn.now,
        "listing": listing_of(turn.letter.settings, signature.kind, public=signature.public, match=evidence(signature)),
        "repeat_of": first_id,
    }
    first = None if first_id is None else await find_signature(turn.writer, first_id)
    if first_id is not None:
        values |= what_a_repeat_keeps(turn.letter, signature)
    await update_signature(turn.writer, signature.id, **values)
    confirmed = replace(signature, **values)
    if first_id is None:
        turn.tell(confirmed, "signature.confirmed", status="confirmed")
        return confirmed
    if first is None or first.partner_id != signature.partner_id:
        turn.tell(confirmed, "signature.assisted", status="confirmed")
    if first is not None and turn.letter.settings.confirmation == "email":
        await _agree_again(turn, first, signature)
    return confirmed


def what_a_repeat_keeps(letter: Letter, signature: Signature) -> dict[str, Any]:
    """Columns to clear of one that is not counted: contact details are kept for a consent only, and where no mail has
    shown whose the address is, neither details nor consent."""
    cleared: dict[str, Any] = {}
    if letter.settings.confirmation == "none":
        cleared |= dict.fromkeys(FIELDS.values(), False)
    elif signature.partner_opt_in or signature.contact_opt_in:
        return {}
    if signature.kind == "organization":
        cleared["name"] = None
    return cleared | {"email": None, "postal_code": None, "comment": None}


async def _agree_again(turn: Turn, first: Signature, signature: Signature) -> None:
    """A box was ticked in a later form: that is a consent for the signature that counts, too."""
    if first.address_hash is None or first.address_hash != signature.address_hash or first.status != "confirmed":
        return
    given = {FIELDS["initiators"]: signature.contact_opt_in}
    if first.partner_id == signature.partner_id:
        given[FIELDS["partner"]] = signature.partner_opt_in
    values: dict[str, Any] = {column: True for column, now in given.items() if now and not getattr(first, column)}
    if values:
        if first.email is None:
            values["email"] = signature.email
        await update_signature(turn.writer, first.id, **values)
        turn.tell(first, "signature.updated", status=first.status)
