"""How many mails a mailbox got lately, for one purpose: counted where the mail is claimed, never looked up first.

One thing must stay true: one statement asks and counts, so that however many dispatchers send, a mailbox gets no more.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import and_, delete

from widget_server.domain.mails import DAY
from widget_server.store.db import Writer
from widget_server.store.tables import mail_quotas

FOR_EVER = datetime(9999, 12, 31, tzinfo=UTC)
"""When the window of what is sent once in a letter's life begins: it never ends."""


async def take(writer: Writer, letter_id: int, who: str, most: int, now: datetime) -> bool:
    """Whether there is room for one more in the 24 hours from the first; if so, it is taken."""
    return await _take(writer, letter_id, who, most, began_at=now, now=now)


async def take_for_ever(writer: Writer, letter_id: int, who: str, now: datetime) -> bool:
    """Whether nobody has taken it yet in the letter's life."""
    return await _take(writer, letter_id, who, 1, began_at=FOR_EVER, now=now)


async def is_taken(writer: Writer, letter_id: int, who: str) -> bool:
    return bool(await writer.raw("SELECT 1 FROM mail_quotas WHERE letter_id = ? AND who = ?", (letter_id, who)))


async def forget_once_and_for_all(writer: Writer, letter_id: int, now: datetime) -> None:
    """What was taken for ever, once the letter takes nothing more."""
    c = mail_quotas.c
    await writer.execute(delete(mail_quotas).where(and_(c.letter_id == letter_id, c.started_at > now)))


async def _take(writer: Writer, letter_id: int, who: str, most: int, *, began_at: datetime, now: datetime) -> bool:
    over = writer.instant(now - DAY)
    rows = await writer.raw(
        "INSERT INTO mail_quotas (letter_id, who, started_at, number) VALUES (?, ?, ?, 1)"
        " ON CONFLICT (letter_id, who) DO UPDATE SET"
        " number = CASE WHEN mail_quotas.started_at <= ? THEN 1 ELSE mail_quotas.number + 1 END,"
        " started_at = CASE WHEN mail_quotas.started_at <= ? THEN excluded.started_at ELSE mail_quotas.started_at END"
        " WHERE mail_quotas.started_at <= ? OR mail_quotas.number < ? RETURNING number",
        (letter_id, who, writer.instant(began_at), over, over, over, most),
    )
    return bool(rows)
