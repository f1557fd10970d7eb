"""Places among the signers: who holds one, by the keyed hash of what makes a signer the same one.

One thing must stay true: the primary key decides who has signed already; nobody looks first.
"""

from __future__ import annotations

from dataclasses import dataclass

from widget_server.store.db import Writer


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


async def find_place(writer: Writer, letter_id: int, signer_hash: str) -> Place | None:
    rows = await writer.raw(
        "SELECT signature_id, rejected FROM signers WHERE letter_id = ? AND signer_hash = ?", (letter_id, signer_hash)
    )
    return Place(str(rows[0][0]), bool(rows[0][1])) if rows else None


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


async def bar_place(writer: Writer, letter_id: int, signer_hash: str, signature_id: str) -> None:
    """Bars the place of a signature that is refused; one that another signature holds stays as it is."""
    await writer.raw(
        "INSERT INTO signers (letter_id, signer_hash, signature_id, rejected) VALUES (?, ?, ?, TRUE)"
        " ON CONFLICT (letter_id, signer_hash) DO UPDATE SET rejected = TRUE"
        " WHERE signers.signature_id = excluded.signature_id",
        (letter_id, signer_hash, signature_id),
    )
    await writer.raw("UPDATE signers SET rejected = TRUE WHERE alias AND signature_id = ?", (signature_id,))


async def unbar_aliases(writer: Writer, signature_id: str) -> None:
    await writer.raw("UPDATE signers SET rejected = FALSE WHERE alias AND signature_id = ?", (signature_id,))


async def hand_over(writer: Writer, letter_id: int, signer_hash: str, signature_id: str, *, alias: bool) -> None:
    """Lets a signature hold the place as its own, or as an alias: of one merged into it, or of an earlier spelling."""
    await writer.raw(
        "INSERT INTO signers (letter_id, signer_hash, signature_id, alias) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (letter_id, signer_hash)"
        " DO UPDATE SET signature_id = excluded.signature_id, alias = excluded.alias, rejected = FALSE",
        (letter_id, signer_hash, signature_id, alias),
    )
