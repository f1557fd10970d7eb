"""Numbers that outlive their rows: signatures that staff erased and that still count, and those never confirmed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from sqlalchemy import func, select

from widget_server.store.db import Db, Writer
from widget_server.store.tables import remainders

What = Literal["erased", "unconfirmed"]


async def add_remainders(writer: Writer, what: What, numbers: Mapping[tuple[int, str, str], int]) -> None:
    """`numbers` by letter id, statement and kind."""
    for key, number in sorted(numbers.items()):
        await writer.raw(
            "INSERT INTO remainders (letter_id, statement, kind, what, number) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (letter_id, what, statement, kind)"
            " DO UPDATE SET number = remainders.number + excluded.number",
            (*key, what, number),
        )


async def remaining(db: Db, letter_id: int, what: What) -> int:
    c = remainders.c
    found = await db.value(select(func.sum(c.number)).where(c.letter_id == letter_id, c.what == what))
    return int(found or 0)
