"""Writes signatures that were collected elsewhere.

One thing must stay true: the indexes decide what is new (`import_key`) and who has signed already
(`signers`), so that the same file twice, or two at once, adds nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from widget_server.domain.signatures import Kind
from widget_server.store.db import Writer
from widget_server.store.new_signatures import raise_counts

BATCH = 250


@dataclass(frozen=True, slots=True)
class ImportedSignature:
    """A row to be, confirmed and listed. Field for column, in the order in which it is written."""

    id: str
    letter_id: int
    partner_id: int
    statement: str
    kind: Kind
    name: str | None
    organization: str | None
    role: str | None
    organization_website: str | None
    email: str | None
    signer_hash: str | None
    address_hash: str | None
    country: str
    postal_code: str | None
    city: str | None
    locale: str
    source: str
    text_version: int
    import_key: str
    sort_key: str
    initiator_rank: int | None
    created_at: datetime
    confirmed_at: datetime


@dataclass(frozen=True, slots=True)
class Written:
    """Ids: `new` are stored and counted; `signed` are left out, since their signer had signed; the rest was
    imported before.
    """

    new: frozenset[str]
    signed: frozenset[str]


_GIVEN = tuple(field.name for field in fields(ImportedSignature))
_TIMES = tuple(i for i, column in enumerate(_GIVEN) if column.endswith("_at"))
_FIXED = {
    "status": "'confirmed'", "listing": "'listed'", "test": "FALSE", "authorized": "FALSE", "public": "TRUE",
    "contact_opt_in": "FALSE", "partner_opt_in": "FALSE", "origin_flagged": "FALSE", "shown": "FALSE",
}  # fmt: skip
_INSERT = f"INSERT INTO signatures ({', '.join((*_GIVEN, *_FIXED))}) VALUES "  # noqa: S608
_ROW = f"({', '.join((*'?' * len(_GIVEN), *_FIXED.values()))})"
_ONCE = " ON CONFLICT (letter_id, import_key) WHERE import_key IS NOT NULL DO NOTHING RETURNING id"


async def write_imported(
    writer: Writer, rows: Sequence[ImportedSignature], progress: Callable[[int], None] = lambda _: None
) -> Written:
    """Writes all of them within the caller's transaction. `progress` is told how many rows a batch had.

    Rows, then signers in the order of their hashes, then counts: the order of `store/ingest.py`, so that
    importing while people sign does not deadlock on PostgreSQL.
    """
    inserted: set[str] = set()
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        values: list[object] = []
        for row in batch:
            cells: list[object] = [getattr(row, column) for column in _GIVEN]
            for i in _TIMES:
                cells[i] = writer.instant(row.created_at if _GIVEN[i] == "created_at" else row.confirmed_at)
            values += cells
        stored = await writer.raw(_INSERT + ", ".join([_ROW] * len(batch)) + _ONCE, values)
        inserted.update(str(cells[0]) for cells in stored)
        progress(len(batch))
    signed = await _claim(writer, [row for row in rows if row.id in inserted and row.signer_hash is not None])
    new = inserted - signed
    numbers: dict[tuple[int, str, str], int] = {}
    for row in rows:
        if row.id in new:
            key = (row.letter_id, row.statement, row.kind)
            numbers[key] = numbers.get(key, 0) + 1
    if numbers:
        await writer.play(raise_counts(numbers))
    return Written(frozenset(new), frozenset(signed))


async def _claim(writer: Writer, rows: Sequence[ImportedSignature]) -> set[str]:
    """Takes each row's place in `signers`; takes out again, and gives the ids of, those whose place was
    taken.
    """
    claims = sorted(rows, key=lambda row: (row.signer_hash or "", row.id))
    lost: set[str] = set()
    for start in range(0, len(claims), BATCH):
        batch = claims[start : start + BATCH]
        won = await writer.raw(
            "INSERT INTO signers (letter_id, signer_hash, signature_id)"  # noqa: S608
            f" VALUES {_marks(len(batch), '(?, ?, ?)')}"
            " ON CONFLICT (letter_id, signer_hash) DO NOTHING RETURNING signature_id",
            [cell for row in batch for cell in (row.letter_id, row.signer_hash, row.id)],
        )
        beaten = sorted({row.id for row in batch} - {str(cells[0]) for cells in won})
        if beaten:
            await writer.raw(f"DELETE FROM signatures WHERE id IN ({_marks(len(beaten), '?')})", beaten)  # noqa: S608
        lost.update(beaten)
    return lost


def _marks(number: int, mark: str) -> str:
    return ", ".join([mark] * number)
