"""Scripts that were given out under their hash, kept for good.

One thing must stay true: what is kept under a name and a hash is never changed.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from widget_server.store.db import Db, Writer
from widget_server.store.tables import scripts


async def find_script(db: Db, name: str, hash_: str) -> bytes | None:
    """Its body, compressed with Brotli."""
    c = scripts.c
    body = await db.value(select(c.body).where(c.name == name, c.hash == hash_))
    return None if body is None else bytes(body)


async def has_script(db: Db, name: str, hash_: str) -> bool:
    c = scripts.c
    return await db.value(select(c.hash).where(c.name == name, c.hash == hash_)) is not None


async def keep_script(writer: Writer, name: str, hash_: str, body: bytes, at: datetime) -> None:
    """Does nothing where it is kept already: another server was here first."""
    await writer.raw(
        "INSERT INTO scripts (name, hash, body, kept_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (name, hash_, body, writer.instant(at)),
    )
