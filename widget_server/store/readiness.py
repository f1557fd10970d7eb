"""Whether the database takes a write just now."""

from __future__ import annotations

from sqlalchemy import update

from widget_server.store.db import Db
from widget_server.store.tables import revisions


async def write_nothing(db: Db) -> None:
    """A write that changes nothing, committed. Raises `Unavailable` or a driver's error."""
    async with db.write() as writer:
        await writer.execute(update(revisions).values(number=revisions.c.number))
