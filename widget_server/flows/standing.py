"""What it takes for a signature to count, and to count no longer. The verbs are built from these.

One thing must stay true: of one signer, one signature counts. The others repeat it (`repeat_of`), and where staff have
merged organizations, those who signed for the same one stand behind the one that counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from widget_server.domain.signatures import Signature
from widget_server.flows.turn import Turn
from widget_server.store.places import bar_place, find_place, hand_over, leave_place, take_over, take_place
from widget_server.store.signatures import find_signature, lock_repeats, lock_signatures, update_signature


async def count_in(turn: Turn, signature: Signature, *, over_barred: bool = False) -> str | None:
    """Takes the signer's place, so that the signature counts; or gives the id of the one that counts already.

    `over_barred`: a coordinator vouches for it, so a place that a refused signature barred is taken all the same.
    """
    assert signature.signer_hash is not None, "only a signature whose signer is known can be counted in"
    writer, letter_id = turn.writer, signature.letter_id
    held = await take_place(writer, letter_id, signature.signer_hash, signature.id)
    if held is not None and over_barred and held.rejected:
        held = None if await take_over(writer, letter_id, signature.signer_hash, signature.id) else held
    if held is None:
        turn.count(signature, 1)
        return None
    holder = await find_signature(writer, held.signature_id)
    return held.signature_id if holder is None or holder.repeat_of is None else holder.repeat_of


async def is_barred(turn: Turn, signature: Signature) -> bool:
    """Whether this signer's signature was refused before."""
    place = await find_place(turn.writer, signature.letter_id, signature.signer_hash or "")
    return place is not None and place.rejected and place.signature_id != signature.id


@dataclass(frozen=True, slots=True)
class Household:
    """A signature among those that belong together. `mine`: it and all from the same mailbox that repeat each other;
    `others`: from other mailboxes, merged with them by staff; `head`: the one of all that counts, or did."""

    head: Signature
    mine: tuple[Signature, ...]
    others: tuple[Signature, ...]

    @property
    def leads(self) -> bool:
        return self.head in self.mine


async def household(turn: Turn, signature: Signature) -> Household:
    """All of them held until the end of the transaction. `signature` as it was read in this transaction."""
    head = signature
    if signature.repeat_of is not None:
        found = await lock_signatures(turn.writer, signature.letter_id, [signature.repeat_of])
        head = found.get(signature.repeat_of, signature)
    everybody = [head, *await lock_repeats(turn.writer, head.id)]
    mine = tuple(one for one in everybody if one.id == signature.id or _same_mailbox(one, signature))
    return Household(head, mine, tuple(one for one in everybody if one not in mine))


def _same_mailbox(one: Signature, other: Signature) -> bool:
    return one.address_hash is not None and one.address_hash == other.address_hash


async def leave(turn: Turn, home: Household, *, barred: bool = False) -> str | None:
    """Whoever signed as `mine` no longer counts, and may sign again unless `barred`. Where others signed for the same
    organization, one of them counts from now on; gives its id. Call it before the rows of `mine` change."""
    writer, head = turn.writer, home.head
    promoted = None
    if home.leads and head.counted:
        turn.count(head, -1)
        promoted = await _promote(turn, home)
    for one in home.mine:
        if one.signer_hash is None:
            continue
        if barred and one == head:
            await bar_place(writer, one.letter_id, one.signer_hash, one.id)
        elif not barred:
            await leave_place(writer, one.letter_id, one.signer_hash, one.id, head.id)
    return promoted


async def _promote(turn: Turn, home: Household) -> str | None:
    """The first confirmed of `others` counts from now on, the rest stand behind it."""
    confirmed = [one for one in home.others if one.status == "confirmed"]
    if not confirmed:
        return None
    new = min(confirmed, key=lambda one: (one.confirmed_at or turn.now, one.seq))
    await update_signature(turn.writer, new.id, repeat_of=None)
    turn.count(new, 1)
    turn.tell(new, "signature.updated", status=new.status)
    for one in home.others:
        if one.id != new.id:
            await update_signature(turn.writer, one.id, repeat_of=new.id)
        if one.signer_hash is not None:
            await hand_over(turn.writer, one.letter_id, one.signer_hash, new.id, alias=one.id != new.id)
    return new.id
