"""Places among the signers: who holds one, by the keyed hash of what makes a signer the same one.

One thing must stay true: the primary key decides who has signed already; nobody looks first.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from widget_server.store.db import Db, Writer
from widget_server.store.tables import signers


@dataclass(frozen=True, slots=True)
class Place:
    """Who holds it. `rejected`: it is barred; its signature was refused."""

    signature_id: str
    rejected: bool


async def take_place(writer: Writer, letter_id: int, signer_hash: str, signature_id: str) -> Place | None:
    """Takes the place and gives None, or gives who has it. One that was barred by this very signature is taken back."""
    won = await writer.raw(
        "INSERT INTO signers (letter_id, signer_hash, signature_id) VALUES (?, ?, ?)"
        " ON CONFLICT (letter_id, signer_hash) DO UPDATE SET rejected = FALSE"
        " WHERE signers.signature_id = excluded.signature_id RETURNING signature_id",
        (letter_id, signer_hash, signature_id),
    )
    return None if won else await find_place(writer, letter_id, signer_hash)


async def find_place(db: Db | Writer, letter_id: int, signer_hash: str) -> Place | None:
    c = signers.c
    row = await db.one(select(c.signature_id, c.rejected).where(c.letter_id == letter_id, c.signer_hash == signer_hash))
    return None if row is None else Place(row["signature_id"], bool(row["rejected"]))


async def hold_places(writer: Writer, letter_id: int, signer_hash: str, signature_id: str) -> None:
    """Holds the places of a signature until the end of the transaction: whoever is about to repeat it waits, and then
    finds what became of it. On SQLite nobody else writes meanwhile."""
    if writer.engine == "postgresql":
        await writer.raw(
            "SELECT 1 FROM signers WHERE letter_id = ? AND (signer_hash = ? OR (alias AND signature_id = ?))"
            " ORDER BY signer_hash FOR UPDATE",
            (letter_id, signer_hash, signature_id),
        )


async def take_over(writer: Writer, letter_id: int, signer_hash: str, signature_id: str) -> bool:
    """Takes a barred place: a coordinator has found that this signature is good."""
    rows = await writer.raw(
        "UPDATE signers SET signature_id = ?, rejected = FALSE, alias = FALSE"
        " WHERE letter_id = ? AND signer_hash = ? AND rejected RETURNING signature_id",
        (signature_id, letter_id, signer_hash),
    )
    return bool(rows)


async def leave_place(
    writer: Writer, letter_id: int, signer_hash: str, signature_id: str, head_id: str | None = None
) -> None:
    """Frees the places that a signature holds, by itself or through the one that it stands behind, those under earlier
    spellings too."""
    await writer.raw(
        "DELETE FROM signers WHERE letter_id = ? AND signer_hash = ? AND signature_id IN (?, ?)",
        (letter_id, signer_hash, signature_id, head_id or signature_id),
    )
    await writer.raw("DELETE FROM signers WHERE alias AND signature_id = ?", (signature_id,))


async def bar_place(
    writer: Writer, letter_id: int, signer_hash: str, signature_id: str, head_id: str | None = None
) -> None:
    """Bars the places of a signature that is refused, held by itself or through the one that it stands behind; one
    that another signature holds stays as it is."""
    await writer.raw(
        "INSERT INTO signers (letter_id, signer_hash, signature_id, rejected) VALUES (?, ?, ?, TRUE)"
        " ON CONFLICT (letter_id, signer_hash)"
        " DO UPDATE SET rejected = TRUE, alias = FALSE, signature_id = excluded.signature_id"
        " WHERE signers.signature_id IN (excluded.signature_id, ?)",
        (letter_id, signer_hash, signature_id, head_id or signature_id),
    )
    await writer.raw("UPDATE signers SET rejected = TRUE WHERE alias AND signature_id = ?", (signature_id,))


async def lift_bar(writer: Writer, letter_id: int, signer_hash: str, signature_id: str, head_id: str) -> None:
    """What a refused signature barred belongs to the one that it stands behind from now on, or to itself."""
    await writer.raw(
        "UPDATE signers SET rejected = FALSE, signature_id = ?, alias = ?"
        " WHERE letter_id = ? AND signer_hash = ? AND rejected AND signature_id = ?",
        (head_id, head_id != signature_id, letter_id, signer_hash, signature_id),
    )
    await writer.raw("UPDATE signers SET rejected = FALSE WHERE alias AND signature_id = ?", (signature_id,))


async def move_place(
    writer: Writer, letter_id: int, signer_hash: str, from_id: str, to_id: str, *, alias: bool
) -> bool:
    """Lets a signature hold the place that `from_id` has, as its own, or as an alias: of one that stands behind it, or
    of an earlier spelling. Whether `from_id` had it."""
    rows = await writer.raw(
        "UPDATE signers SET signature_id = ?, alias = ?"
        " WHERE letter_id = ? AND signer_hash = ? AND signature_id = ? AND NOT rejected RETURNING signature_id",
        (to_id, alias, letter_id, signer_hash, from_id),
    )
    return bool(rows)
