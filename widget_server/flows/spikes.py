"""When unusually many signatures come from one client, one mail domain or one partner: coordinators are told.

1. Find what arrived in the last ten minutes. Nothing? That was one question.
2. Count it by client, by domain, by partner: which are many? Free mail is everybody's, and a partner that is always
   busy is not unusual.
3. Claim each that was not told of in the last hour, and write its event, in one transaction.

Safe to call at any time, from any number of servers. One thing must stay true: an event names a domain, a partner or a
scrap of a hash, never a signer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from widget_server.domain.ids import new_id
from widget_server.domain.organizations import is_free_mail
from widget_server.flows.directory import Directory
from widget_server.store.db import Db, Writer
from widget_server.store.events import EventRow, insert_events
from widget_server.store.owner_mails import promise_owner_mails
from widget_server.store.spikes import Crowd, What, brought, claim, crowds, last_before, told_since

EVERY_SECONDS = 30
"""How often looking is worth while."""
MINUTES = 10
ENOUGH: Mapping[What, int] = {"client": 30, "domain": 50, "partner": 100}
TIMES_THE_USUAL = 5
TOLD_ONCE_IN = timedelta(hours=1)
_WINDOW = timedelta(minutes=MINUTES)
_DAY = timedelta(days=1)
_CLIENT_SHOWN = 8


async def tell_of_spikes(db: Db, directory: Directory, now: datetime) -> int:
    """Writes the events that are due; returns how many. Raises `Unavailable` and driver errors."""
    since = now - _WINDOW
    start = await last_before(db, since)
    if start is None:
        return 0
    many = await crowds(db, start, since, ENOUGH)
    if not many:
        return 0
    told = await told_since(db, now - TOLD_ONCE_IN)
    new = await _unusual(db, [crowd for crowd in many if crowd.key not in told], start, since)
    spikes = {crowd: data for crowd in new if (data := await _data(directory, crowd)) is not None}
    return await db.again(lambda writer: _tell(writer, spikes, now)) if spikes else 0


async def _unusual(db: Db, many: list[Crowd], start: int, since: datetime) -> list[Crowd]:
    usual: dict[int, int] = {}
    busy = [int(crowd.subject) for crowd in many if crowd.what == "partner"]
    if busy:
        yesterday = await last_before(db, since - _DAY)
        usual = await brought(db, busy, yesterday or 0, start)
    found = []
    for crowd in many:
        match crowd.what:
            case "domain":
                if await asyncio.to_thread(is_free_mail, crowd.subject):  # its lists are read the first time
                    continue
            case "partner":
                if crowd.number * (_DAY / _WINDOW) < usual.get(int(crowd.subject), 0) * TIMES_THE_USUAL:
                    continue
        found.append(crowd)
    return found


async def _data(directory: Directory, crowd: Crowd) -> dict[str, Any] | None:
    """What the event says; None for a partner that is no more."""
    named = crowd.subject
    if crowd.what == "partner":
        partner = await directory.partner_by_id(int(crowd.subject))
        if partner is None:
            return None
        named = partner.slug
    elif crowd.what == "client":
        named = crowd.subject[:_CLIENT_SHOWN]
    return {"of": crowd.what, crowd.what: named, "number": crowd.number, "minutes": MINUTES}


async def _tell(writer: Writer, spikes: Mapping[Crowd, dict[str, Any]], now: datetime) -> int:
    events = [
        EventRow(
            id=new_id(),
            type="abuse.spike",
            letter_id=crowd.letter_id,
            partner_id=None,
            signature_id=None,
            data=data,
            occurred_at=now,
        )
        for crowd, data in spikes.items()
        if await claim(writer, crowd, now, now - TOLD_ONCE_IN)
    ]
    await insert_events(writer, events)
    await promise_owner_mails(writer, events, now)
    return len(events)
