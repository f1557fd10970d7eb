"""Every change by staff: who, when, what, why.

One thing must stay true: a line is written in the transaction of its change, and is never changed itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from widget_server.store.db import Db, Writer
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


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One change: when, by whom, what was done to what, why. `data` has numbers, keys and ids."""

    at: datetime
    actor: str
    action: str
    subject: str | None
    reason: str | None
    data: Any


async def audit_of(db: Db, letter_id: int, limit: int) -> list[AuditLine]:
    """The latest changes to a letter and what belongs to it, the newest last."""
    c = audit.c
    columns = (c.at, c.actor, c.action, c.subject, c.reason, c.data)
    rows = await db.all(select(*columns).where(c.letter_id == letter_id).order_by(c.seq.desc()).limit(limit))
    return [AuditLine(**row) for row in reversed(rows)]


async def subjects_of(writer: Writer, letter_id: int, action: str, ids: Sequence[str]) -> set[str]:
    """Those of `ids` to which `action` was once done."""
    c = audit.c
    rows = await writer.all(
        select(c.subject).where(c.letter_id == letter_id, c.action == action, c.subject.in_(ids)).distinct()
    )
    return {row["subject"] for row in rows}
