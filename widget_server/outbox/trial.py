"""A test send: the real path, once, on request.

One thing must stay true: it is marked as a test, is not tried again, and says nothing about the
destination's health.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from widget_server.domain.deliveries import Bearing, Outcome, Verdict
from widget_server.domain.events import TEST
from widget_server.domain.ids import new_id
from widget_server.flows.settle import settle
from widget_server.outbox.routes import OurFault, Routes
from widget_server.outbox.sending import LEASE_SECONDS, Job, Sender
from widget_server.store.db import Db
from widget_server.store.deliveries import NewDelivery, Settlement, claim_these, enqueue, work
from widget_server.store.destinations import DestinationRow
from widget_server.store.events import EventRow, insert_events
from widget_server.store.waiting import mark_told


@dataclass(frozen=True, slots=True)
class Trial:
    """How it went: the delivery's id in the log, and the one attempt."""

    delivery_id: str
    verdict: Verdict
    duration_seconds: float


async def try_destination(db: Db, routes: Routes, sender: Sender, row: DestinationRow, now: datetime) -> Trial:
    """Sends a `destination.test` to one destination, whatever its status, and waits for the outcome."""
    event = EventRow(
        id=new_id(),
        type=TEST,
        letter_id=row.letter_id,
        partner_id=row.partner_id,
        signature_id=None,
        data={"destination": row.id, "kind": row.kind},
        occurred_at=now,
    )
    delivery, lease = NewDelivery(new_id(), event.id, row.id, row.kind), new_id()
    async with db.write() as writer:
        await insert_events(writer, [event])
        await mark_told(writer, event.id, now)
        await enqueue(writer, [delivery], now)
        until = now + timedelta(seconds=LEASE_SECONDS)
        await claim_these(writer, [delivery.id], lease=lease, now=now, until=until)
        (one,) = await work(writer, [delivery.id])
    try:
        route = await routes.open(row)
        rendered = await routes.render(route, await routes.facts(route), one)
        (ended,) = await sender.send(route, [Job(one, rendered, lease)])
    except OurFault as fault:
        verdict = Verdict(Outcome.OURS, "failed", 1, 0, None, Bearing.NOTHING, error=fault.code)
        ended = Settlement(new_id(), delivery.id, row.id, lease, now, 0.0, verdict)
    if ended.verdict.status != "delivered":
        over = replace(ended.verdict, status="failed", next_attempt_at=None, hold_until=None)
        ended = replace(ended, verdict=over)
    async with db.write() as writer:
        await settle(writer, [ended], ended.started_at, counts=False)
    return Trial(delivery.id, ended.verdict, ended.duration_seconds)
