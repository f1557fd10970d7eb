"""When somebody wants something sent again.

One thing must stay true: what is sent again is rendered anew, from the signature as it is by then, under
the id that the event has always had.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from widget_server.contract import Integration
from widget_server.domain.deliveries import DeliveryStatus
from widget_server.domain.events import Listener
from widget_server.domain.ids import new_id
from widget_server.flows.fan_out import chooser, happening, listener_of
from widget_server.store.audit import record
from widget_server.store.db import Db, Writer
from widget_server.store.deliveries import NewDelivery, send_again
from widget_server.store.delivery_log import DeliveryRow, cancel_waiting, start_over, states_at
from widget_server.store.destinations import DestinationRow
from widget_server.store.waiting import Waiting, earlier_events

PAGE = 500


async def retry(db: Db, row: DeliveryRow, *, now: datetime, actor: str) -> None:
    """Due now, with all its attempts before it, whatever had become of it."""
    async with db.write() as writer:
        await start_over(writer, row.id, now)
        await record(writer, at=now, actor=actor, action="delivery.retry", letter_id=row.letter_id, subject=row.id)


async def call_off(db: Db, ids: Sequence[str], *, now: datetime, actor: str) -> list[str]:
    """Cancels those of these deliveries that still wait or were given up; returns their ids. One that is being sent at
    this moment may arrive all the same."""
    async with db.write() as writer:
        found = await cancel_waiting(writer, ids, f"cancelled: by {actor}", now)
        for id_, letter_id in found.items():
            await record(writer, at=now, actor=actor, action="delivery.cancel", letter_id=letter_id, subject=id_)
    return list(found)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which events to send again: those that happened from `since` on and before `until`, of one of `types` (empty: of
    all that the destination takes), whose delivery has this `status`; `missing`: only those that have none."""

    since: datetime | None = None
    until: datetime | None = None
    types: Sequence[str] = ()
    status: DeliveryStatus | None = None
    missing: bool = False


async def replay(
    db: Db,
    destination: DestinationRow,
    kinds: Mapping[str, Integration],
    chosen: Chosen,
    *,
    now: datetime,
    actor: str,
    dry_run: bool = False,
) -> int:
    """Sends again every event that the destination takes and that is chosen, also those from before it was added;
    returns how many. Page by page, so that signing goes on meanwhile. `dry_run`: only counts."""
    listener = listener_of(destination, kinds)
    sent, after_seq = 0, 0
    while True:
        page = await earlier_events(
            db, destination.letter_id, since=chosen.since, until=chosen.until, after_seq=after_seq, limit=PAGE
        )
        async with db.write() as writer:
            ids = await _of_page(writer, destination, listener, page, chosen)
            sent += len(ids)
            if not dry_run:
                rows = [NewDelivery(new_id(), event_id, destination.id, destination.kind) for event_id in ids]
                await send_again(writer, rows, now)
                if len(page) < PAGE:
                    await _record(writer, destination, chosen, sent, now, actor)
        if len(page) < PAGE:
            return sent
        after_seq = page[-1].seq


async def _of_page(
    writer: Writer, destination: DestinationRow, listener: Listener, page: Sequence[Waiting], chosen: Chosen
) -> list[str]:
    may = await chooser(writer, [listener], page)
    ids = [
        one.row.id
        for one in page
        if (not chosen.types or one.row.type in chosen.types) and may(listener, happening(one))
    ]
    if not (chosen.status or chosen.missing):
        return ids
    states = await states_at(writer, destination.id, ids)
    return [id_ for id_ in ids if states.get(id_) == chosen.status]  # None, where there is none


async def _record(
    writer: Writer, destination: DestinationRow, chosen: Chosen, sent: int, now: datetime, actor: str
) -> None:
    await record(
        writer,
        at=now,
        actor=actor,
        action="delivery.replay",
        letter_id=destination.letter_id,
        subject=destination.id,
        data={
            "since": chosen.since.isoformat() if chosen.since else None,
            "until": chosen.until.isoformat() if chosen.until else None,
            "types": list(chosen.types),
            "status": chosen.status,
            "missing": chosen.missing,
            "events": sent,
        },
    )
