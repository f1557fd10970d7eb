"""When attempts have ended.

1. Lock the destinations, then the deliveries: both in a fixed order, so that two dispatchers cannot deadlock.
2. A delivery that is no longer there, or no longer ours to judge, is left alone: a success counts whoever
   holds the lease by now, a failure only for whoever does.
3. Write an attempt row and the new state of each.
4. Let each destination fare accordingly; what its owner must hear of becomes an event.

All of it in the caller's one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from widget_server.domain.deliveries import after_attempt
from widget_server.domain.ids import new_id
from widget_server.store.db import Writer
from widget_server.store.deliveries import Settlement, standing, write_attempts, write_settlements, write_told
from widget_server.store.destinations import Faring, hold, set_health
from widget_server.store.events import EventRow, insert_events


async def settle(writer: Writer, settlements: Sequence[Settlement], now: datetime, *, counts: bool = True) -> int:
    """Writes how attempts ended; returns how many events that made. `counts=False` (a test send): health
    stays."""
    farings = await hold(writer, sorted({one.destination_id for one in settlements}))
    stands = await standing(writer, sorted({one.delivery_id for one in settlements}))
    known = [one for one in settlements if one.delivery_id in stands]
    await write_attempts(writer, known)
    await write_told(writer, known)
    await write_settlements(writer, [one for one in known if _applies(one, *stands[one.delivery_id])], now)
    if not counts:
        return 0
    events: list[EventRow] = []
    for destination_id, faring in sorted(farings.items()):
        health = faring.health
        for one in settlements:
            if one.destination_id == destination_id:
                course = after_attempt(health, one.verdict, now)
                health = course.health
                events += [_event(type_, faring, one, now) for type_ in course.events]
        if health != faring.health:
            await set_health(writer, destination_id, health)
    await insert_events(writer, events)
    return len(events)


def _applies(one: Settlement, status: str, lease: str | None) -> bool:
    return status == "pending" and (one.verdict.status == "delivered" or lease == one.lease)


def _event(type_: str, faring: Faring, one: Settlement, now: datetime) -> EventRow:
    return EventRow(
        id=new_id(),
        type=type_,
        letter_id=faring.letter_id,
        partner_id=faring.partner_id,
        signature_id=None,
        data={
            "destination": faring.id,
            "kind": faring.kind,
            "delivery": one.delivery_id,
            "error": (one.verdict.error or "").partition(":")[0],
        },
        occurred_at=now,
    )
