"""Reading about deliveries: lists, one with its attempts, numbers by status.

One thing must stay true: nothing here shows what was sent, only what became of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select, update

from widget_server.domain.deliveries import DeliveryStatus
from widget_server.store.db import Db, Row, Writer
from widget_server.store.tables import attempts, deliveries, events


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery with the type of its event, and when that happened. `destination_id` is None for mail to signers."""

    id: str
    event_id: str
    event_type: str
    occurred_at: datetime
    letter_id: int
    destination_id: str | None
    kind: str
    status: DeliveryStatus
    attempts: int
    next_attempt_at: datetime | None
    last_error: str | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class AttemptRow:
    started_at: datetime
    duration_seconds: float
    outcome: str
    status_code: int | None
    error: str | None
    response: str | None


_d, _e = deliveries.c, events.c


def _select() -> Select[tuple[object, ...]]:
    return select(
        _d.id,
        _d.event_id,
        _e.type.label("event_type"),
        _e.occurred_at,
        _e.letter_id,
        _d.destination_id,
        _d.kind,
        _d.status,
        _d.attempts,
        _d.next_attempt_at,
        _d.last_error,
        _d.created_at,
        _d.finished_at,
    ).join(events, _e.id == _d.event_id)


async def deliveries_of(
    db: Db,
    letter_id: int,
    *,
    status: str | None = None,
    destination_id: str | None = None,
    limit: int | None = None,
) -> list[DeliveryRow]:
    """A letter's deliveries, in the order in which their events happened; the last `limit` of them."""
    query = _select().where(_e.letter_id == letter_id)
    if status is not None:
        query = query.where(_d.status == status)
    if destination_id is not None:
        query = query.where(_d.destination_id == destination_id)
    rows = await db.all(query.order_by(_e.seq.desc(), _d.id.desc()).limit(limit))
    return [_delivery(row) for row in reversed(rows)]


async def find_delivery(db: Db, id_: str) -> DeliveryRow | None:
    row = await db.one(_select().where(_d.id == id_))
    return None if row is None else _delivery(row)


async def attempts_at(db: Db, delivery_id: str) -> list[AttemptRow]:
    """Every attempt at one delivery, the first one first."""
    c = attempts.c
    rows = await db.all(select(attempts).where(c.delivery_id == delivery_id).order_by(c.started_at, c.id))
    return [
        AttemptRow(
            row["started_at"],
            row["duration_seconds"],
            row["outcome"],
            row["status_code"],
            row["error"],
            row["response"],
        )
        for row in rows
    ]


async def numbers_by_status(db: Db, destination_id: str) -> dict[str, int]:
    """How many deliveries of a destination are pending, delivered, failed, cancelled."""
    query = select(_d.status, func.count().label("number")).where(_d.destination_id == destination_id)
    return {row["status"]: row["number"] for row in await db.all(query.group_by(_d.status))}


async def start_over(writer: Writer, delivery_id: str, at: datetime) -> None:
    """Due at `at` as if never tried; its attempts stay in the log."""
    await writer.execute(
        update(deliveries)
        .where(_d.id == delivery_id)
        .values(
            status="pending",
            attempts=0,
            throttled=0,
            next_attempt_at=at,
            last_error=None,
            finished_at=None,
            doubtful=_d.doubtful | (_d.status == "delivered"),
        )
    )


async def cancel_waiting(writer: Writer, ids: Sequence[str], reason: str, at: datetime) -> dict[str, int]:
    """Cancels those that wait or were given up; gives the letter of each."""
    marks = ", ".join("?" * len(ids))
    rows = await writer.raw(
        "UPDATE deliveries SET status = 'cancelled', last_error = ?, finished_at = ?, next_attempt_at = NULL,"  # noqa: S608
        " lease = NULL, leased_until = NULL, sealed = NULL, note = NULL"
        f" WHERE status IN ('pending', 'failed') AND id IN ({marks})"
        " RETURNING id, (SELECT letter_id FROM events WHERE events.id = deliveries.event_id)",
        (reason, writer.instant(at), *sorted(ids)),
    )
    return {str(row[0]): row[1] for row in rows}


async def states_at(writer: Writer, destination_id: str, event_ids: Sequence[str]) -> dict[str, DeliveryStatus]:
    """How these events' deliveries to one destination stand; an event without one is left out."""
    if not event_ids:
        return {}
    marks = ", ".join("?" * len(event_ids))
    rows = await writer.raw(
        f"SELECT event_id, status FROM deliveries WHERE destination_id = ? AND event_id IN ({marks})",  # noqa: S608
        (destination_id, *event_ids),
    )
    return {str(row[0]): row[1] for row in rows}


def _delivery(row: Row) -> DeliveryRow:
    return DeliveryRow(
        row["id"],
        row["event_id"],
        row["event_type"],
        row["occurred_at"],
        row["letter_id"],
        row["destination_id"],
        row["kind"],
        row["status"],
        row["attempts"],
        row["next_attempt_at"],
        row["last_error"],
        row["created_at"],
        row["finished_at"],
    )
