"""When staff hide a name: it still counts, and the list shows it no longer.

1. Read the ids; say of every wrong one why it cannot be. What its signer hid is the signer's own.
2. All or nothing: hide them, keep who did it, tell the destinations.

Repeating it changes nothing; `flows/restore.py` undoes it.
"""

from __future__ import annotations

from collections.abc import Sequence

from widget_server.domain.letters import Letter
from widget_server.domain.signatures import Signature
from widget_server.flows.by_staff import Done, Staff, not_in_the_list, signatures_named
from widget_server.flows.turn import Turn, Turns
from widget_server.store.signatures import update_signature

HIDE = "signatures.hide"


async def hide(turns: Turns, letter: Letter, given: Sequence[str], staff: Staff) -> Done:
    """Raises `Problems`: every wrong id with what is wrong; nothing is hidden then. Raises `Unavailable`."""

    async def work(turn: Turn) -> Done:
        found = await signatures_named(turn, given, _fault)
        shown = [one for one in found if one.listing != "hidden_by_staff"]
        for one in shown:
            await update_signature(turn.writer, one.id, listing="hidden_by_staff")
            await staff.note(turn, HIDE, one.id)
            turn.tell(one, "signature.updated", status=one.status)
        return Done(tuple(one.id for one in shown), tuple(one.id for one in found if one not in shown))

    return await turns.take(letter, work)


def _fault(signature: Signature) -> str | None:
    """Why a name cannot be hidden, or None."""
    if fault := not_in_the_list(signature):
        return fault
    if signature.listing == "hidden_by_signer":
        return "its signer hid it; staff change nothing about that"
    return None
