"""When staff undo what staff did to a signature: a rejection, a merge, or that its name was hidden.

1. Read the ids; say of every wrong one why it cannot be. All or nothing.
2. One thing at a time, the one that weighs most. A rejected one goes back to what it was, with those that went along;
   if it counted, it counts again, or stands behind the one that counts by now. One that was merged counts by itself
   again. A hidden name is where the list would have it: reviewed or not, and never shown where its signer hid it.
3. Whoever has withdrawn since stays out: there is no path back.
4. A whole rejection is worked off in short transactions; cut short, it goes on when it is asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from widget_server.domain.letters import Letter
from widget_server.domain.listing import evidence, listing_of
from widget_server.domain.refusals import Problems
from widget_server.domain.signatures import Signature
from widget_server.flows.by_staff import Staff, signatures_named
from widget_server.flows.merge import part, was_merged
from widget_server.flows.standing import Household, claim_back, household, seniority, settle_in
from widget_server.flows.turn import Turn, Turns
from widget_server.store.db import Db
from widget_server.store.pins import is_vouched_for
from widget_server.store.places import leave_places, lift_bars
from widget_server.store.rejections import Rejection, find_rejection, mark_undone, rejected_in
from widget_server.store.signatures import lock_signatures, update_signature, withdrew_since

RESTORE = "signatures.restore"
BATCH = 200

Undone = Literal["rejection", "merge", "hiding"]


@dataclass(frozen=True, slots=True)
class Restored:
    """What was undone, by id, in the order given; `along`: those that a rejection had taken with it."""

    undone: dict[str, Undone]
    along: tuple[str, ...]
    repeated: tuple[str, ...]


async def restore(turns: Turns, letter: Letter, given: Sequence[str], staff: Staff) -> Restored:
    """Raises `Problems`: every wrong id with what is wrong; nothing is restored then. Raises `Unavailable`."""

    async def work(turn: Turn) -> Restored:
        found = await signatures_named(turn, given, _fault)
        problems: list[str] = []
        undone: dict[str, Undone] = {}
        back: set[str] = set()
        repeated = []
        for one in found:
            if one.id in back:
                undone[one.id] = "rejection"
                continue
            if undone:  # what was restored before may have changed this one
                one = (await lock_signatures(turn.writer, letter.id, [one.id]))[one.id]
            try:
                what = await _restore(turn, one, back)
            except Problems as error:
                problems += [f"{one.id}: {problem}" for problem in error.problems]
                continue
            if what is None:
                repeated.append(one.id)
                continue
            undone[one.id] = what
            await staff.note(turn, RESTORE, one.id, {"undone": what})
        if problems:
            raise Problems(problems)
        return Restored(undone, tuple(sorted(back - set(undone))), tuple(repeated))

    return await turns.take(letter, work)


def _fault(signature: Signature) -> str | None:
    """Why a signature cannot be restored, or None."""
    if signature.status == "withdrawn":
        return "this is withdrawn: its signer took it back, which staff cannot undo"
    return None


async def _restore(turn: Turn, signature: Signature, back: set[str]) -> Undone | None:
    """What was undone; None where there was nothing. Raises `Problems`."""
    if signature.status == "rejected":
        back |= await _take_back_in(turn, signature)
        return "rejection"
    if signature.repeat_of is not None and await was_merged(turn, signature):
        await part(turn, signature)
        return "merge"
    if signature.listing == "hidden_by_staff":
        await _show(turn, signature)
        return "hiding"
    return None


async def _show(turn: Turn, signature: Signature) -> None:
    reviewed = await is_vouched_for(turn.writer, turn.letter.id, signature.id)
    listing = listing_of(
        turn.letter.settings, signature.kind, public=signature.public, match=evidence(signature), reviewed=reviewed
    )
    await update_signature(turn.writer, signature.id, listing=listing)
    turn.tell(signature, "signature.updated", status=signature.status)


async def _take_back_in(turn: Turn, signature: Signature) -> set[str]:
    """A rejected signature, and those rejected with it from the same mailbox. Gives their ids. Raises `Problems`."""
    home = await household(turn, signature)
    group = _rejected_together(home, signature)
    assert signature.rejected_at is not None, "it was rejected at some time"
    if await withdrew_since(turn.writer, signature, signature.rejected_at):
        raise Problems(["its signer has withdrawn since"])
    first, head_id = group[0], None
    for one in group:
        repeat_of = await _settle_again(turn, home, one, head_id if one.kind == first.kind else None)
        head_id = head_id or repeat_of or first.id
        await update_signature(
            turn.writer,
            one.id,
            status=one.rejected_from,
            rejected_at=None,
            rejected_from=None,
            rejection_id=None,
            repeat_of=repeat_of,
        )
        if one.quarantine is None:
            turn.tell(one, "signature.updated", status=one.rejected_from)
    return {one.id for one in group}


def _rejected_together(home: Household, signature: Signature) -> list[Signature]:
    """The one that the others repeat comes first."""
    group = [one for one in home.mine if one.status == "rejected" and one.rejection_id == signature.rejection_id]
    return sorted(group, key=lambda one: (one.id != home.head.id, *seniority(one)))


async def _settle_again(turn: Turn, home: Household, one: Signature, head_id: str | None) -> str | None:
    """Which one counts for it from now on; None where it waits, or counts itself. `head_id`: the one that counts for
    those that were rejected with it."""
    if one.rejected_from == "pending":
        await leave_places(turn.writer, one)
        return None
    await lift_bars(turn.writer, one)
    await claim_back(turn, one, [home.head])
    standing = await settle_in(turn, one, vouched=True)
    if standing.first_id is not None:  # somebody has signed in its place
        return standing.first_id
    head = home.head
    if head_id is None and head.id != one.id and head.counted and head.kind == one.kind:
        head_id = head.id  # the one that it stood behind counts yet
    if head_id is None:
        turn.count(one, 1)
    return head_id


@dataclass(frozen=True, slots=True)
class Undoing:
    """What became of a whole rejection. `left`: ids that stay rejected, since their signer has withdrawn since."""

    number: int
    left: tuple[str, ...]
    repeated: bool


async def find_rejected(db: Db, letter: Letter, id_: str) -> Rejection:
    """Raises `Problems`."""
    found = await find_rejection(db, letter.id, id_)
    if found is None:
        raise Problems([f'letter {letter.slug} has no rejection {id_}; "undersigned audit {letter.slug}" names them'])
    return found


async def undo_rejection(
    turns: Turns, letter: Letter, rejection: Rejection, staff: Staff, progress: Callable[[int], None] = lambda _: None
) -> Undoing:
    """`progress` is told how many were just restored. Raises `Unavailable`: asked again, it goes on."""
    number = 0
    left: list[str] = []
    for repeats in (False, True):
        after = 0
        while page := await rejected_in(turns.db, letter.id, rejection.id, (repeats, after), BATCH):
            after = page[-1].seq
            back, stayed = await _undo_batch(turns, letter, rejection.id, page)
            number += back
            left += stayed
            progress(back)
    if not number and rejection.undone_at is not None:
        return Undoing(0, tuple(left), repeated=True)

    async def finish(turn: Turn) -> None:
        await mark_undone(turn.writer, rejection.id, turn.now)
        data: dict[str, Any] = {"number": number, "left": len(left)}
        await staff.note(turn, RESTORE, rejection.id, data)

    await turns.take(letter, finish)
    return Undoing(number, tuple(left), repeated=False)


async def _undo_batch(
    turns: Turns, letter: Letter, rejection_id: str, page: Sequence[Signature]
) -> tuple[int, list[str]]:
    async def work(turn: Turn) -> tuple[int, list[str]]:
        back: set[str] = set()
        left = []
        for one in page:
            if one.id in back:
                continue
            now = (await lock_signatures(turn.writer, letter.id, [one.id])).get(one.id)
            if now is None or now.status != "rejected" or now.rejection_id != rejection_id:
                continue
            try:
                back |= await _take_back_in(turn, now)
            except Problems:
                left.append(one.id)
        return len(back), left

    return await turns.take(letter, work)
