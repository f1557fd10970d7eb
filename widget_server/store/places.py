"""Places among the signers: who took one, by the keyed hash of what makes a signer the same one.

One thing must stay true: the primary key decides who has signed already; nobody looks first. A place belongs to the
signature that took it, and that signature says what it means: while it is confirmed, itself or the one that it stands
behind counts for the place; while it is rejected, the place is barred; withdrawn, it has none. So merging and taking
apart touch no place. An erased signature's place stays, with whoever counts for it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select

from widget_server.domain.signatures import Signature
from widget_server.store.db import Db, Writer
from widget_server.store.tables import signers


@dataclass(frozen=True, slots=True)
class Place:
    """Who has it. `rejected`: it is barred; its signature was refused."""

    signature_id: str
    rejected: bool


async def take_place(writer: Writer, letter_id: int, signer_hash: str, signature_id: str) -> Place | None:
    """Takes the place and gives None, or gives who has it. One that this very signature had before is its own again,
    barred or not."""
    won = await writer.raw(
        "INSERT INTO signers (letter_id, signer_hash, signature_id) VALUES (?, ?, ?)"
        " ON CONFLICT (letter_id, signer_hash) DO UPDATE SET rejected = FALSE, alias = FALSE"
        " WHERE signers.signature_id = excluded.signature_id RETURNING signature_id",
        (letter_id, signer_hash, signature_id),
    )
    return None if won else await find_place(writer, letter_id, signer_hash)


async def find_place(db: Db | Writer, letter_id: int, signer_hash: str) -> Place | None:
    c = signers.c
    row = await db.one(select(c.signature_id, c.rejected).where(c.letter_id == letter_id, c.signer_hash == signer_hash))
    return None if row is None else Place(row["signature_id"], bool(row["rejected"]))


async def hold_places(writer: Writer, signatures: Collection[Signature]) -> None:
    """Holds the places of one letter's signatures until the end of the transaction: whoever is about to repeat one of
    them waits, and then finds what became of it. On SQLite nobody else writes meanwhile."""
    if writer.engine != "postgresql" or not signatures:
        return
    hashes = sorted({one.signer_hash for one in signatures if one.signer_hash is not None})
    await writer.raw(
        "SELECT 1 FROM signers WHERE (letter_id = ? AND signer_hash = ANY(?)) OR (alias AND signature_id = ANY(?))"
        " ORDER BY signer_hash FOR UPDATE",
        (next(iter(signatures)).letter_id, hashes, sorted(one.id for one in signatures)),
    )


async def take_over(writer: Writer, letter_id: int, signer_hash: str, signature_id: str) -> bool:
    """Takes a barred place: a coordinator has found that this signature is good."""
    rows = await writer.raw(
        "UPDATE signers SET signature_id = ?, rejected = FALSE, alias = FALSE"
        " WHERE letter_id = ? AND signer_hash = ? AND rejected RETURNING signature_id",
        (signature_id, letter_id, signer_hash),
    )
    return bool(rows)


async def leave_places(writer: Writer, signature: Signature) -> None:
    """Frees whatever places it has, those under earlier spellings too."""
    await writer.raw(f"DELETE FROM signers {_ITS_OWN}", _own(signature))  # noqa: S608
    await writer.raw("DELETE FROM signers WHERE alias AND signature_id = ?", (signature.id,))


async def bar_places(writer: Writer, signature: Signature) -> None:
    """Bars whatever places it has, as it is refused; one that waited takes its place for that, unless somebody has
    it."""
    if signature.signer_hash is not None:
        await writer.raw(
            "INSERT INTO signers (letter_id, signer_hash, signature_id, rejected) VALUES (?, ?, ?, TRUE)"
            " ON CONFLICT (letter_id, signer_hash) DO UPDATE SET rejected = TRUE"
            " WHERE signers.signature_id = excluded.signature_id",
            _own(signature),
        )
    await writer.raw("UPDATE signers SET rejected = TRUE WHERE alias AND signature_id = ?", (signature.id,))


async def lift_bars(writer: Writer, signature: Signature) -> None:
    """Whatever it barred it has again, as it is refused no longer."""
    await writer.raw(f"UPDATE signers SET rejected = FALSE {_ITS_OWN}", _own(signature))  # noqa: S608
    await writer.raw("UPDATE signers SET rejected = FALSE WHERE alias AND signature_id = ?", (signature.id,))


async def own_place(writer: Writer, signature: Signature, before_id: str) -> None:
    """The place under its hash, which another signature has, is its own from now on."""
    await writer.raw(
        f"UPDATE signers SET signature_id = ?, alias = FALSE {_ITS_OWN}",  # noqa: S608
        (signature.id, signature.letter_id, signature.signer_hash, before_id),
    )


async def set_beside(writer: Writer, signature: Signature) -> None:
    """The place under its hash so far is one under an earlier spelling from now on."""
    await writer.raw(f"UPDATE signers SET alias = TRUE {_ITS_OWN}", _own(signature))  # noqa: S608


async def hand_over(writer: Writer, signature: Signature, to: Signature) -> None:
    """Whatever places a signature has are another one's from now on."""
    same = signature.signer_hash == to.signer_hash
    await writer.raw(
        f"UPDATE signers SET signature_id = ?, alias = ? {_ITS_OWN}",  # noqa: S608
        (to.id, not same, *_own(signature)),
    )
    await hand_over_aliases(writer, signature, to)


async def hand_over_aliases(writer: Writer, signature: Signature, to: Signature) -> None:
    """Whatever it has besides its own place is another one's from now on."""
    await writer.raw("UPDATE signers SET signature_id = ? WHERE alias AND signature_id = ?", (to.id, signature.id))


_ITS_OWN = "WHERE letter_id = ? AND signer_hash = ? AND signature_id = ?"


def _own(signature: Signature) -> tuple[object, ...]:
    return signature.letter_id, signature.signer_hash, signature.id
