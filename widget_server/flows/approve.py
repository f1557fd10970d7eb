"""When staff approve organizations: they are listed from then on.

1. Read the ids; find each; say of every wrong one why it cannot be.
2. All or nothing: list them, pin those that are initiators, keep who approved them, tell the destinations.

Repeating it changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from widget_server.domain.ids import new_id, read_id
from widget_server.domain.names import fold
from widget_server.domain.refusals import Problems
from widget_server.domain.signatures import Signature
from widget_server.store.audit import record
from widget_server.store.db import Db
from widget_server.store.events import EventRow, insert_events
from widget_server.store.letters import lock_letter
from widget_server.store.pins import APPROVED, ranks
from widget_server.store.revisions import bump_letter
from widget_server.store.signatures import approved_before, lock_signatures, update_signature


@dataclass(frozen=True, slots=True)
class Approval:
    """`approved` are newly so; `repeated` were before. Ids, in the order given."""

    approved: tuple[str, ...]
    repeated: tuple[str, ...]


async def approve(
    db: Db, slug: str, given: Sequence[str], *, now: datetime, actor: str, reason: str | None = None
) -> Approval:
    """Raises `Problems`: every wrong id with what is wrong; nothing is approved then."""
    read = {text: read_id(text) for text in dict.fromkeys(given)}
    problems = [f'"{text}" is no id; "signatures list" shows them' for text, id_ in read.items() if id_ is None]
    ids = list(dict.fromkeys(id_ for id_ in read.values() if id_ is not None))
    async with db.write() as writer:
        letter = await lock_letter(writer, slug)
        if letter is None:
            raise Problems([f'there is no letter "{slug}"'])
        found = await lock_signatures(writer, letter.id, ids)
        for id_ in ids:
            if id_ not in found:
                problems.append(f"{id_}: letter {slug} has no such signature")
            elif fault := _fault(found[id_]):
                problems.append(f"{id_}: {fault}")
        if problems:
            raise Problems(problems)
        before = await approved_before(writer, letter.id, APPROVED, ids)
        approved = [id_ for id_ in ids if id_ not in before or found[id_].listing != "listed"]
        pins = ranks(letter.settings.initiators)
        for id_ in approved:
            rank = pins.get(fold(found[id_].display_name))
            await update_signature(writer, id_, listing="listed", initiator_rank=rank)
            await record(writer, at=now, actor=actor, action=APPROVED, letter_id=letter.id, subject=id_, reason=reason)
        await insert_events(
            writer,
            [
                EventRow(
                    id=new_id(),
                    type="signature.updated",
                    letter_id=letter.id,
                    partner_id=found[id_].partner_id,
                    signature_id=id_,
                    data={"status": found[id_].status},
                    occurred_at=now,
                )
                for id_ in approved
                if found[id_].listing != "listed"
            ],
        )
        if approved:
            await bump_letter(writer, letter.id)
    return Approval(tuple(approved), tuple(id_ for id_ in ids if id_ not in approved))


def _fault(signature: Signature) -> str | None:
    """Why a signature cannot be approved, or None."""
    if signature.kind != "organization":
        return "this is a person's; only organizations are reviewed"
    if signature.test:
        return "this is a test signature, which is in no list"
    if signature.repeat_of is not None:
        return f"this repeats {signature.repeat_of}, which is the one that is listed"
    if signature.quarantine is not None:
        return "this is in quarantine; release it first"
    if signature.status == "pending":
        return "this is not confirmed yet"
    if signature.status != "confirmed":
        return f"this is {signature.status}"
    if signature.listing == "hidden_by_signer":
        return "its signer chose not to be listed, which staff cannot undo"
    if signature.listing == "hidden_by_staff":
        return "this is hidden by staff; restore it first"
    return None
