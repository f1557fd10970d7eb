"""Mails to those whose destinations they are: each a delivery without a destination, of the event that tells of
trouble.

One thing must stay true: the mail is promised in the transaction that writes its event, and holds no address: who is
written to is asked when it is sent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from widget_server.domain.ids import new_id
from widget_server.store.db import Writer
from widget_server.store.deliveries import LEASE, Work, work
from widget_server.store.events import EventRow

KIND = "owner-mail"


async def promise_owner_mails(writer: Writer, events: Sequence[EventRow], at: datetime) -> None:
    """One for each event that is somebody's who named an address, due at once."""
    reachable = {owner for owner in {_owner(event) for event in events} if await _named(writer, *owner)}
    instant = writer.instant(at)
    await writer.raw_many(
        "INSERT INTO deliveries (id, event_id, kind, status, attempts, throttled, next_attempt_at, created_at)"
        " VALUES (?, ?, ?, 'pending', 0, 0, ?, ?)",
        [(new_id(), event.id, KIND, instant, instant) for event in events if _owner(event) in reachable],
    )


def _owner(event: EventRow) -> tuple[int, int | None]:
    return event.letter_id, event.partner_id


async def _named(writer: Writer, letter_id: int, partner_id: int | None) -> bool:
    if partner_id is not None:
        rows = await writer.raw("SELECT contact FROM partners WHERE id = ?", (partner_id,))
        return bool(rows and rows[0][0])
    rows = await writer.raw("SELECT settings FROM letters WHERE id = ?", (letter_id,))
    return bool(rows and json.loads(rows[0][0]).get("notify"))


async def claim_owner_mails(writer: Writer, *, limit: int, lease: str, now: datetime, until: datetime) -> list[Work]:
    """Leases up to `limit` that are due, the longest due first."""
    lock = " FOR UPDATE SKIP LOCKED" if writer.engine == "postgresql" else ""
    at = writer.instant(now)
    rows = await writer.raw(
        f"{LEASE} WHERE id IN (SELECT id FROM deliveries WHERE destination_id IS NULL AND kind = ?"  # noqa: S608
        " AND status = 'pending' AND next_attempt_at <= ? AND (leased_until IS NULL OR leased_until <= ?)"
        f" ORDER BY next_attempt_at, id LIMIT ?{lock}) RETURNING id",
        (lease, writer.instant(until), KIND, at, at, limit),
    )
    return await work(writer, [str(row[0]) for row in rows]) if rows else []
