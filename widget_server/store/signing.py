"""What the sign flow asks the store besides the ingest."""

from __future__ import annotations

from sqlalchemy import select

from widget_server.domain.signatures import Status
from widget_server.store.db import Db
from widget_server.store.tables import signatures


async def find_stored(db: Db, letter_id: int, id_: str) -> tuple[str, Status, str, bool] | None:
    """Id, status, statement and whether it is quarantined, of a letter's signature that was stored before."""
    s = signatures.c
    row = await db.one(select(s.id, s.status, s.statement, s.quarantine).where(s.id == id_, s.letter_id == letter_id))
    return None if row is None else (row["id"], row["status"], row["statement"], row["quarantine"] is not None)
