"""Where many signatures come from just now, and what coordinators were told of it.

One thing must stay true: only what has just arrived is read, found by the primary key, however much is stored; and of
several servers that look, one tells.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, String, and_, cast, func, select, text

from widget_server.store.db import Db, Row, Writer
from widget_server.store.tables import signatures, spikes

What = Literal["client", "domain", "partner"]

_NEAR = 64
"""How near the search for a time comes: so many rows more are read at most."""
_SAMPLE = 2_000

_s = signatures.c
_arrived = _s.import_key.is_(None)  # imported rows carry times of their own
_domain = func.substr(_s.email, func.length(func.rtrim(_s.email, func.replace(_s.email, "@", ""))) + 1)
"""What follows the last @, in words that both engines know."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Many signatures of one letter from one place: a client's hash, a mail domain, or a partner's id."""

    letter_id: int
    what: What
    subject: str
    number: int

    @property
    def key(self) -> tuple[int, str, str]:
        return self.letter_id, self.what, self.subject


async def last_before(db: Db, at: datetime) -> int | None:
    """A `seq` shortly before the first signature that came at `at` or later; None where none came since."""
    newest = await _latest(db, None)
    if newest is None or newest["created_at"] < at:
        return None
    high, step = newest["seq"], _NEAR
    while True:
        found = await _latest(db, high - step)
        if found is None:
            low = 0
            break
        if found["created_at"] < at:
            low = found["seq"]
            break
        high, step = found["seq"], step * 4
    while high - low > _NEAR:
        middle = (low + high) // 2
        found = await _latest(db, middle)
        if found is None or found["seq"] <= low or found["created_at"] < at:
            low = middle
        else:
            high = found["seq"]
    return low


async def _latest(db: Db, seq: int | None) -> Row | None:
    """The newest signature, or the last one up to `seq`."""
    query = select(_s.seq, _s.created_at).where(_arrived).order_by(_s.seq.desc()).limit(1)
    return await db.one(query if seq is None else query.where(_s.seq <= seq))


async def crowds(db: Db, after_seq: int, since: datetime, enough: Mapping[What, int]) -> list[Crowd]:
    """Everything that has sent at least `enough` since then, in a fixed order. What was rejected or set aside counts,
    tests do not."""
    subjects: Mapping[What, ColumnElement[str]] = {
        "client": _s.client,
        "domain": _domain,
        "partner": cast(_s.partner_id, String),
    }
    found = []
    for what, number in enough.items():
        rows = await db.all(_counted(subjects[what], after_seq, since, number))
        found += [Crowd(row["letter_id"], what, row["subject"], row["number"]) for row in rows]
    return sorted(found, key=lambda crowd: crowd.key)


def _counted(subject: ColumnElement[str], after_seq: int, since: datetime, enough: int) -> Select[Any]:
    recent = and_(_s.seq > after_seq, _s.created_at >= since, _arrived, _s.test.is_(False))
    return (
        select(_s.letter_id, subject.label("subject"), func.count().label("number"))
        .where(recent, subject.is_not(None))
        .group_by(_s.letter_id, text("subject"))
        .having(func.count() >= enough)
    )


async def brought(db: Db, partner_ids: Collection[int], after_seq: int, until_seq: int) -> dict[int, int]:
    """How many signatures partners brought between two of them: of many, estimated from some that are spread evenly, so
    that a busy day costs no more than a quiet one."""
    step = max(1, (until_seq - after_seq) // _SAMPLE)
    rows = await db.all(
        select(_s.partner_id, func.count().label("number"))
        .where(_s.seq.in_(range(after_seq + 1, until_seq + 1, step)), _arrived, _s.test.is_(False))
        .where(_s.partner_id.in_(partner_ids))
        .group_by(_s.partner_id)
    )
    return {row["partner_id"]: row["number"] * step for row in rows}


async def told_since(db: Db, at: datetime) -> set[tuple[int, str, str]]:
    """Keys of the crowds that were told of after `at`."""
    c = spikes.c
    rows = await db.all(select(c.letter_id, c.what, c.subject).where(c.told_at > at))
    return {(row["letter_id"], row["what"], row["subject"]) for row in rows}


async def claim(writer: Writer, crowd: Crowd, now: datetime, told_before: datetime) -> bool:
    """Whether it is for us to tell: nobody has since `told_before`."""
    rows = await writer.raw(
        "INSERT INTO spikes (letter_id, what, subject, told_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (letter_id, what, subject) DO UPDATE SET told_at = excluded.told_at"
        " WHERE spikes.told_at <= ? RETURNING what",
        (*crowd.key, writer.instant(now), writer.instant(told_before)),
    )
    return bool(rows)
