"""What the record says of deliveries and destinations."""

from __future__ import annotations

from widget_server.domain.letters import Letter
from widget_server.store.db import Db
from widget_server.store.delivery_log import AttemptRow, DeliveryRow, attempts_at, deliveries_of
from widget_server.store.destinations import DestinationRow, find_destination

CONFIRMED = ("signature.confirmed",)


async def only(db: Db, letter: Letter, status: str | None = None) -> DeliveryRow:
    (row,) = [row for row in await deliveries_of(db, letter.id, status=status) if row.destination_id]
    return row


async def log_of(db: Db, row: DeliveryRow) -> list[AttemptRow]:
    return await attempts_at(db, row.id)


async def found(db: Db, id_: str) -> DestinationRow:
    row = await find_destination(db, id_)
    assert row is not None
    return row
