"""When a signature and everything about its signer goes.

1. By its signer ("erase", or "it was not me"): it is withdrawn first, and no longer counted.
   By staff, on request: what counted stays as a number, and a keyed hash keeps the place until the letter closes.
2. Those who have the address are told, with the address sealed in that one delivery.
3. The rows go, with their consent records; deliveries that still wait are cancelled; what receivers answered, which may
   quote what they were sent, is forgotten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from widget_server.domain.consents import FIELDS
from widget_server.domain.ids import read_id
from widget_server.domain.letters import Letter
from widget_server.domain.signatures import Signature
from widget_server.flows.by_staff import Staff, signatures_named
from widget_server.flows.standing import Household, household, step_down
from widget_server.flows.turn import Turn, Turns
from widget_server.flows.withdraw import take_back
from widget_server.store.audit import record, subjects_of
from widget_server.store.consents import forget_consents
from widget_server.store.places import hand_over
from widget_server.store.remainders import add_remainders
from widget_server.store.signatures import delete_signatures, lock_signatures, signatures_at
from widget_server.store.told import Received, forget_deliveries, received_by

ERASE = "signatures.erase"
ERASED = "erased: its signer's data is gone"


@dataclass(frozen=True, slots=True)
class Erased:
    """What went: how many signatures (one, and those that repeat it), whether it still counts as a number, or else
    which signature of the same organization counts from now on, how many waiting deliveries were cancelled, and which
    destinations had been sent something about it."""

    id: str
    signatures: int
    still_counted: bool
    counts_now: str | None
    cancelled: int
    received: tuple[Received, ...]


async def erase_own(turns: Turns, letter: Letter, signature_id: str, *, only_this: bool = False) -> bool:
    """Its signer erases it: it is uncounted. Whether there was anything left. `only_this`: somebody else put it in
    ("it was not me"), so what its signer did themselves stays. Raises `Unavailable`."""

    async def work(turn: Turn) -> bool:
        signature = (await lock_signatures(turn.writer, letter.id, [signature_id])).get(signature_id)
        if signature is None:
            return False
        alone = only_this and signature.status == "pending"
        everything = [signature] if alone else (await _of_signer(turn, signature)).signatures
        ended: set[str] = set()
        for one in everything:
            home = None if one.id in ended else await take_back(turn, one, "erasure", erased=True)
            if home is not None:
                ended |= {member.id for member in home.mine}
        await _remove(turn, everything)
        return True

    return await turns.take(letter, work)


@dataclass(frozen=True, slots=True)
class ErasedByStaff:
    """What went, by each id that was named; `along`: named as well, and gone with another one of the same signer;
    `repeated`: erased before."""

    erased: tuple[Erased, ...]
    along: tuple[str, ...]
    repeated: tuple[str, ...]


async def erase_named(turns: Turns, letter: Letter, given: Sequence[str], staff: Staff) -> ErasedByStaff:
    """All of them or none. Raises `Problems`: every wrong id with what is wrong; `Unavailable`."""

    async def work(turn: Turn) -> ErasedByStaff:
        ids = [id_ for id_ in dict.fromkeys(map(read_id, given)) if id_ is not None]
        before = await subjects_of(turn.writer, letter.id, ERASE, ids)
        found = await signatures_named(turn, given, lambda _: None, gone=frozenset(before))
        erased, along = [], []
        for one in found:
            now = (await lock_signatures(turn.writer, letter.id, [one.id])).get(one.id)
            if now is None:
                along.append(one.id)
                await staff.note(turn, ERASE, one.id)
            else:
                erased.append(await erase_by_staff(turn, now, actor=staff.actor, reason=staff.reason))
        still = {one.id for one in found}
        return ErasedByStaff(tuple(erased), tuple(along), tuple(id_ for id_ in ids if id_ in before - still))

    return await turns.take(letter, work)


async def erase_by_staff(turn: Turn, signature: Signature, *, actor: str, reason: str | None) -> Erased:
    """Within a turn, so that a command erases all that it names or none."""
    signer = await _of_signer(turn, signature)
    everything = signer.signatures
    for one in everything:
        if one.status in ("pending", "confirmed") and one.quarantine is None:
            event_id = turn.tell(one, "signature.updated", status=one.status, erased=True)
            await turn.end_consents(one, event_id, tuple(FIELDS), "erasure", everywhere=True)
    numbers: Counter[tuple[int, str, str]] = Counter()
    promoted: Signature | None = None
    for home in signer.households:
        head = home.head
        if home.leads and not home.merged:
            if head.counted:
                numbers[head.letter_id, head.statement, head.kind] += 1
            continue
        # Others signed for the same organization: one of them is what counts.
        next_one = await step_down(turn, home)
        promoted, stays = next_one or promoted, next_one or head
        for one in home.mine:
            if one.status == "confirmed":
                await hand_over(turn.writer, one, stays)
    await add_remainders(turn.writer, "erased", numbers)
    received, cancelled = await _remove(turn, everything)
    await record(
        turn.writer, at=turn.now, actor=actor, action=ERASE, letter_id=turn.letter.id,
        subject=signature.id, reason=reason,
    )  # fmt: skip
    counts_now = None if promoted is None else promoted.id
    return Erased(signature.id, len(everything), bool(numbers), counts_now, cancelled, tuple(received))


@dataclass(frozen=True, slots=True)
class _Signer:
    """Everything that a signer sent, and the households that it stands in."""

    signatures: list[Signature]
    households: list[Household]


async def _of_signer(turn: Turn, signature: Signature) -> _Signer:
    """What repeats each other, and whatever else waits, was withdrawn or refused, or was signed anew after that."""
    home = await household(turn, signature)
    found, homes = {one.id: one for one in home.mine}, [home]
    if signature.address_hash is not None:
        for one in await signatures_at(turn.writer, signature.letter_id, signature.address_hash, hold=True):
            if one.signer_hash == signature.signer_hash and one.id not in found:
                homes.append(await household(turn, one))
                found |= {member.id: member for member in homes[-1].mine}
    return _Signer(list(found.values()), homes)


async def _remove(turn: Turn, signatures: Sequence[Signature]) -> tuple[list[Received], int]:
    ids = [one.id for one in signatures]
    received = await received_by(turn.writer, ids)
    cancelled = await forget_deliveries(turn.writer, ids, ERASED, turn.now)
    await forget_consents(turn.writer, ids)
    await delete_signatures(turn.writer, ids)
    return received, cancelled
