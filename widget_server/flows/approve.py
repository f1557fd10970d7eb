"""When staff approve organizations: they are listed from then on.

1. Read the ids; find each; say of every wrong one why it cannot be.
2. All or nothing: list them, pin those that are initiators, keep who approved them, tell the destinations.

Repeating it changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from widget_server.domain.letters import Letter
from widget_server.domain.names import fold
from widget_server.domain.signatures import Signature
from widget_server.flows.by_staff import Done, Staff, not_in_the_list, signatures_named
from widget_server.flows.turn import Turn, Turns
from widget_server.store.letters import lock_letter
from widget_server.store.pins import APPROVED, approved_before, ranks
from widget_server.store.revisions import bump_letter
from widget_server.store.signatures import update_signature


async def approve(turns: Turns, letter: Letter, given: Sequence[str], staff: Staff) -> Done:
    """Raises `Problems`: every wrong id with what is wrong; nothing is approved then. Raises `Unavailable`."""

    async def work(turn: Turn) -> Done:
        found = await signatures_named(turn, given, _fault)
        ids = [one.id for one in found]
        before = await approved_before(turn.writer, letter.id, ids)
        # The initiators as they are now, held: whoever loads the letter meanwhile comes before or after.
        now = await lock_letter(turn.writer, letter.slug) or letter
        pins = ranks(now.settings.initiators)
        approved = [one for one in found if one.id not in before or one.listing != "listed"]
        for one in approved:
            rank = pins.get(fold(one.display_name))
            await update_signature(turn.writer, one.id, listing="listed", initiator_rank=rank)
            await staff.note(turn, APPROVED, one.id)
            if one.listing != "listed":
                turn.tell(one, "signature.updated", status=one.status)
        if approved:
            await bump_letter(turn.writer, letter.id)
        done = tuple(one.id for one in approved)
        return Done(done, tuple(id_ for id_ in ids if id_ not in done))

    return await turns.take(letter, work)


def _fault(signature: Signature) -> str | None:
    """Why a signature cannot be approved, or None."""
    if signature.kind != "organization":
        return "this is a person's; only organizations are reviewed"
    if fault := not_in_the_list(signature):
        return fault
    if signature.listing == "hidden_by_signer":
        return "its signer chose not to be listed, which staff cannot undo"
    if signature.listing == "hidden_by_staff":
        return "this is hidden by staff; restore it first"
    return None
