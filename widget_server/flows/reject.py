"""When staff refuse signatures: those that they name, or all that fit a pattern.

1. By id: every wrong one is named, and all are rejected or none. By pattern: `survey` says how many there are, first.
2. One that counted is uncounted, and its place barred: whoever signs again is quarantined. With it goes what repeats
   it from the same mailbox; where others signed for the same organization, one of them counts instead.
3. Destinations are told, and those who have the address are told with it, so that they can take it out. Of one in
   quarantine nobody had heard.
4. A pattern is worked off in short transactions, so that signing goes on, under one record, which is there from the
   first on: however far it came, it can be undone as one (`flows/restore.py`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from widget_server.domain.ids import new_id
from widget_server.domain.letters import Letter
from widget_server.domain.patterns import Pattern
from widget_server.domain.signatures import Signature
from widget_server.flows.by_staff import Staff, signatures_named
from widget_server.flows.standing import household, leave
from widget_server.flows.turn import Turn, Turns
from widget_server.store.db import Db
from widget_server.store.places import hand_over
from widget_server.store.rejections import Rejection, add_to_rejection, candidates, insert_rejection, last_seq
from widget_server.store.signatures import lock_signatures, update_signature

REJECT = "signatures.reject"
BATCH = 200
_PAGE = 1_000
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Rejected:
    """`id`: of the rejection, None where there was nothing to do. Ids of signatures: `done` are the ones that were
    named, `along` those that went with them, `repeated` were rejected before."""

    id: str | None
    done: tuple[str, ...]
    along: tuple[str, ...]
    repeated: tuple[str, ...]


async def reject(turns: Turns, letter: Letter, given: Sequence[str], staff: Staff) -> Rejected:
    """Raises `Problems`: every wrong id with what is wrong; nothing is rejected then. Raises `Unavailable`."""

    async def work(turn: Turn) -> Rejected:
        found = await signatures_named(turn, given, _fault)
        named = [one for one in found if one.status != "rejected"]
        repeated = tuple(one.id for one in found if one.status == "rejected")
        if not named:
            return Rejected(None, (), (), repeated)
        id_ = await _begin(turn, staff, {"ids": len(named)})
        gone = await _reject_all(turn, named, id_)
        for one in named:
            await staff.note(turn, REJECT, one.id, {"rejection": id_})
        done = tuple(one.id for one in named)
        return Rejected(id_, done, tuple(sorted(gone - set(done))), repeated)

    return await turns.take(letter, work)


def _fault(signature: Signature) -> str | None:
    """Why a signature cannot be rejected, or None."""
    if signature.test:
        return "this is a test signature, which counts nowhere and is erased after a day"
    if signature.status == "withdrawn":
        return "this is withdrawn: its signer took it back"
    return None


@dataclass(frozen=True, slots=True)
class Survey:
    """What a pattern fits now: how many, how many of them count, and the first few."""

    number: int
    counted: int
    examples: tuple[Signature, ...]


async def survey(db: Db, letter: Letter, pattern: Pattern) -> Survey:
    """Looks, and changes nothing."""
    number = counted = 0
    examples: list[Signature] = []
    async for page in _pages(db, letter, pattern, _PAGE):
        number += len(page)
        counted += sum(one.counted for one in page)
        examples += page[: _EXAMPLES - len(examples)]
    return Survey(number, counted, tuple(examples))


async def _pages(db: Db, letter: Letter, pattern: Pattern, size: int) -> AsyncIterator[list[Signature]]:
    """What fits, by arrival; what arrives meanwhile is left alone."""
    until, after = await last_seq(db, letter.id), 0
    while page := await candidates(db, letter.id, pattern, after, until, size):
        after = page[-1].seq
        if fitting := [one for one in page if pattern.fits(one)]:
            yield fitting


@dataclass(frozen=True, slots=True)
class Swept:
    """What a pattern rejected: the id of the rejection (None: nothing fits any more), and the number."""

    id: str | None
    number: int


async def reject_matching(
    turns: Turns, letter: Letter, pattern: Pattern, staff: Staff, progress: Callable[[int], None] = lambda _: None
) -> Swept:
    """`progress` is told how many were just rejected. Raises `Unavailable`: what was done until then stays, under the
    rejection that was begun."""
    id_: str | None = None
    total = 0
    async for page in _pages(turns.db, letter, pattern, _PAGE):
        for start in range(0, len(page), BATCH):
            id_, number = await _reject_batch(turns, letter, pattern, staff, page[start : start + BATCH], id_)
            total += number
            progress(number)
    return Swept(id_, total)


async def _reject_batch(
    turns: Turns, letter: Letter, pattern: Pattern, staff: Staff, batch: Sequence[Signature], id_: str | None
) -> tuple[str | None, int]:
    async def work(turn: Turn) -> tuple[str | None, int]:
        now = await lock_signatures(turn.writer, letter.id, [one.id for one in batch])
        still = [one for one in now.values() if pattern.fits(one)]
        if not still:
            return id_, 0
        mine = id_ or await _begin(turn, staff, pattern.given.kept())
        if id_ is None:
            await staff.note(turn, REJECT, mine, {"pattern": pattern.given.kept()})
        return mine, len(await _reject_all(turn, still, mine))

    return await turns.take(letter, work)


async def _begin(turn: Turn, staff: Staff, pattern: dict[str, object]) -> str:
    id_ = new_id()
    rejection = Rejection(id_, staff.actor, staff.reason, pattern, 0, turn.now, None)
    await insert_rejection(turn.writer, turn.letter.id, rejection)
    return id_


async def _reject_all(turn: Turn, signatures: Sequence[Signature], rejection_id: str) -> set[str]:
    """Rejects them, as they were locked, and what goes along; gives all their ids."""
    gone: set[str] = set()
    touched: set[str] = set()
    for one in signatures:
        if one.id in gone:
            continue
        if one.id in touched:  # a household has changed round it: it may count now, or stand behind another one
            one = (await lock_signatures(turn.writer, one.letter_id, [one.id]))[one.id]
        gone |= await _reject_one(turn, one, rejection_id, touched)
    await add_to_rejection(turn.writer, rejection_id, len(gone))
    return gone


async def _reject_one(turn: Turn, signature: Signature, rejection_id: str, touched: set[str]) -> set[str]:
    home = await household(turn, signature)
    touched.update(one.id for one in (*home.mine, *home.others))
    going = home.standing
    promoted = None
    if signature.id == going[0].id:
        promoted = await leave(turn, home, barred=True)
    else:  # it repeats another one, which stays, and with it the place
        await hand_over(turn.writer, signature, going[0])
        going = [signature]
    for one in going:
        await update_signature(
            turn.writer,
            one.id,
            status="rejected",
            rejected_at=turn.now,
            rejected_from=one.status,
            rejection_id=rejection_id,
            repeat_of=promoted or one.repeat_of,
        )
        if one.quarantine is None:
            event_id = turn.tell(one, "signature.rejected", status="rejected")
            await turn.call_back(one, event_id)
    return {one.id for one in going}
