"""What the retention job looks for and erases, a batch at a time, so that signing goes on meanwhile.

One thing must stay true: whatever goes here stays in the count where it counted.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from itertools import takewhile

from sqlalchemy import ColumnElement, and_, delete, exists, false, func, null, or_, select, true, update

from widget_server.domain.events import SIGNER_MAIL
from widget_server.store.client_keys import forget_keys_before
from widget_server.store.consents import forget_consents
from widget_server.store.db import Db, Writer
from widget_server.store.remainders import add_remainders
from widget_server.store.signatures import delete_signatures
from widget_server.store.tables import (
    attempts,
    deliveries,
    events,
    mail_quotas,
    signatures,
    signers,
    spent_challenges,
    spikes,
)
from widget_server.store.told import forget_deliveries

BATCH = 500
_s = signatures.c

Rows = ColumnElement[bool]


def unconfirmed(letter_id: int, before: datetime) -> Rows:
    """Nobody confirmed them, or a coordinator never released them."""
    return and_(_s.letter_id == letter_id, _s.status == "pending", _s.test.is_(False), _s.created_at < before)


def withdrawn(letter_id: int, before: datetime) -> Rows:
    return and_(_s.letter_id == letter_id, _s.status == "withdrawn", _s.withdrawn_at < before)


def rejected(letter_id: int) -> Rows:
    return and_(_s.letter_id == letter_id, _s.status == "rejected")


def tests(letter_id: int, before: datetime) -> Rows:
    return and_(_s.letter_id == letter_id, _s.test.is_(True), _s.created_at < before)


_CONTACTS = (_s.email, _s.postal_code, _s.city, _s.comment, _s.address_hash, _s.signer_hash, _s.client)


def with_contacts(letter_id: int) -> Rows:
    """Confirmed signatures that still hold contact details, or anything else that is not public."""
    held = [column.is_not(None) for column in _CONTACTS]
    representative = and_(_s.kind == "organization", _s.name.is_not(None))
    return and_(_s.letter_id == letter_id, _s.status == "confirmed", or_(*held, representative))


async def how_many(db: Db, rows: Rows) -> int:
    return int(await db.value(select(func.count()).select_from(signatures).where(rows)))


async def erase_batch(writer: Writer, rows: Rows, at: datetime, *, remember: bool = False) -> int:
    """Removes up to `BATCH` signatures with all that hangs on them. `remember`: as a number of unconfirmed ones."""
    found = await writer.all(
        select(_s.id, _s.letter_id, _s.statement, _s.kind, _s.quarantine).where(rows).order_by(_s.seq).limit(BATCH)
    )
    ids = [row["id"] for row in found]
    if ids:
        await forget_deliveries(writer, ids, "erased: its time was over", at)
        await forget_consents(writer, ids)
        await delete_signatures(writer, ids)
    if remember:
        genuine = [row for row in found if row["quarantine"] is None]
        numbers = Counter((row["letter_id"], row["statement"], row["kind"]) for row in genuine)
        await add_remainders(writer, "unconfirmed", numbers)
    return len(ids)


async def forget_contacts(writer: Writer, letter_id: int, at: datetime) -> int:
    """Takes the contact details out of up to `BATCH` confirmed signatures; what the list shows stays."""
    found = await writer.all(select(_s.id, _s.kind).where(with_contacts(letter_id)).order_by(_s.seq).limit(BATCH))
    ids = [row["id"] for row in found]
    if ids:
        emptied = {column.name: null() for column in _CONTACTS}
        await writer.execute(update(signatures).where(_s.id.in_(ids)).values(**emptied))
        representatives = [row["id"] for row in found if row["kind"] == "organization"]
        if representatives:
            await writer.execute(update(signatures).where(_s.id.in_(representatives)).values(name=null()))
        await forget_deliveries(writer, ids, "erased: its time was over", at)
    return len(ids)


def _places(letter_id: int, *, all_of_them: bool) -> ColumnElement[bool]:
    """Places of signers who are gone; all of them once nobody can sign any more and contact details go."""
    gone = ~exists().where(_s.id == signers.c.signature_id)
    return and_(signers.c.letter_id == letter_id, true() if all_of_them else gone)


async def places_left(db: Db, letter_id: int, *, all_of_them: bool) -> int:
    return int(
        await db.value(select(func.count()).select_from(signers).where(_places(letter_id, all_of_them=all_of_them)))
    )


async def forget_places(writer: Writer, letter_id: int, *, all_of_them: bool) -> None:
    await writer.execute(delete(signers).where(_places(letter_id, all_of_them=all_of_them)))


def _sealed(letter_id: int, before: datetime) -> ColumnElement[bool]:
    """Addresses that wait for a destination which takes nothing."""
    here = deliveries.c.event_id.in_(select(events.c.id).where(events.c.letter_id == letter_id))
    return and_(deliveries.c.sealed.is_not(None), deliveries.c.created_at < before, here)


async def sealed_left(db: Db, letter_id: int, before: datetime) -> int:
    return int(await db.value(select(func.count()).select_from(deliveries).where(_sealed(letter_id, before))))


async def give_up_sealed(writer: Writer, letter_id: int, before: datetime, at: datetime) -> None:
    await writer.execute(
        update(deliveries)
        .where(_sealed(letter_id, before))
        .values(
            status="failed",
            last_error="given_up: the address of an ended consent is kept no longer",
            finished_at=at,
            next_attempt_at=None,
            sealed=None,
            told_address=false(),
        )
    )


async def forget_clients(writer: Writer, before: datetime, first_day: date) -> int:
    """Takes the keyed hash of the client's address out of a batch of signatures from before, and removes the keys of
    days before `first_day`; gives how many signatures it looked at. It goes on where it stopped the last time."""
    await forget_keys_before(writer, first_day)
    mark = await _mark(writer, "clients")
    rows = await writer.all(select(_s.seq, _s.created_at).where(_s.seq > mark).order_by(_s.seq).limit(BATCH))
    old = [row["seq"] for row in takewhile(lambda row: row["created_at"] < before, rows)]
    if old:
        span = and_(_s.seq > mark, _s.seq <= old[-1], _s.client.is_not(None))
        await writer.execute(update(signatures).where(span).values(client=null()))
        await _set_mark(writer, "clients", old[-1])
    return len(old)


async def forget_mails(writer: Writer, before: datetime) -> int:
    """Takes the record of mails to signers out of a batch of events from before; gives how many it looked at. It goes
    on where it stopped the last time."""
    mark = await _mark(writer, "mails")
    e = events.c
    rows = await writer.all(select(e.seq, e.id, e.type, e.occurred_at).where(e.seq > mark).order_by(e.seq).limit(BATCH))
    old = list(takewhile(lambda row: row["occurred_at"] < before, rows))
    mails = [row["id"] for row in old if row["type"] == SIGNER_MAIL]
    if mails:
        await writer.execute(delete(deliveries).where(deliveries.c.event_id.in_(mails)))  # with their attempts
        await writer.execute(delete(events).where(e.id.in_(mails)))
    if old:
        await _set_mark(writer, "mails", old[-1]["seq"])
    return len(old)


async def forget_attempts(writer: Writer, before: datetime) -> int:
    """Removes a batch of attempts from before; gives how many. Their ids are in the order of time."""
    a = attempts.c
    rows = await writer.all(select(a.id, a.started_at).order_by(a.id).limit(BATCH))
    old = [row["id"] for row in takewhile(lambda row: row["started_at"] < before, rows)]
    if old:
        await writer.execute(delete(attempts).where(a.id.in_(old)))
    return len(old)


async def forget_traces(writer: Writer, quota_before: datetime, at: datetime) -> None:
    """Quotas, spent work and told spikes whose time is over: none of them is about a signature any more."""
    await writer.execute(delete(mail_quotas).where(mail_quotas.c.started_at < quota_before))
    await writer.execute(delete(spent_challenges).where(spent_challenges.c.expires_at < at))
    await writer.execute(delete(spikes).where(spikes.c.told_at < quota_before))


async def my_turn(writer: Writer, period: int) -> bool:
    """Whether nobody has swept in this period yet; if so, nobody else will."""
    rows = await writer.raw(
        "INSERT INTO revisions (name, number) VALUES ('retention', ?) ON CONFLICT (name)"
        " DO UPDATE SET number = excluded.number WHERE revisions.number < excluded.number RETURNING number",
        (period,),
    )
    return bool(rows)


async def _mark(writer: Writer, name: str) -> int:
    rows = await writer.raw("SELECT number FROM revisions WHERE name = ?", (name,))
    return int(rows[0][0]) if rows else 0


async def _set_mark(writer: Writer, name: str, number: int) -> None:
    await writer.raw(
        "INSERT INTO revisions (name, number) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET number = excluded.number",
        (name, number),
    )
