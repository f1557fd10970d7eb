"""The one question that an idle dispatcher asks, once a second: is there anything to do?

One thing must stay true: its answer costs a few index look-ups, however much is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, or_, select

from widget_server.store.db import Db
from widget_server.store.destinations import has_due_work
from widget_server.store.mails import mail_is_due
from widget_server.store.tables import destinations, events, revisions


@dataclass(frozen=True, slots=True)
class Pulse:
    """`revision`: rises with every change of a letter or partner. `waiting`: events for fan-out. `due`:
    deliveries to destinations. `mail`: mails to signers."""

    revision: int
    waiting: bool
    due: bool
    mail: bool


async def pulse(db: Db, now: datetime) -> Pulse:
    revision = select(revisions.c.number).where(revisions.c.name == "directory").scalar_subquery()
    waiting = exists().where(events.c.fanned_out_at.is_(None))
    c = destinations.c
    open_now = (c.status == "active") & or_(c.not_before.is_(None), c.not_before <= now)
    due = exists().where(open_now & has_due_work(now))
    row = await db.one(
        select(revision.label("revision"), waiting.label("waiting"), due.label("due"), mail_is_due(now).label("mail"))
    )
    assert row is not None
    return Pulse(row["revision"] or 0, bool(row["waiting"]), bool(row["due"]), bool(row["mail"]))
