"""Deliveries under way: enqueued, claimed, settled. `store/delivery_log.py` is for reading about them.

One thing must stay true: whoever sends holds a lease, given by one conditional UPDATE; a crash frees it by
time alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from widget_server.domain.deliveries import DeliveryStatus, Outcome, Verdict
from widget_server.domain.payloads import SignatureFacts
from widget_server.store.db import Writer
from widget_server.store.events import EventRow
from widget_server.store.mails import MailEnd
from widget_server.store.waiting import read_event, read_instant

_DUE = (
    "destination_id = ? AND status = 'pending' AND next_attempt_at <= ? AND (leased_until IS NULL OR leased_until <= ?)"
)
LEASE = "UPDATE deliveries SET doubtful = doubtful OR lease IS NOT NULL, lease = ?, leased_until = ?"
"""A lease that has run out was held by somebody who ended in the middle of an attempt."""
_INSERT = (
    "INSERT INTO deliveries (id, event_id, destination_id, kind, status, attempts, throttled,"
    " next_attempt_at, created_at) VALUES (?, ?, ?, ?, 'pending', 0, 0, ?, ?)"
    " ON CONFLICT (event_id, destination_id) DO "
)
_AS_NEW = (
    "UPDATE SET status = 'pending', attempts = 0, throttled = 0, next_attempt_at = excluded.next_attempt_at,"
    " finished_at = NULL, last_error = NULL, doubtful = deliveries.doubtful OR deliveries.status = 'delivered'"
)


@dataclass(frozen=True, slots=True)
class NewDelivery:
    id: str
    event_id: str
    destination_id: str
    kind: str


@dataclass(frozen=True, slots=True)
class Work:
    """A delivery with what it speaks of. `facts` is None for an event about no signature, or about one
    removed. `sealed`: the address whose consent has ended, encrypted, where this delivery says so. `doubtful`: an
    earlier attempt may have arrived. `note`: what its integration keeps between attempts, encrypted."""

    id: str
    attempts: int
    throttled: int
    event: EventRow
    facts: SignatureFacts | None
    sealed: str | None = None
    doubtful: bool = False
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """How one attempt at one delivery ended, ready to be written. `id` is the attempt's. `told_address`: it carried
    the signer's address, by a consent that stood. `note`: what its integration wants kept, encrypted. A mail to a
    signer has no destination, and `mail`."""

    id: str
    delivery_id: str
    destination_id: str | None
    lease: str
    started_at: datetime
    duration_seconds: float
    verdict: Verdict
    told_address: bool = False
    note: str | None = None
    mail: MailEnd | None = None


async def enqueue(writer: Writer, rows: Sequence[NewDelivery], at: datetime) -> None:
    """Due at `at`. One that exists already (same event, same destination) stays as it is."""
    await writer.raw_many(f"{_INSERT}NOTHING", _new(writer, rows, at))


async def send_again(writer: Writer, rows: Sequence[NewDelivery], at: datetime) -> None:
    """Due at `at` as if never tried, whatever had become of it; what was tried stays in the log."""
    await writer.raw_many(f"{_INSERT}{_AS_NEW}", _new(writer, rows, at))


def _new(writer: Writer, rows: Sequence[NewDelivery], at: datetime) -> list[tuple[Any, ...]]:
    instant = writer.instant(at)
    return [(row.id, row.event_id, row.destination_id, row.kind, instant, instant) for row in rows]


async def claim(
    writer: Writer, destination_id: str, *, limit: int, lease: str, now: datetime, until: datetime
) -> list[str]:
    """Leases up to `limit` due deliveries, the longest due first; returns their ids."""
    lock = " FOR UPDATE SKIP LOCKED" if writer.engine == "postgresql" else ""
    at = writer.instant(now)
    rows = await writer.raw(
        f"{LEASE} WHERE id IN (SELECT id FROM deliveries"  # noqa: S608
        f" WHERE {_DUE} ORDER BY next_attempt_at, id LIMIT ?{lock}) RETURNING id",
        (lease, writer.instant(until), destination_id, at, at, limit),
    )
    return [str(row[0]) for row in rows]


async def claim_these(writer: Writer, ids: Sequence[str], *, lease: str, now: datetime, until: datetime) -> set[str]:
    """Leases those of `ids` that are still due and nobody's."""
    marks = ", ".join("?" * len(ids))
    rows = await writer.raw(
        f"{LEASE} WHERE status = 'pending'"
        f" AND id IN ({marks}) AND (leased_until IS NULL OR leased_until <= ?) RETURNING id",
        (lease, writer.instant(until), *sorted(ids), writer.instant(now)),
    )
    return {str(row[0]) for row in rows}


async def let_go(writer: Writer, ids: Sequence[str], lease: str) -> None:
    """Gives up leases of deliveries that were claimed and not begun."""
    await writer.raw_many(
        "UPDATE deliveries SET lease = NULL, leased_until = NULL WHERE id = ? AND lease = ?",
        [(id_, lease) for id_ in sorted(ids)],
    )


_WORK = (
    "SELECT d.id, d.attempts, d.throttled, d.sealed, d.doubtful, d.note,"
    " e.id, e.type, e.letter_id, e.partner_id, e.signature_id, e.data, e.occurred_at,"
    " s.id, s.partner_id, s.statement, s.kind, s.status, s.listing, s.repeat_of, s.test, s.quarantine,"
    " s.name, s.organization, s.role, s.email, s.country, s.city, s.postal_code, s.comment, s.locale,"
    " s.public, s.contact_opt_in, s.partner_opt_in, s.source, s.page, s.created_at, s.confirmed_at"
    " FROM deliveries d JOIN events e ON e.id = d.event_id LEFT JOIN signatures s ON s.id = e.signature_id"
)


async def work(writer: Writer, ids: Sequence[str]) -> list[Work]:
    """The deliveries `ids` with what they speak of, in the order in which it happened."""
    marks = ", ".join("?" * len(ids))
    return [_work(row) for row in await writer.raw(f"{_WORK} WHERE d.id IN ({marks}) ORDER BY e.seq", ids)]


async def claimed_work(writer: Writer, ids: Sequence[str]) -> list[Work]:
    """As `work`, of what has been claimed, in a transaction after the claim's. Whoever is just changing one of its
    signatures is waited for; whoever does so later finds the lease. So nobody's address leaves unnoticed."""
    if writer.engine == "postgresql":
        marks = ", ".join("?" * len(ids))
        await writer.raw(
            "SELECT 1 FROM signatures WHERE id IN (SELECT e.signature_id FROM deliveries d"  # noqa: S608
            f" JOIN events e ON e.id = d.event_id WHERE d.id IN ({marks})) ORDER BY seq FOR SHARE",
            ids,
        )
    return await work(writer, ids)


async def due_ids(writer: Writer, destination_id: str, *, limit: int, now: datetime) -> list[str]:
    """What is due at a destination and nobody's, without claiming it: the longest due first."""
    at = writer.instant(now)
    rows = await writer.raw(
        f"SELECT id FROM deliveries WHERE {_DUE} ORDER BY next_attempt_at, id LIMIT ?",  # noqa: S608
        (destination_id, at, at, limit),
    )
    return [str(row[0]) for row in rows]


def _work(row: Sequence[Any]) -> Work:
    facts = None if row[13] is None else _facts(row[13:])
    return Work(str(row[0]), row[1], row[2], read_event(row[6:13]), facts, row[3], bool(row[4]), row[5])


def _facts(row: Sequence[Any]) -> SignatureFacts:
    return SignatureFacts(
        id=str(row[0]),
        partner_id=row[1],
        statement=row[2],
        kind=row[3],
        status=row[4],
        listing=row[5],
        repeat_of=None if row[6] is None else str(row[6]),
        test=bool(row[7]),
        quarantined=row[8] is not None,
        name=row[9],
        organization=row[10],
        role=row[11],
        email=row[12],
        country=row[13],
        city=row[14],
        postal_code=row[15],
        comment=row[16],
        locale=row[17],
        public=bool(row[18]),
        contact_opt_in=bool(row[19]),
        partner_opt_in=bool(row[20]),
        source=row[21],
        page=row[22],
        created_at=read_instant(row[23]),
        confirmed_at=read_instant(row[24]),
    )


class Stands(NamedTuple):
    """How a delivery stands now. `quotable`: its receiver's answer may be kept, although it may quote what it was sent:
    the signer is there still, and this is not the word that a consent has ended."""

    status: DeliveryStatus
    lease: str | None
    quotable: bool


async def standing(writer: Writer, ids: Sequence[str]) -> dict[str, Stands]:
    """Those that still exist, locked until commit in an order that all keep to."""
    marks = ", ".join("?" * len(ids))
    lock = " FOR UPDATE OF d" if writer.engine == "postgresql" else ""
    rows = await writer.raw(
        "SELECT d.id, d.status, d.lease, d.sealed IS NULL AND d.status <> 'cancelled'"  # noqa: S608
        " AND (e.signature_id IS NULL OR s.id IS NOT NULL)"
        " FROM deliveries d JOIN events e ON e.id = d.event_id LEFT JOIN signatures s ON s.id = e.signature_id"
        f" WHERE d.id IN ({marks}) ORDER BY d.id{lock}",
        sorted(ids),
    )
    return {str(row[0]): Stands(row[1], None if row[2] is None else str(row[2]), bool(row[3])) for row in rows}


async def write_settlements(writer: Writer, settlements: Sequence[Settlement], at: datetime) -> None:
    """What became of the deliveries. Whether each may still be changed is the caller's to have asked."""
    finished = writer.instant(at)
    rows = []
    for one in settlements:
        verdict = one.verdict
        rows.append(
            (
                verdict.status,
                verdict.attempts,
                verdict.throttled,
                None if verdict.next_attempt_at is None else writer.instant(verdict.next_attempt_at),
                verdict.error,
                None if verdict.status == "pending" else finished,
                verdict.status,
                verdict.outcome is Outcome.UNKNOWN,
                verdict.status,
                one.delivery_id,
            )
        )
    await writer.raw_many(
        "UPDATE deliveries SET status = ?, attempts = ?, throttled = ?, next_attempt_at = ?, last_error = ?,"
        " finished_at = ?, lease = NULL, leased_until = NULL,"
        " sealed = CASE WHEN ? = 'pending' THEN sealed ELSE NULL END, doubtful = doubtful OR ?,"
        " note = CASE WHEN ? IN ('delivered', 'cancelled') THEN NULL ELSE note END WHERE id = ?",
        rows,
    )


async def write_told(writer: Writer, settlements: Sequence[Settlement]) -> None:
    """Whether an attempt succeeded is uncertain even where it failed: what was sent may have been read."""
    told = [(one.delivery_id,) for one in settlements if one.told_address]
    if told:
        await writer.raw_many("UPDATE deliveries SET told_address = TRUE WHERE id = ?", told)


async def write_notes(writer: Writer, settlements: Sequence[Settlement]) -> None:
    """What integrations keep between attempts, whatever has become of this one."""
    notes = [(one.note, one.delivery_id) for one in settlements if one.note is not None]
    if notes:
        await writer.raw_many("UPDATE deliveries SET note = ? WHERE id = ? AND status = 'pending'", notes)


async def write_attempts(writer: Writer, settlements: Sequence[Settlement], stands: Mapping[str, Stands]) -> None:
    await writer.raw_many(
        "INSERT INTO attempts (id, delivery_id, started_at, duration_seconds, outcome, status_code, error,"
        " response) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                one.id,
                one.delivery_id,
                writer.instant(one.started_at),
                one.duration_seconds,
                one.verdict.outcome.value,
                one.verdict.status_code,
                one.verdict.error,
                one.verdict.response if stands[one.delivery_id].quotable else None,
            )
            for one in settlements
        ],
    )


async def cancel(writer: Writer, reasons: Mapping[str, str], lease: str, at: datetime) -> None:
    """Deliveries that there is nothing left to say in, each with why."""
    await writer.raw_many(
        "UPDATE deliveries SET status = 'cancelled', last_error = ?, finished_at = ?, next_attempt_at = NULL,"
        " lease = NULL, leased_until = NULL, sealed = NULL, note = NULL WHERE id = ? AND lease = ?",
        [(reason, writer.instant(at), id_, lease) for id_, reason in sorted(reasons.items())],
    )
