"""Consent wordings as they were shown, by version. A version is written once and never changes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select

from widget_server.store.db import Db
from widget_server.store.tables import consent_wordings, json_text

_INSERT = """INSERT INTO consent_wordings (version, partner_id, wording, created_at) VALUES (?, ?, ?, ?)
ON CONFLICT (version) DO NOTHING"""


async def remember(
    db: Db, partner_id: int, version: str, wordings: Mapping[str, Mapping[str, str]], at: datetime
) -> None:
    """Keeps what this version says, unless it is kept already. Raises `Unavailable`."""
    if await wording(db, version) is not None:
        return
    async with db.write() as writer:
        await writer.raw(_INSERT, (version, partner_id, json_text(wordings), writer.instant(at)))


async def wording(db: Db, version: str) -> dict[str, dict[str, str]] | None:
    """What a version says, by locale and purpose, or None for a version that was never shown."""
    found = await db.value(select(consent_wordings.c.wording).where(consent_wordings.c.version == version))
    return None if found is None else dict(found)
