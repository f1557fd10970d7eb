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
from widget_server.domain.letters import Letter
from widget_server.domain.signatures import Signature
from widget_server.flows.standing import Household, household, leave
from widget_server.flows.turn import Turn, Turns
from widget_server.flows.withdraw import take_back
from widget_server.store.audit import record
from widget_server.store.consents import forget_consents
from widget_server.store.places import hand_over
from widget_server.store.remainders import add_remainders
from widget_server.store.signatures import delete_signatures, lock_signatures, signatures_at
from widget_server.store.told import Received, forget_deliveries, received_by

ERASED = "erased: its signer's data is gone"


@dataclass(frozen=True, slots=True)
class Erased:
    """What went: how many signatures (one, and those that repeat it), whether it still counts as a number, how many
    waiting deliveries were cancelled, and which destinations had been sent something about it."""

    id: str
    signatures: int
    still_counted: bool
    cancelled: int
    received: tuple[Received, ...]


async def erase_own(turns: Turns, letter: Letter, signature_id: str, *, only_this: bool = False) -> bool:
    """Its signer erases it: it is uncounted. Whether there was anything left. `only_this`: somebody else put it in
    ("it was not me"), so what its signer did themselves stays. Raises `Unavailable`."""

    async def work(turn: Turn) -> bool:
        signature = (await lock_signatures(turn.writer, letter.id, [signature_id])).get(signature_id)
        if signature is None:
            return False
        home = await household(turn, signature)
        await take_back(turn, signature, "erasure", erased=True)
        alone = only_this and signature.status == "pending"
        await _remove(turn, [signature] if alone else await _of_signer(turn, home))
        return True

    return await turns.take(letter, work)


async def erase_by_staff(turn: Turn, signature: Signature, *, actor: str, reason: str | None) -> Erased:
    """Within a turn, so that a command erases all that it names or none."""
    home = await household(turn, signature)
    everything = await _of_signer(turn, home)
    counted = [one for one in everything if one.counted]
    for one in everything:
        if one.status in ("pending", "confirmed") and one.quarantine is None:
            event_id = turn.tell(one, "signature.updated", status=one.status, erased=True)
            await turn.end_consents(one, event_id, tuple(FIELDS), "erasure", everywhere=True)
    if home.leads and home.others:  # others signed for the same organization: one of them is what counts
        await _stand_behind(turn, home)
    else:
        numbers = Counter[tuple[int, str, str]]((one.letter_id, one.statement, one.kind) for one in counted)
        await add_remainders(turn.writer, "erased", numbers)
    received, cancelled = await _remove(turn, everything)
    await record(
        turn.writer, at=turn.now, actor=actor, action="signatures.erase", letter_id=turn.letter.id,
        subject=signature.id, reason=reason,
    )  # fmt: skip
    return Erased(signature.id, len(everything), bool(counted), cancelled, tuple(received))


async def _of_signer(turn: Turn, home: Household) -> list[Signature]:
    """Everything that this signer sent: what repeats each other, and whatever else waits, was withdrawn or refused."""
    head = home.mine[0]
    found = {one.id: one for one in home.mine}
    if head.address_hash is not None:
        for one in await signatures_at(turn.writer, head.letter_id, head.address_hash):
            if one.signer_hash == head.signer_hash:
                found.setdefault(one.id, one)
    return list(found.values())


async def _stand_behind(turn: Turn, home: Household) -> None:
    """Lets one of the others count, and keeps the erased signer's place behind it."""
    promoted = await leave(turn, home)
    for one in home.mine:
        if promoted is not None and one.signer_hash is not None:
            await hand_over(turn.writer, one.letter_id, one.signer_hash, promoted, alias=True)


async def _remove(turn: Turn, signatures: Sequence[Signature]) -> tuple[list[Received], int]:
    ids = [one.id for one in signatures]
    received = await received_by(turn.writer, ids)
    cancelled = await forget_deliveries(turn.writer, ids, ERASED, turn.now)
    await forget_consents(turn.writer, ids)
    await delete_signatures(turn.writer, ids)
    return received, cancelled
