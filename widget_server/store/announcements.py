"""What destinations were last told of each letter: its status and the highest milestone.

One thing must stay true: only the one who changes the record writes the event, however many servers notice.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update

from widget_server.store.db import Db, Writer
from widget_server.store.tables import letters


@dataclass(frozen=True, slots=True)
class Told:
    letter_id: int
    announced: str
    milestone: int


async def all_told(db: Db) -> list[Told]:
    c = letters.c
    rows = await db.all(select(c.id, c.announced, c.milestone))
    return [Told(row["id"], row["announced"], row["milestone"]) for row in rows]


async def announce_status(writer: Writer, told: Told, status: str) -> bool:
    """Whether it was still what `told` says, and is `status` now."""
    c = letters.c
    changed = (c.id == told.letter_id) & (c.announced == told.announced)
    return await writer.one(update(letters).where(changed).values(announced=status).returning(c.id)) is not None


async def announce_milestone(writer: Writer, letter_id: int, number: int) -> bool:
    """Whether `number` is higher than any told before, and is told now."""
    c = letters.c
    higher = (c.id == letter_id) & (c.milestone < number)
    return await writer.one(update(letters).where(higher).values(milestone=number).returning(c.id)) is not None
