"""Events that wait for fan-out, and events of long ago for a replay.

One thing must stay true: an event is marked in the transaction that wrote its deliveries, so that a crash
between the two can neither lose nor double one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from widget_server.domain.events import Consented
from widget_server.store.db import Db, Writer
from widget_server.store.events import EventRow
from widget_server.store.tables import events


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that waits for fan-out."""

    seq: int
    row: EventRow


async def take_waiting(writer: Writer, limit: int) -> list[Waiting]:
    """The oldest events that wait for fan-out, at most `limit`, held against other dispatchers until
    commit."""
    rows = await writer.raw(
        "SELECT seq, id, type, letter_id, partner_id, signature_id, data, occurred_at FROM events"  # noqa: S608
        " WHERE fanned_out_at IS NULL ORDER BY seq LIMIT ?" + _skip_locked(writer),
        (limit,),
    )
    return [Waiting(row[0], read_event(row[1:])) for row in rows]


async def consented(writer: Writer, signature_ids: Sequence[str]) -> dict[str, Consented]:
    """Of these signatures, those that are confirmed and whose signers let somebody write to them."""
    if not signature_ids:
        return {}
    marks = ", ".join("?" * len(signature_ids))
    rows = await writer.raw(
        "SELECT id, contact_opt_in, partner_opt_in, partner_id FROM signatures"  # noqa: S608
        f" WHERE id IN ({marks}) AND status = 'confirmed' AND NOT test AND quarantine IS NULL"
        " AND (contact_opt_in OR partner_opt_in)",
        list(signature_ids),
    )
    return {str(row[0]): Consented(bool(row[1]), row[3] if row[2] else None) for row in rows}


async def mark_fanned_out(writer: Writer, seqs: Sequence[int], at: datetime) -> None:
    instant = writer.instant(at)
    await writer.raw_many("UPDATE events SET fanned_out_at = ? WHERE seq = ?", [(instant, seq) for seq in seqs])


async def mark_told(writer: Writer, id_: str, at: datetime) -> None:
    """An event that was written for one destination only: fan-out leaves it alone."""
    await writer.execute(update(events).where(events.c.id == id_).values(fanned_out_at=at))


async def pass_over_waiting(writer: Writer, limit: int, at: datetime) -> int:
    """Marks up to `limit` waiting events as fanned out, where there is nobody to tell; returns how many."""
    rows = await writer.raw(
        "UPDATE events SET fanned_out_at = ? WHERE seq IN (SELECT seq FROM events"  # noqa: S608
        " WHERE fanned_out_at IS NULL"
        f" ORDER BY seq LIMIT ?{_skip_locked(writer)}) RETURNING seq",
        (writer.instant(at), limit),
    )
    return len(rows)


async def earlier_events(
    db: Db, letter_id: int, *, since: datetime | None, until: datetime | None, after_seq: int, limit: int
) -> list[Waiting]:
    """A letter's events in the order in which they were written, from `since` on and before `until`, for a replay."""
    wanted = (events.c.letter_id == letter_id) & (events.c.seq > after_seq)
    if since is not None:
        wanted &= events.c.occurred_at >= since
    if until is not None:
        wanted &= events.c.occurred_at < until
    rows = await db.all(select(events).where(wanted).order_by(events.c.seq).limit(limit))
    return [Waiting(row["seq"], EventRow(*(row[column] for column in _COLUMNS))) for row in rows]


_COLUMNS = ("id", "type", "letter_id", "partner_id", "signature_id", "data", "occurred_at")


def read_event(row: Sequence[Any]) -> EventRow:
    """From prepared text: id, type, letter_id, partner_id, signature_id, data, occurred_at, as the driver
    has them."""
    id_, type_, letter_id, partner_id, signature_id, data, occurred_at = row
    return EventRow(
        str(id_),
        type_,
        letter_id,
        partner_id,
        None if signature_id is None else str(signature_id),
        json.loads(data),
        read_instant(occurred_at),
    )


def read_instant(value: Any) -> Any:
    """A time from prepared text: text on SQLite, already a time on PostgreSQL, None as it is."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _skip_locked(writer: Writer) -> str:
    return " FOR UPDATE SKIP LOCKED" if writer.engine == "postgresql" else ""
