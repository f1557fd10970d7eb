"""The keys under which clients' addresses are kept as hashes: one a day, the same for every server.

One thing must stay true: whoever comes first makes the key of a day, and everybody uses that one.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import delete, select

from widget_server.store.db import Db, Writer
from widget_server.store.tables import client_keys


async def find_key(db: Db, day: date) -> bytes | None:
    key = await db.value(select(client_keys.c.key).where(client_keys.c.day == day.isoformat()))
    return None if key is None else bytes(key)


async def keep_key(writer: Writer, day: date, key: bytes) -> bytes:
    """The key of `day`: `key`, unless somebody has made one before."""
    await writer.raw("INSERT INTO client_keys (day, key) VALUES (?, ?) ON CONFLICT DO NOTHING", (day.isoformat(), key))
    rows = await writer.raw("SELECT key FROM client_keys WHERE day = ?", (day.isoformat(),))
    return bytes(rows[0][0])


async def all_keys(db: Db) -> list[bytes]:
    """Newest first."""
    rows = await db.all(select(client_keys.c.key).order_by(client_keys.c.day.desc()))
    return [bytes(row["key"]) for row in rows]


async def forget_keys_before(writer: Writer, day: date) -> int:
    """Removes the keys of days before `day`: what they made says nothing any more. Gives how many."""
    rows = await writer.all(
        delete(client_keys).where(client_keys.c.day < day.isoformat()).returning(client_keys.c.day)
    )  # fmt: skip
    return len(rows)
