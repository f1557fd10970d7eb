"""The operator's own block rules.

One thing must stay true: whoever changes them raises the directory's revision in the same transaction, so that every
server holds them within a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select

from widget_server.domain.block_rules import BlockRule
from widget_server.store.db import Db, Row, Writer
from widget_server.store.tables import block_rules

_r = block_rules.c


async def all_rules(db: Db | Writer) -> list[BlockRule]:
    """Oldest first."""
    return [_rule(row) for row in await db.all(select(block_rules).order_by(_r.id))]


async def insert_rule(
    writer: Writer, letter_id: int | None, pattern: str, *, allow: bool, reason: str | None, actor: str, at: datetime
) -> BlockRule:
    row = await writer.one(
        insert(block_rules)
        .values(letter_id=letter_id, pattern=pattern, allow=allow, reason=reason, actor=actor, created_at=at)
        .returning(block_rules)
    )
    assert row is not None
    return _rule(row)


async def delete_rules(writer: Writer, ids: Sequence[int]) -> None:
    await writer.execute(delete(block_rules).where(_r.id.in_(ids)))


def _rule(row: Row) -> BlockRule:
    return BlockRule(**{**row, "allow": bool(row["allow"])})
