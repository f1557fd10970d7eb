"""Numbers that rise when something changed, so that every server notices within a second."""

from __future__ import annotations

from sqlalchemy import update

from widget_server.store.db import Writer
from widget_server.store.tables import letters


async def bump_directory(writer: Writer) -> None:
    """A letter, a partner or a block rule has changed."""
    await writer.raw(
        "INSERT INTO revisions (name, number) VALUES ('directory', 1)"
        " ON CONFLICT (name) DO UPDATE SET number = revisions.number + 1"
    )


async def bump_letter(writer: Writer, letter_id: int) -> None:
    """Something that a reader of the letter's pages and lists could see has changed."""
    await writer.execute(update(letters).where(letters.c.id == letter_id).values(revision=letters.c.revision + 1))
