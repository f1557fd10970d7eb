"""When somebody wants something sent again.

One thing must stay true: what is sent again is rendered anew, from the signature as it is by then, under
the id that the event has always had.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from widget_server.contract import Integration
from widget_server.domain.events import wants
from widget_server.domain.ids import new_id
from widget_server.flows.fan_out import happening, listener_of
from widget_server.store.audit import record
from widget_server.store.db import Db
from widget_server.store.deliveries import NewDelivery, send_again
from widget_server.store.delivery_log import DeliveryRow, start_over
from widget_server.store.destinations import DestinationRow
from widget_server.store.waiting import earlier_events

PAGE = 500


async def retry(db: Db, row: DeliveryRow, *, now: datetime, actor: str) -> None:
    """Due now, with all its attempts before it, whatever had become of it."""
    async with db.write() as writer:
        await start_over(writer, row.id, now)
        await record(writer, at=now, actor=actor, action="delivery.retry", letter_id=row.letter_id, subject=row.id)


async def replay(
    db: Db,
    destination: DestinationRow,
    kinds: Mapping[str, Integration],
    *,
    since: datetime | None,
    now: datetime,
    actor: str,
) -> int:
    """Sends again every event that the destination takes, from `since` on, also those from before it was
    added; returns how many. Page by page, so that signing goes on meanwhile."""
    listener = listener_of(destination, kinds)
    sent, after_seq = 0, 0
    while True:
        page = await earlier_events(db, destination.letter_id, since=since, after_seq=after_seq, limit=PAGE)
        chosen = [one.row.id for one in page if wants(listener, happening(one))]
        async with db.write() as writer:
            await send_again(
                writer,
                [NewDelivery(new_id(), event_id, destination.id, destination.kind) for event_id in chosen],
                now,
            )
            if len(page) < PAGE:
                await record(
                    writer,
                    at=now,
                    actor=actor,
                    action="delivery.replay",
                    letter_id=destination.letter_id,
                    subject=destination.id,
                    data={"since": since.isoformat() if since else None, "events": sent + len(chosen)},
                )
        sent += len(chosen)
        if len(page) < PAGE:
            return sent
        after_seq = page[-1].seq
