"""When staff merge signatures that are one organization's: the first one named counts, the others stand behind it.

1. Read the ids; say of every wrong one why it cannot be: organizations, confirmed, under the same statement.
2. All or nothing. Each of the others counts no longer, and neither do those that stood behind it; they keep their
   places, so that whoever signs for one of them again is a repeat of the first one.
3. Keep who did it, on both sides; destinations are told.

Repeating it changes nothing; `flows/restore.py` undoes it.
"""

from __future__ import annotations

from collections.abc import Sequence

from widget_server.domain.letters import Letter
from widget_server.domain.refusals import Problems
from widget_server.domain.signatures import Signature
from widget_server.flows.by_staff import Done, Staff, signatures_named
from widget_server.flows.standing import counts_for, household, stand_behind
from widget_server.flows.turn import Turn, Turns
from widget_server.store.audit import subjects_of
from widget_server.store.places import find_place
from widget_server.store.signatures import find_signature, update_signature

MERGE = "signatures.merge"


async def merge(turns: Turns, letter: Letter, keep: str, given: Sequence[str], staff: Staff) -> Done:
    """`done` and `repeated` are of the others. Raises `Problems`: every wrong id with what is wrong; nothing is merged
    then. Raises `Unavailable`."""

    async def work(turn: Turn) -> Done:
        head, *others = await signatures_named(turn, [keep, *given], _fault)
        problems = [f"{one.id}: {why}" for one in others if (why := _misfit(one, head))]
        if head.repeat_of is not None:
            problems.insert(0, f"{head.id}: this stands behind {head.repeat_of}; name that one first")
        if not others:
            problems.append("name two signatures at least: the one that stays, then those that go behind it")
        if problems:
            raise Problems(problems)
        fresh = [one for one in others if one.repeat_of is None]
        for one in fresh:
            await _merge(turn, one, head)
            await staff.note(turn, MERGE, one.id, {"into": head.id})
            turn.tell(one, "signature.updated", status=one.status)
        if fresh:
            await staff.note(turn, MERGE, head.id, {"with": [one.id for one in fresh]})
        return Done(tuple(one.id for one in fresh), tuple(one.id for one in others if one not in fresh))

    return await turns.take(letter, work)


def _fault(signature: Signature) -> str | None:
    """Why a signature cannot be merged, or None."""
    if signature.kind != "organization":
        return "this is a person's; only organizations are merged"
    if signature.test:
        return "this is a test signature, which counts nowhere"
    if signature.quarantine is not None:
        return "this is in quarantine; release it first"
    if signature.status != "confirmed":
        return "this is not confirmed yet" if signature.status == "pending" else f"this is {signature.status}"
    return None


def _misfit(one: Signature, head: Signature) -> str | None:
    """Why one signature cannot stand behind another, or None."""
    if one.statement != head.statement:
        return f'this is under the statement "{one.statement}", {head.id} under "{head.statement}"'
    if one.repeat_of not in (None, head.id):
        return f"this stands behind {one.repeat_of}; name that one, or restore this one first"
    return None


async def _merge(turn: Turn, one: Signature, head: Signature) -> None:
    home = await household(turn, one)
    if one.counted:
        turn.count(one, -1)
    await stand_behind(turn, [one, *(member for member in (*home.mine, *home.others) if member != one)], head)


async def was_merged(turn: Turn, signature: Signature) -> bool:
    """Whether staff put it behind the one that it repeats, rather than its signer having signed before."""
    if signature.kind != "organization" or signature.repeat_of is None:
        return False
    if not await subjects_of(turn.writer, turn.letter.id, MERGE, [signature.id]):
        return False
    if signature.signer_hash is None:
        return True
    holder_id = await _holder_id(turn, signature)
    if holder_id is None or await counts_for(turn, holder_id) != signature.repeat_of:
        return False
    head = await find_signature(turn.writer, signature.repeat_of)
    # Renamed since, what were two organizations of one mailbox may be one.
    return head is None or await _holder_id(turn, head) != holder_id


async def part(turn: Turn, signature: Signature) -> None:
    """It counts by itself again, and with it go those who signed as the same one. `was_merged` before."""
    home = await household(turn, signature)
    holder_id = await _holder_id(turn, signature)
    await update_signature(turn.writer, signature.id, repeat_of=None)
    for one in home.mine:
        if one.id != signature.id and holder_id is not None and await _holder_id(turn, one) == holder_id:
            await update_signature(turn.writer, one.id, repeat_of=signature.id)
    turn.count(signature, 1)
    turn.tell(signature, "signature.updated", status=signature.status)


async def _holder_id(turn: Turn, signature: Signature) -> str | None:
    """Who has the place of its signer."""
    if signature.signer_hash is None:
        return None
    place = await find_place(turn.writer, signature.letter_id, signature.signer_hash)
    return None if place is None or place.rejected else place.signature_id
