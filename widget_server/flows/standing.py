"""What it takes for a signature to count, and to count no longer. The verbs are built from these.

One thing must stay true: of one signer, one signature counts. The others repeat it (`repeat_of`), and where staff have
merged organizations, those who signed for the same one stand behind the one that counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from widget_server.domain.signatures import Signature
from widget_server.flows.turn import Turn
from widget_server.store.places import (
    bar_places,
    find_place,
    hand_over_aliases,
    hold_places,
    leave_places,
    own_place,
    take_over,
    take_place,
)
from widget_server.store.signatures import find_signature, lock_repeats, lock_signatures, update_signature


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a signature stands among those of its signer: it counts, or it repeats `first_id`, or its signer was
    refused before (`barred`)."""

    first_id: str | None = None
    barred: bool = False

    @property
    def counts(self) -> bool:
        return self.first_id is None and not self.barred


async def count_in(turn: Turn, signature: Signature, *, vouched: bool = False) -> Standing:
    """Takes the signer's place, so that the signature counts, unless it is taken. `vouched` as in `settle_in`."""
    standing = await settle_in(turn, signature, vouched=vouched)
    if standing.counts:
        turn.count(signature, 1)
    return standing


async def settle_in(turn: Turn, signature: Signature, *, vouched: bool = False) -> Standing:
    """Takes the signer's place if it is free; counts nothing yet. The place decides, nobody looks first. `vouched`: a
    coordinator has found the signature good, so a place that a refused one bars is taken all the same."""
    writer, letter_id = turn.writer, signature.letter_id
    if signature.signer_hash is None:  # gathered on paper, without an address: nobody can sign it again
        return Standing()
    held = await take_place(writer, letter_id, signature.signer_hash, signature.id)
    if held is not None and held.rejected:
        if not vouched:
            return Standing(barred=True)
        if await take_over(writer, letter_id, signature.signer_hash, signature.id):
            return Standing()
    return Standing() if held is None else Standing(await counts_for(turn, held.signature_id))


async def counts_for(turn: Turn, holder_id: str) -> str:
    """The one that counts for whoever has a place: itself, or the one that it stands behind. It may be gone: who is
    erased by staff counts on as a number."""
    holder = await find_signature(turn.writer, holder_id)
    return holder_id if holder is None or holder.repeat_of is None else holder.repeat_of


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

    @property
    def standing(self) -> list[Signature]:
        """Those of `mine` that have not ended, the one that the rest of them repeat first."""
        found = [one for one in self.mine if one.status in ("pending", "confirmed")]
        return sorted(found, key=lambda one: (one.id != self.head.id, *seniority(one)))

    @property
    def merged(self) -> list[Signature]:
        """Those of `others` for whom the head counts, or who count for `mine`."""
        return [one for one in self.others if one.status == "confirmed"]


def seniority(one: Signature) -> tuple[bool, datetime, int]:
    """By this the first of several is found: one whose contact details were kept, the earliest confirmed."""
    return one.email is None, one.confirmed_at or datetime.max.replace(tzinfo=UTC), one.seq


async def household(turn: Turn, signature: Signature) -> Household:
    """All of them held until the end of the transaction. `signature` as it was locked in this transaction."""
    writer, head = turn.writer, signature
    head_id = signature.repeat_of or signature.id
    if signature.repeat_of is not None:
        head = (await lock_signatures(writer, signature.letter_id, [head_id])).get(head_id, signature)
    repeats = await lock_repeats(writer, head_id)
    if writer.engine == "postgresql":
        # Whoever is confirming a repeat has a place of these, and has told us of it once we get it.
        await hold_places(writer, [head, signature, *repeats])
        repeats = await lock_repeats(writer, head_id)
    everybody = {one.id: one for one in (head, *repeats)}
    mine = tuple(one for one in everybody.values() if one.id == signature.id or _same_mailbox(one, signature))
    return Household(head, mine, tuple(one for one in everybody.values() if one not in mine))


def _same_mailbox(one: Signature, other: Signature) -> bool:
    if one.address_hash is None or other.address_hash is None:
        return one.kind == other.kind == "individual"  # contact details are erased, and persons are never merged
    return one.address_hash == other.address_hash


async def leave(turn: Turn, home: Household, *, barred: bool = False) -> str | None:
    """Whoever signed as `mine` no longer counts, and may sign again unless `barred`. Where others signed for the same
    organization, one of them counts from now on; gives its id. Call it before the rows of `mine` change."""
    promoted = await step_down(turn, home)
    stays = promoted or (None if home.leads else home.head)
    for one in home.standing:
        if one.test:
            continue
        if one.signer_hash is None and stays is not None:  # without a signer of its own, whatever it has is others'
            await hand_over_aliases(turn.writer, one, stays)
        await (bar_places if barred else leave_places)(turn.writer, one)
    return None if promoted is None else promoted.id


async def step_down(turn: Turn, home: Household) -> Signature | None:
    """None of `mine` counts any longer. If one of them did, the first of the others does, if there are any, and the
    rest stand behind it; gives it. What `mine` have of others' places is theirs; their own stay as they are."""
    writer, head = turn.writer, home.head
    for one in home.merged:
        await claim_back(turn, one, home.mine)
    if not home.leads or not head.counted:
        return None
    turn.count(head, -1)
    if not home.merged:
        return None
    new = min(home.merged, key=seniority)
    await update_signature(writer, new.id, repeat_of=None)
    await stand_behind(turn, [one for one in home.others if one.id != new.id], new)
    turn.count(new, 1)
    turn.tell(new, "signature.updated", status=new.status)
    return new


async def claim_back(turn: Turn, one: Signature, holders: Iterable[Signature]) -> None:
    """Its signer's place, which one of `holders` has besides its own: from a signature that was erased, or refused,
    before this one."""
    if one.signer_hash is None:
        return
    place = await find_place(turn.writer, one.letter_id, one.signer_hash)
    for holder in holders:
        if place is not None and place.signature_id == holder.id and holder.signer_hash != one.signer_hash:
            await own_place(turn.writer, one, holder.id)


async def stand_behind(turn: Turn, signatures: Iterable[Signature], head: Signature) -> None:
    """From now on `head` counts for them. Those that have ended come along, so that one which is restored finds its
    way."""
    for one in signatures:
        await update_signature(turn.writer, one.id, repeat_of=head.id)
