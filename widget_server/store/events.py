"""Events: what happened, written in the same transaction as the fact itself.

One thing must stay true: an event holds references and facts of its moment, never a signer's data. What a
destination reads is rendered when it is sent (`domain/payloads.py`), so that consent is asked at that moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from widget_server.domain.events import SIGNER_MAIL
from widget_server.store.db import Db, Writer
from widget_server.store.plans import Do
from widget_server.store.tables import deliveries, events, json_text

_COLUMNS = ("id", "type", "letter_id", "partner_id", "signature_id", "data", "occurred_at", "fanned_out_at")
_INSERT = f"INSERT INTO events ({', '.join(_COLUMNS)}) VALUES "  # noqa: S608  names of our own
_ROW = f"({', '.join('?' * len(_COLUMNS))})"
_ROWS_AT_ONCE = 1000

_NO_DATA = "{}"


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event. `partner_id` is the partner credited for the signature it is about; `data` has only facts of
    that moment (`{"status": "pending"}`, counts for a milestone), JSON values all of them."""

    id: str
    type: str
    letter_id: int
    partner_id: int | None
    signature_id: str | None
    data: Mapping[str, Any]
    occurred_at: datetime


def event_values(writer: Writer, row: EventRow) -> tuple[Any, ...]:
    """The cells of one row, in the order of its columns, as the driver takes them."""
    return (
        row.id,
        row.type,
        row.letter_id,
        row.partner_id,
        row.signature_id,
        json_text(dict(row.data)) if row.data else _NO_DATA,
        writer.instant(row.occurred_at),
        None,
    )


async def insert_events(writer: Writer, rows: Iterable[EventRow]) -> None:
    """Writes them in the transaction of the fact they are about; fan-out finds them afterwards."""
    for step in event_steps([cell for row in rows for cell in event_values(writer, row)]):
        await writer.raw(step.sql, step.values)


def event_steps(cells: Sequence[Any]) -> Iterator[Do]:
    """The same from cells, row after row, as steps of a plan: one statement for many rows (the hot path)."""
    step = len(_COLUMNS) * _ROWS_AT_ONCE
    for start in range(0, len(cells), step):
        part = cells[start : start + step]
        yield Do(_INSERT + ", ".join([_ROW] * (len(part) // len(_COLUMNS))), part)


@dataclass(frozen=True, slots=True)
class Mailed:
    """A mail to a signer that left. `mail` says what for."""

    signature_id: str
    mail: str
    at: datetime


async def mails_about(db: Db, signature_ids: Sequence[str]) -> list[Mailed]:
    """The mails about these signatures that left, in that order; what still waits or was cancelled is none."""
    c, d = events.c, deliveries.c
    rows = await db.all(
        select(c.signature_id, c.data, d.finished_at)
        .join(deliveries, d.event_id == c.id)
        .where(c.signature_id.in_(signature_ids), c.type == SIGNER_MAIL, d.status == "delivered")
        .order_by(d.finished_at, c.seq)
    )
    return [Mailed(row["signature_id"], row["data"]["mail"], row["finished_at"]) for row in rows]
