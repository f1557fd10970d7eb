"""Destinations: where events go, and how they fare.

One thing must stay true: URL, options and secrets are stored sealed; what this module returns of them is
the sealed text, which only `domain/vault.py` opens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, exists, func, insert, or_, select, update

from widget_server.domain.deliveries import DestinationStatus, Health
from widget_server.store.db import Db, Row, Writer
from widget_server.store.tables import deliveries, destinations, events
from widget_server.store.waiting import read_instant


@dataclass(frozen=True, slots=True)
class DestinationRow:
    """A destination as stored. `event_types` None: the kind's own choice. `kept`: what its integration keeps,
    sealed. `after_seq`: the last event before it was added; set when it is inserted."""

    id: str
    letter_id: int
    partner_id: int | None
    kind: str
    sealed: str
    event_types: tuple[str, ...] | None
    health: Health
    created_at: datetime
    kept: str | None = None
    after_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Faring:
    """How a destination fares, and whose it is: held against others until commit."""

    id: str
    letter_id: int
    partner_id: int | None
    kind: str
    health: Health


async def find_destination(db: Db | Writer, id_: str) -> DestinationRow | None:
    row = await db.one(select(destinations).where(destinations.c.id == id_))
    return None if row is None else _destination(row)


async def destinations_of(db: Db, letter_id: int) -> list[DestinationRow]:
    """A letter's destinations, its partners' included, in the order in which they were added."""
    rows = await db.all(
        select(destinations)
        .where(destinations.c.letter_id == letter_id)
        .order_by(destinations.c.created_at, destinations.c.id)
    )
    return [_destination(row) for row in rows]


async def listening(writer: Writer) -> list[DestinationRow]:
    """Every destination that events are kept for: the active ones, and the paused ones, whose work waits."""
    rows = await writer.all(select(destinations).where(destinations.c.status != "disabled"))
    return [_destination(row) for row in rows]


async def insert_destination(writer: Writer, row: DestinationRow) -> None:
    await writer.execute(
        insert(destinations).values(
            id=row.id,
            letter_id=row.letter_id,
            partner_id=row.partner_id,
            kind=row.kind,
            sealed=row.sealed,
            event_types=None if row.event_types is None else list(row.event_types),
            status=row.health.status,
            created_at=row.created_at,
            after_seq=select(func.coalesce(func.max(events.c.seq), 0)).scalar_subquery(),
        )
    )


async def reseal(writer: Writer, id_: str, sealed: str) -> None:
    await writer.execute(update(destinations).where(destinations.c.id == id_).values(sealed=sealed))


async def set_status(writer: Writer, id_: str, status: DestinationStatus, reason: str | None) -> None:
    await writer.execute(update(destinations).where(destinations.c.id == id_).values(status=status, reason=reason))


async def revive(writer: Writer, id_: str, at: datetime) -> None:
    """Active, as if it had never failed; what waits for it is due now."""
    await writer.execute(
        update(destinations)
        .where(destinations.c.id == id_)
        .values(
            status="active",
            reason=None,
            not_before=None,
            first_failed_at=None,
            told_at=None,
            sampled_at=None,
            sampled=0,
            sampled_ill=0,
            rests=0,
        )
    )
    await writer.execute(
        update(deliveries)
        .where((deliveries.c.destination_id == id_) & (deliveries.c.status == "pending"))
        .values(next_attempt_at=at)
    )


async def delete_destination(writer: Writer, id_: str) -> None:
    """With its deliveries and their attempts."""
    await writer.execute(delete(destinations).where(destinations.c.id == id_))


def has_due_work(now: datetime) -> Any:
    d = deliveries.c
    return exists().where(
        (d.destination_id == destinations.c.id)
        & (d.status == "pending")
        & (d.next_attempt_at <= now)
        & or_(d.leased_until.is_(None), d.leased_until <= now)
    )


async def due(db: Db, now: datetime) -> list[str]:
    """Ids of the destinations that something may be sent to now."""
    c = destinations.c
    rows = await db.all(
        select(c.id).where(
            (c.status == "active") & or_(c.not_before.is_(None), c.not_before <= now) & has_due_work(now)
        )
    )
    return [row["id"] for row in rows]


async def active(db: Db, ids: Sequence[str]) -> set[str]:
    """Which of `ids` may still be sent to."""
    c = destinations.c
    rows = await db.all(select(c.id).where(c.id.in_(ids) & (c.status == "active")))
    return {row["id"] for row in rows}


async def take_turn(writer: Writer, id_: str, now: datetime, pace_seconds: float, *, probe: bool = False) -> bool:
    """Whether a send may begin now; if so, no other may, in any process, for `pace_seconds`. `probe`: it shows whether
    a destination that has been failing is well again."""
    rows = await writer.raw(
        "UPDATE destinations SET not_before = ?, sampled_at = CASE WHEN ? THEN ? ELSE sampled_at END"
        " WHERE id = ? AND status = 'active' AND (not_before IS NULL OR not_before <= ?) RETURNING id",
        (
            writer.instant(now + timedelta(seconds=pace_seconds)),
            probe,
            writer.instant(now),
            id_,
            writer.instant(now),
        ),
    )
    return bool(rows)


async def take_test(writer: Writer, id_: str, now: datetime, every_seconds: float) -> bool:
    """Whether a room may be told of a test signature: at most one in `every_seconds`."""
    rows = await writer.raw(
        "UPDATE destinations SET tested_at = ? WHERE id = ? AND (tested_at IS NULL OR tested_at <= ?) RETURNING id",
        (writer.instant(now), id_, writer.instant(now - timedelta(seconds=every_seconds))),
    )
    return bool(rows)


async def hold(writer: Writer, ids: Sequence[str]) -> dict[str, Faring]:
    """How they fare, locked until commit in an order that all keep to."""
    marks = ", ".join("?" * len(ids))
    # NO KEY: fan-out inserts deliveries that refer to these rows, in an order of its own: it must not wait.
    lock = " FOR NO KEY UPDATE" if writer.engine == "postgresql" else ""
    rows = await writer.raw(
        "SELECT id, letter_id, partner_id, kind, status, reason, first_failed_at, told_at,"  # noqa: S608
        " last_sent_at, not_before, sampled_at, sampled, sampled_ill, rests"
        f" FROM destinations WHERE id IN ({marks}) ORDER BY id{lock}",
        sorted(ids),
    )
    return {
        str(row[0]): Faring(
            str(row[0]),
            row[1],
            row[2],
            row[3],
            Health(row[4], row[5], *(read_instant(value) for value in row[6:11]), *row[11:14]),
        )
        for row in rows
    }


async def set_health(writer: Writer, id_: str, health: Health) -> None:
    await writer.raw(
        "UPDATE destinations SET status = ?, reason = ?, first_failed_at = ?, told_at = ?, last_sent_at = ?,"
        " not_before = ?, sampled_at = ?, sampled = ?, sampled_ill = ?, rests = ? WHERE id = ?",
        (
            health.status,
            health.reason,
            *(
                None if at is None else writer.instant(at)
                for at in (
                    health.first_failed_at,
                    health.told_at,
                    health.last_sent_at,
                    health.not_before,
                    health.sampled_at,
                )
            ),
            health.sampled,
            health.sampled_ill,
            health.rests,
            id_,
        ),
    )


def _destination(row: Row) -> DestinationRow:
    return DestinationRow(
        id=row["id"],
        letter_id=row["letter_id"],
        partner_id=row["partner_id"],
        kind=row["kind"],
        sealed=row["sealed"],
        event_types=None if row["event_types"] is None else tuple(row["event_types"]),
        health=Health(
            row["status"],
            row["reason"],
            row["first_failed_at"],
            row["told_at"],
            row["last_sent_at"],
            row["not_before"],
            row["sampled_at"],
            row["sampled"],
            row["sampled_ill"],
            row["rests"],
        ),
        created_at=row["created_at"],
        kept=row["kept"],
        after_seq=row["after_seq"],
    )
