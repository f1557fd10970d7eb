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
from widget_server.store.places import bar_place, hold_places, leave_place, move_place, take_over, take_place
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
    """Takes the signer's place, so that the signature counts, unless it is taken. The place decides, nobody looks
    first. `vouched`: a coordinator has found it good, so one that a refused signature barred is taken all the same."""
    writer, letter_id = turn.writer, signature.letter_id
    if signature.signer_hash is None:  # gathered on paper, without an address: nobody can sign it again
        turn.count(signature, 1)
        return Standing()
    held = await take_place(writer, letter_id, signature.signer_hash, signature.id)
    if held is not None and held.rejected:
        if not vouched:
            return Standing(barred=True)
        if await take_over(writer, letter_id, signature.signer_hash, signature.id):
            held = None
    if held is None:
        turn.count(signature, 1)
        return Standing()
    holder = await find_signature(writer, held.signature_id)
    return Standing(held.signature_id if holder is None or holder.repeat_of is None else holder.repeat_of)


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
    for one in {head.id: head, signature.id: signature}.values():
        if one.signer_hash is not None:
            # Before the repeats: whoever is confirming one has the place, and has told us of it once we get it.
            await hold_places(writer, one.letter_id, one.signer_hash, one.id)
    everybody = {one.id: one for one in (head, *await lock_repeats(writer, head_id))}
    mine = tuple(one for one in everybody.values() if one.id == signature.id or _same_mailbox(one, signature))
    return Household(head, mine, tuple(one for one in everybody.values() if one not in mine))


def _same_mailbox(one: Signature, other: Signature) -> bool:
    if one.address_hash is None or other.address_hash is None:
        return one.kind == other.kind == "individual"  # contact details are erased, and persons are never merged
    return one.address_hash == other.address_hash


async def leave(turn: Turn, home: Household, *, barred: bool = False) -> str | None:
    """Whoever signed as `mine` no longer counts, and may sign again unless `barred`. Where others signed for the same
    organization, one of them counts from now on; gives its id. Call it before the rows of `mine` change."""
    writer, head = turn.writer, home.head
    promoted = await step_down(turn, home) if home.leads and head.counted else None
    for one in home.standing:
        if one.signer_hash is None or one.test:
            continue
        if not barred:
            await leave_place(writer, one.letter_id, one.signer_hash, one.id, head.id)
        elif one == head or not home.leads:
            await bar_place(writer, one.letter_id, one.signer_hash, one.id, head.id)
    return promoted


async def step_down(turn: Turn, home: Household) -> str | None:
    """The head counts no longer. The first of the others does, if there are any, and the rest stand behind it; gives
    its id. The places of the head's own mailbox stay as they are."""
    turn.count(home.head, -1)
    for new in sorted(home.merged, key=seniority):
        if new.signer_hash is None or await move_place(
            turn.writer, new.letter_id, new.signer_hash, home.head.id, new.id, alias=False
        ):
            break
    else:
        return None
    await update_signature(turn.writer, new.id, repeat_of=None)
    turn.count(new, 1)
    turn.tell(new, "signature.updated", status=new.status)
    await stand_behind(turn, [one for one in home.others if one.id != new.id], new, before=home.head)
    return new.id


async def stand_behind(turn: Turn, signatures: Iterable[Signature], head: Signature, *, before: Signature) -> None:
    """From now on `head` counts for them and holds their places, which `before` did. Those that have ended hold none;
    they come along, so that one which is restored finds its way."""
    for one in signatures:
        await update_signature(turn.writer, one.id, repeat_of=head.id)
        if one.status == "confirmed" and one.signer_hash is not None:
            await move_place(turn.writer, one.letter_id, one.signer_hash, before.id, head.id, alias=True)
