"""Mails to signers: each a delivery without a destination, of an event of its own (`signer.mail`).

One thing must stay true: the mail is promised in the transaction that makes it due, and neither the event nor the
delivery holds an address or a link: both are put together when it is sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, exists, or_, select

from widget_server.domain.events import SIGNER_MAIL
from widget_server.domain.ids import new_id
from widget_server.domain.signatures import Signature
from widget_server.store.db import Db, Writer
from widget_server.store.events import event_steps
from widget_server.store.places import Place
from widget_server.store.plans import Do, Engine, instant
from widget_server.store.signatures import SIGNATURE_COLUMNS, signature_of
from widget_server.store.tables import deliveries, json_text, signatures

KIND = "signer-mail"

Mail = Literal["confirm", "reminder", "signer"]
"""What it is for: confirm the address (or hear that one has signed already), once more after two days, or reach the
signer's own page."""


@dataclass(frozen=True, slots=True)
class NewMail:
    """`signature_id` None: whichever this mailbox has, found when it is sent by `address_hash`."""

    mail: Mail
    letter_id: int
    partner_id: int | None
    signature_id: str | None
    at: datetime
    due_at: datetime
    address_hash: str | None = None


def mail_to(signature_id: str, letter_id: int, partner_id: int, at: datetime) -> NewMail:
    """The mail that asks to confirm, due at once."""
    return NewMail("confirm", letter_id, partner_id, signature_id, at, at)


_DELIVERY = ("id", "event_id", "kind", "status", "attempts", "throttled", "next_attempt_at", "created_at")


def mail_steps(engine: Engine, mails: Sequence[NewMail], told: Sequence[object] = ()) -> Iterator[Do]:
    """Promises them, as steps of a plan. Fan-out has nothing to do: the only receiver is known. `told`: cells of other
    events, written in the same statement, so that a signature of which nobody is told takes as many steps."""
    events = list(told)
    deliveries: list[object] = []
    for one in mails:
        id_, at = new_id(), instant(engine, one.at)
        data = json_text({"mail": one.mail} | ({"to": one.address_hash} if one.address_hash else {}))
        events += (id_, SIGNER_MAIL, one.letter_id, one.partner_id, one.signature_id, data, at, at)
        deliveries += (new_id(), id_, KIND, "pending", 0, 0, instant(engine, one.due_at), at)
    yield from event_steps(events)
    if mails:
        yield Do(_insert("deliveries", _DELIVERY, len(mails)), deliveries)


def _insert(table: str, columns: Sequence[str], number: int) -> str:
    row = f"({', '.join('?' * len(columns))})"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * number)}"  # noqa: S608


async def promise_mails(writer: Writer, mails: Sequence[NewMail]) -> None:
    for step in mail_steps(writer.engine, mails):
        await writer.raw(step.sql, step.values)


@dataclass(frozen=True, slots=True)
class MailWork:
    """A claimed mail. `counted`: it was counted against its mailbox's day before. `place`: who holds the place of the
    signer that it is about."""

    id: str
    attempts: int
    throttled: int
    counted: bool
    mail: Mail
    letter_id: int
    signature_id: str | None
    address_hash: str | None
    place: Place | None


@dataclass(frozen=True, slots=True)
class MailEnd:
    """What the end of an attempt means beyond its delivery. `remind`: the key of the reminder to promise where it has
    arrived; `refused`: the mail server takes nothing for this mailbox, ever."""

    letter_id: int
    partner_id: int
    signature_id: str
    address_hash: str | None
    remind: str | None
    refused: bool


def mail_is_due(now: datetime) -> ColumnElement[bool]:
    d = deliveries.c
    free = or_(d.leased_until.is_(None), d.leased_until <= now)
    return exists().where(and_(d.destination_id.is_(None), d.status == "pending", d.next_attempt_at <= now, free))


async def any_mail_due(db: Db, now: datetime) -> bool:
    return bool(await db.value(select(mail_is_due(now))))


async def claim_mails(writer: Writer, *, limit: int, lease: str, now: datetime, until: datetime) -> list[MailWork]:
    """Leases up to `limit` due mails, the longest due first."""
    lock = " FOR UPDATE SKIP LOCKED" if writer.engine == "postgresql" else ""
    at = writer.instant(now)
    claimed = await writer.raw(
        "UPDATE deliveries SET lease = ?, leased_until = ? WHERE id IN (SELECT id FROM deliveries"  # noqa: S608
        " WHERE destination_id IS NULL AND kind = ? AND status = 'pending' AND next_attempt_at <= ?"
        f" AND (leased_until IS NULL OR leased_until <= ?) ORDER BY next_attempt_at, id LIMIT ?{lock}) RETURNING id",
        (lease, writer.instant(until), KIND, at, at, limit),
    )
    if not claimed:
        return []
    rows = await writer.raw(
        "SELECT d.id, d.attempts, d.throttled, d.told_address, e.data, e.letter_id, e.signature_id,"  # noqa: S608
        " g.signature_id, g.rejected FROM deliveries d JOIN events e ON e.id = d.event_id"
        " LEFT JOIN signatures s ON s.id = e.signature_id"
        " LEFT JOIN signers g ON g.letter_id = s.letter_id AND g.signer_hash = s.signer_hash"
        f" WHERE d.id IN ({', '.join('?' * len(claimed))}) ORDER BY d.next_attempt_at, d.id",
        [str(id_) for (id_,) in claimed],
    )
    return [_work(row) for row in rows]


def _work(row: Sequence[Any]) -> MailWork:
    data = json.loads(row[4])
    return MailWork(
        id=str(row[0]),
        attempts=row[1],
        throttled=row[2],
        counted=bool(row[3]),
        mail=data["mail"],
        letter_id=row[5],
        signature_id=None if row[6] is None else str(row[6]),
        address_hash=data.get("to"),
        place=None if row[7] is None else Place(str(row[7]), bool(row[8])),
    )


async def signatures_of(writer: Writer, works: Sequence[MailWork]) -> dict[str, Signature]:
    """The signatures that mails are about, by id; those that are gone are left out."""
    ids = {one.signature_id for one in works if one.signature_id}
    rows = await writer.all(select(*SIGNATURE_COLUMNS).where(signatures.c.id.in_(ids))) if ids else []
    return {row["id"]: signature_of(row) for row in rows}


async def keep_counted(writer: Writer, ids: Sequence[str]) -> None:
    """From here on an attempt may carry the address, and the mail is among those of its mailbox's day: tried again, it
    is not counted again."""
    await writer.raw_many("UPDATE deliveries SET told_address = TRUE WHERE id = ?", [(id_,) for id_ in sorted(ids)])


async def forget_who_asked(writer: Writer, delivery_ids: Sequence[str]) -> None:
    """Whoever asked for the way to their own page, signer or not: their mailbox's hash goes once that mail is over."""
    if delivery_ids:
        marks = ", ".join("?" * len(delivery_ids))
        await writer.raw(
            "UPDATE events SET data = ? WHERE type = ? AND signature_id IS NULL"  # noqa: S608
            f" AND id IN (SELECT event_id FROM deliveries WHERE id IN ({marks}))",
            (json_text({"mail": "signer"}), SIGNER_MAIL, *sorted(delivery_ids)),
        )


async def mark_refused(writer: Writer, letter_id: int, address_hash: str, at: datetime) -> None:
    """Keeps on everything that a mailbox has signed in a letter that it takes no mail."""
    lock = " FOR UPDATE" if writer.engine == "postgresql" else ""
    await writer.raw(
        "UPDATE signatures SET mail_refused_at = ? WHERE seq IN (SELECT seq FROM signatures WHERE letter_id = ?"  # noqa: S608
        f" AND address_hash = ? AND mail_refused_at IS NULL ORDER BY seq{lock}) RETURNING seq",
        (writer.instant(at), letter_id, address_hash),
    )


async def make_due(writer: Writer, now: datetime, *, always: str, few: str, few_attempts: int) -> int:
    """Lets those go at once that wait because of what their record says: patterns of `last_error`. `few`: only such as
    have spent no more than `few_attempts`. Gives how many."""
    at = writer.instant(now)
    rows = await writer.raw(
        "UPDATE deliveries SET next_attempt_at = ? WHERE destination_id IS NULL AND status = 'pending'"
        " AND next_attempt_at > ? AND attempts > 0"
        " AND (last_error LIKE ? OR (last_error LIKE ? AND attempts <= ?)) RETURNING id",
        (at, at, always, few, few_attempts),
    )
    return len(rows)
