"""When a signer corrects what they signed, or shows or hides their name.

1. Read what was typed: every problem at once, as on signing.
2. Of one who signed more than once, the signature that counts is the one that the list shows: that one is changed.
3. An organization that is renamed is the same signer under one more name, and waits for review again where the letter
   reviews; nobody keeps an approval, or an initiator's place at the top, under another name.
4. Destinations are told.

Hiding one's own name is for the signer alone, and what staff have hidden stays hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from widget_server.domain import emails
from widget_server.domain.letters import Letter
from widget_server.domain.listing import evidence, listing_of
from widget_server.domain.names import fold, sort_key
from widget_server.domain.refusals import FieldError, Invalid
from widget_server.domain.sign_form import read_corrections
from widget_server.domain.signatures import Signature
from widget_server.domain.signers import signer_hash
from widget_server.flows.standing import counts_for, household
from widget_server.flows.turn import Turn, Turns
from widget_server.store.audit import record
from widget_server.store.pins import UNREVIEWED, is_vouched_for, ranks
from widget_server.store.places import set_beside, take_place
from widget_server.store.signatures import lock_signatures, update_signature


async def correct(turns: Turns, letter: Letter, signature_id: str, fields: Mapping[str, Any]) -> bool:
    """Whether anything changed. Raises `Invalid` with every problem, `Unavailable`."""

    async def work(turn: Turn) -> bool:
        signature = await the_one_shown(turn, signature_id)
        if signature is None:
            return False
        given = read_corrections(fields, letter.settings, signature.kind)
        changed = {name: value for name, value in given.items() if getattr(signature, name) != value}
        if changed:
            await change_shown(turn, signature, changed)
        return bool(changed)

    return await turns.take(letter, work)


async def the_one_shown(turn: Turn, signature_id: str) -> Signature | None:
    """The signature itself while it waits, else the one that counts of those it repeats; None once it has ended."""
    signature = (await lock_signatures(turn.writer, turn.letter.id, [signature_id])).get(signature_id)
    if signature is None or signature.status not in ("pending", "confirmed"):
        return None
    if signature.status == "pending" or signature.repeat_of is None:
        return signature
    home = await household(turn, signature)
    return home.head if home.leads and home.head.status == "confirmed" else signature


async def change_shown(turn: Turn, signature: Signature, changed: Mapping[str, Any], *, by_staff: bool = False) -> None:
    """Steps 3 and 4: `changed` by column."""
    values = dict(changed)
    shown = "organization" if signature.kind == "organization" else "name"
    if shown in values:
        values["sort_key"] = sort_key(values[shown])
        if fold(values[shown]) != fold(signature.display_name):
            values["initiator_rank"] = await _rank(turn, signature, values[shown]) if by_staff else None
            if not by_staff:
                await unreviewed(turn, signature, "signer")
        if signature.kind == "organization":
            values |= await _renamed(turn, signature, changed, by_staff=by_staff)
    elif "organization_website" in values and not by_staff:
        values |= _review_again(turn, signature, changed)
    await update_signature(turn.writer, signature.id, **values)
    if signature.quarantine is None:
        turn.tell(signature, "signature.updated", status=signature.status)


async def _rank(turn: Turn, signature: Signature, name: str) -> int | None:
    """Its place among the initiators under a name that staff give it."""
    if not await is_vouched_for(turn.writer, turn.letter.id, signature.id):
        return None
    return ranks(turn.letter.settings.initiators).get(fold(name))


async def unreviewed(turn: Turn, signature: Signature, actor: str) -> None:
    """What staff approved was something else: kept beside the approval, which it ends."""
    await record(
        turn.writer, at=turn.now, actor=actor, action=UNREVIEWED, letter_id=turn.letter.id, subject=signature.id
    )


async def _renamed(turn: Turn, signature: Signature, changed: Mapping[str, Any], *, by_staff: bool) -> dict[str, Any]:
    """The columns that follow an organization's name. Raises `Invalid` where the signer has signed for that one too."""
    values = {} if by_staff else _review_again(turn, signature, changed)
    if signature.email is None or signature.signer_hash is None:
        return values
    canonical = emails.read(signature.email).canonical
    new = signer_hash(turn.letter.signer_key, "organization", canonical, changed["organization"])
    if new == signature.signer_hash:
        return values
    if signature.status == "confirmed" and not signature.test:
        held = await take_place(turn.writer, signature.letter_id, new, signature.id)
        own = signature.repeat_of or signature.id
        if held is not None and (held.rejected or await counts_for(turn, held.signature_id) != own):
            raise Invalid([FieldError("organization", "signed_already")])
        await set_beside(turn.writer, signature)
    return {**values, "signer_hash": new}


def _review_again(turn: Turn, signature: Signature, changed: Mapping[str, Any]) -> dict[str, Any]:
    if signature.kind != "organization" or signature.listing != "listed":
        return {}
    settings = turn.letter.settings
    match = evidence(replace(signature, **changed))
    return {"listing": listing_of(settings, "organization", public=True, match=match)}


async def show_name(turns: Turns, letter: Letter, signature_id: str, *, public: bool) -> bool:
    """A person shows or hides their name; whether that changed anything. Raises `Unavailable`."""

    async def work(turn: Turn) -> bool:
        signature = await the_one_shown(turn, signature_id)
        if signature is None or signature.kind != "individual" or signature.public == public:
            return False
        values: dict[str, Any] = {"public": public}
        if signature.listing != "hidden_by_staff":
            values["listing"] = listing_of(letter.settings, "individual", public=public)
        await update_signature(turn.writer, signature.id, **values)
        if signature.quarantine is None:
            turn.tell(signature, "signature.updated", status=signature.status)
        return True

    return await turns.take(letter, work)
