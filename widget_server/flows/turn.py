"""One transaction's worth of changes to a letter's signatures: the rows, then the events, the counts, the revision.

One thing must stay true: a signature's status and the letter's count change together, and whatever changes is told in
the same transaction. Rows are locked in one order everywhere (signatures, places, counts, letter), as signing does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from widget_server.domain.consents import FIELDS, ConsentRecord, Purpose, Way
from widget_server.domain.ids import new_id
from widget_server.domain.letters import Letter
from widget_server.domain.signatures import Signature
from widget_server.domain.vault import Vault
from widget_server.store.consents import keep_consents
from widget_server.store.db import Db, Writer
from widget_server.store.events import EventRow, insert_events
from widget_server.store.new_signatures import raise_counts
from widget_server.store.revisions import bump_letter
from widget_server.store.signatures import signatures_at
from widget_server.store.told import Ending, Told, told_of_address, write_endings

T = TypeVar("T")


@dataclass(slots=True)
class Turn:
    """What is under way. `tell` and `count` gather; `close` writes what they gathered, once, at the end."""

    writer: Writer
    letter: Letter
    vault: Vault
    now: datetime
    _events: list[EventRow] = field(default_factory=list)
    _counts: Counter[tuple[int, str, str]] = field(default_factory=Counter)
    _ended: set[tuple[str, Purpose]] = field(default_factory=set)

    def tell(self, signature: Signature, type_: str, **moment: Any) -> str:
        """An event about `signature`, with facts of this moment; gives its id."""
        id_ = new_id()
        test = {"test": True} if signature.test else {}
        self._events.append(
            EventRow(
                id=id_,
                type=type_,
                letter_id=signature.letter_id,
                partner_id=signature.partner_id,
                signature_id=signature.id,
                data={**moment, **test},
                occurred_at=self.now,
            )
        )
        return id_

    def count(self, signature: Signature, number: int) -> None:
        """1: it counts from now on; -1: no longer."""
        self._counts[signature.letter_id, signature.statement, signature.kind] += number

    async def end_consents(
        self,
        signature: Signature,
        event_id: str | None,
        purposes: Sequence[Purpose],
        way: Way,
        *,
        everywhere: bool = False,
    ) -> None:
        """Keeps a record of each consent of `signature` that ends, and lets those who were sent the address hear of it
        in the event: the owners of `purposes`, or everybody who has it. No event: in quarantine nobody has it."""
        given = [purpose for purpose in purposes if getattr(signature, FIELDS[purpose])]
        await keep_consents(self.writer, [self.record(signature, purpose, given=False, way=way) for purpose in given])
        if event_id is not None:
            await self._tell_the_end(signature, event_id, given, everywhere=everywhere)

    async def call_back(self, signature: Signature, event_id: str) -> None:
        """Lets everybody who was sent the address hear in the event that it is not to be used, though its signer has
        not ended a consent: a coordinator has refused the signature."""
        given = [purpose for purpose, column in FIELDS.items() if getattr(signature, column)]
        await self._tell_the_end(signature, event_id, given, everywhere=True)

    async def _tell_the_end(
        self, signature: Signature, event_id: str, given: Sequence[Purpose], *, everywhere: bool
    ) -> None:
        if signature.email is None:
            return
        self._ended |= {(signature.id, purpose) for purpose in given}
        told = [
            one
            for one in await told_of_address(self.writer, signature.id)
            if (everywhere and one.address) or _concerns(one, signature, given)
        ]
        if told:
            kept = await self._by_another(signature)
            told = [one for one in told if one.destination_id not in kept]
        sealed = self.vault.seal({"email": signature.email}) if told else ""
        endings = [Ending(new_id(), event_id, one.destination_id, one.kind, sealed) for one in told]
        await write_endings(self.writer, signature.id, endings, self.now)

    async def _by_another(self, signature: Signature) -> set[str]:
        """Destinations that have the same address by another signature as well, whose consent stands: they keep it, and
        hear of the end when that one ends."""
        found: set[str] = set()
        if signature.email is None or signature.address_hash is None:
            return found
        address = signature.email.lower()  # written in another way, it is another address on a list
        for other in await signatures_at(self.writer, signature.letter_id, signature.address_hash, hold=True):
            in_force = other.status == "confirmed" and not other.test and other.quarantine is None
            if other.id == signature.id or not in_force or other.email is None or other.email.lower() != address:
                continue
            standing = [
                purpose
                for purpose, column in FIELDS.items()
                if getattr(other, column) and (other.id, purpose) not in self._ended
            ]
            if standing:
                told = await told_of_address(self.writer, other.id)
                found |= {one.destination_id for one in told if one.address and _concerns(one, other, standing)}
        return found

    def record(
        self,
        signature: Signature,
        purpose: Purpose,
        *,
        given: bool,
        way: Way,
        version: str | None = None,
        locale: str | None = None,
        page: str | None = None,
    ) -> ConsentRecord:
        return ConsentRecord(
            signature_id=signature.id,
            letter_id=signature.letter_id,
            purpose=purpose,
            partner_id=signature.partner_id,
            given=given,
            way=way,
            version=version,
            shown=version is not None,
            locale=locale or signature.locale,
            page=page,
            token_version=None,
            at=self.now,
        )

    async def close(self) -> None:
        await insert_events(self.writer, self._events)
        numbers = {key: number for key, number in self._counts.items() if number}
        if numbers:
            await self.writer.play(raise_counts(numbers))
        if self._events and not numbers:
            await bump_letter(self.writer, self.letter.id)


def _concerns(told: Told, signature: Signature, ended: Sequence[Purpose]) -> bool:
    """Whether a consent that ends is the one by which this destination has the address."""
    if told.partner_id is None:
        return "initiators" in ended
    return "partner" in ended and told.partner_id == signature.partner_id


@dataclass(frozen=True, slots=True)
class Turns:
    """Takes turns. `on_commit` is called after each: there may be events to deliver."""

    db: Db
    vault: Vault
    now: Callable[[], datetime]
    on_commit: Callable[[], None] = lambda: None

    async def take(self, letter: Letter, work: Callable[[Turn], Awaitable[T]]) -> T:
        """Does `work` and closes its turn, in one transaction. Raises `Unavailable`."""

        async def whole(writer: Writer) -> T:
            turn = Turn(writer, letter, self.vault, self.now())
            result = await work(turn)
            await turn.close()
            return result

        result = await self.db.again(whole)
        self.on_commit()
        return result
