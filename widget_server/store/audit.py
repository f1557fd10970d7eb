"""Every change by staff: who, when, what, why."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import insert

from widget_server.store.db import Writer
from widget_server.store.tables import audit


async def record(
    writer: Writer,
    *,
    at: datetime,
    actor: str,
    action: str,
    letter_id: int | None,
    subject: str | None = None,
    reason: str | None = None,
    data: Any = None,
) -> None:
    """Written in the same transaction as the change. `subject` is an id or slug, never a name or an address."""
    await writer.execute(
        insert(audit).values(
            at=at, actor=actor, action=action, letter_id=letter_id, subject=subject, reason=reason, data=data
        )
    )
