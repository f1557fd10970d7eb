"""Who was told a signer's address, so that they can be told when the consent ends; and what erasing takes back.

One thing must stay true: an end is written in the transaction that ends the consent, and carries the address sealed
until it is delivered or given up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from widget_server.store.db import Writer


@dataclass(frozen=True, slots=True)
class Told:
    """A destination that heard of a signature. `partner_id`: its owner, None for the letter's own. `address`: an
    attempt carried the address; else one is under way, which carries it where a consent allows."""

    destination_id: str
    kind: str
    partner_id: int | None
    address: bool


@dataclass(frozen=True, slots=True)
class Ending:
    """A delivery that tells of a consent's end. `sealed` holds the address, encrypted."""

    id: str
    event_id: str
    destination_id: str
    kind: str
    sealed: str


async def told_of_address(writer: Writer, signature_id: str) -> list[Told]:
    """Destinations that were sent the address, or may be just now, since the last end that they were told of."""
    rows = await writer.raw(
        "SELECT d.destination_id, d.kind, t.partner_id, max(CASE WHEN d.told_address THEN 1 ELSE 0 END)"
        " FROM events e JOIN deliveries d ON d.event_id = e.id JOIN destinations t ON t.id = d.destination_id"
        " WHERE e.signature_id = ? AND (d.told_address OR (d.status = 'pending' AND d.lease IS NOT NULL))"
        " GROUP BY d.destination_id, d.kind, t.partner_id ORDER BY d.destination_id",
        (signature_id,),
    )
    return [Told(str(row[0]), row[1], row[2], bool(row[3])) for row in rows]


async def write_endings(writer: Writer, signature_id: str, endings: Sequence[Ending], at: datetime) -> None:
    """Due at `at`. What was told before is settled by them: a later end is not told again."""
    instant = writer.instant(at)
    await writer.raw_many(
        "UPDATE deliveries SET told_address = FALSE WHERE destination_id = ? AND told_address"
        " AND event_id IN (SELECT id FROM events WHERE signature_id = ?)",
        [(one.destination_id, signature_id) for one in endings],
    )
    await writer.raw_many(
        "INSERT INTO deliveries (id, event_id, destination_id, kind, status, attempts, throttled, next_attempt_at,"
        " created_at, sealed) VALUES (?, ?, ?, ?, 'pending', 0, 0, ?, ?, ?)"
        " ON CONFLICT (event_id, destination_id) DO UPDATE SET sealed = excluded.sealed",
        [(one.id, one.event_id, one.destination_id, one.kind, instant, instant, one.sealed) for one in endings],
    )


@dataclass(frozen=True, slots=True)
class Received:
    """A destination that was sent something about a signature. Whose it is: `partner_id`, None for the letter's own."""

    destination_id: str
    kind: str
    partner_id: int | None
    attempts: int


async def received_by(writer: Writer, signature_ids: Sequence[str]) -> list[Received]:
    """Every destination to which an attempt about these signatures was made."""
    marks = ", ".join("?" * len(signature_ids))
    rows = await writer.raw(
        "SELECT d.destination_id, d.kind, t.partner_id, count(a.id)"  # noqa: S608
        " FROM events e JOIN deliveries d ON d.event_id = e.id JOIN destinations t ON t.id = d.destination_id"
        f" JOIN attempts a ON a.delivery_id = d.id WHERE e.signature_id IN ({marks})"
        " GROUP BY d.destination_id, d.kind, t.partner_id ORDER BY d.destination_id",
        list(signature_ids),
    )
    return [Received(str(row[0]), row[1], row[2], row[3]) for row in rows]


async def forget_deliveries(writer: Writer, signature_ids: Sequence[str], reason: str, at: datetime) -> int:
    """Cancels what still waits about erased signatures, but for the ends that carry an address; forgets what receivers
    answered, which may quote what they were sent (in this order: whoever writes an answer holds its delivery). Gives
    the number of deliveries cancelled."""
    marks = ", ".join("?" * len(signature_ids))
    about = f"event_id IN (SELECT id FROM events WHERE signature_id IN ({marks}))"  # noqa: S608
    cancelled = await writer.raw(
        "UPDATE deliveries SET status = 'cancelled', last_error = ?, finished_at = ?, next_attempt_at = NULL,"  # noqa: S608
        f" lease = NULL, leased_until = NULL WHERE status = 'pending' AND sealed IS NULL AND {about} RETURNING id",
        (reason, writer.instant(at), *signature_ids),
    )
    await writer.raw(
        f"UPDATE attempts SET response = NULL WHERE delivery_id IN (SELECT id FROM deliveries WHERE {about})"  # noqa: S608
        " AND response IS NOT NULL",
        list(signature_ids),
    )
    await writer.raw(
        f"UPDATE deliveries SET note = NULL WHERE note IS NOT NULL AND sealed IS NULL AND {about}",  # noqa: S608
        list(signature_ids),
    )
    return len(cancelled)
