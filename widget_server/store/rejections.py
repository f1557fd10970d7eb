"""Rejections by staff, and the signatures that each of them covers.

One thing must stay true: `number` rises in the transaction that rejects, so that a rejection which was cut short says
how far it came, and can be undone as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, false, func, insert, or_, select, update

from widget_server.domain.patterns import Pattern
from widget_server.domain.signatures import Signature
from widget_server.store.db import Db, Writer
from widget_server.store.signatures import SIGNATURE_COLUMNS, escaped, signature_of
from widget_server.store.tables import rejections, signatures

_s = signatures.c
_r = rejections.c


@dataclass(frozen=True, slots=True)
class Rejection:
    """Who refused how many signatures, by which pattern, and why. `pattern` names nobody."""

    id: str
    actor: str
    reason: str | None
    pattern: Mapping[str, Any]
    number: int
    created_at: datetime
    undone_at: datetime | None


async def insert_rejection(writer: Writer, letter_id: int, rejection: Rejection) -> None:
    await writer.execute(
        insert(rejections).values(
            id=rejection.id,
            letter_id=letter_id,
            actor=rejection.actor,
            reason=rejection.reason,
            pattern=dict(rejection.pattern),
            number=rejection.number,
            created_at=rejection.created_at,
        )
    )


async def add_to_rejection(writer: Writer, id_: str, number: int) -> None:
    await writer.execute(update(rejections).where(_r.id == id_).values(number=_r.number + number))


async def find_rejection(db: Db | Writer, letter_id: int, id_: str) -> Rejection | None:
    row = await db.one(select(rejections).where(_r.letter_id == letter_id, _r.id == id_))
    return None if row is None else Rejection(**{key: value for key, value in row.items() if key != "letter_id"})


async def mark_undone(writer: Writer, id_: str, at: datetime) -> None:
    await writer.execute(update(rejections).where(_r.id == id_).values(undone_at=at))


async def last_seq(db: Db, letter_id: int) -> int:
    """The number of the letter's latest signature, so that a walk through them ends where it was begun."""
    return int(await db.value(select(func.max(_s.seq)).where(_s.letter_id == letter_id)) or 0)


async def candidates(db: Db, letter_id: int, pattern: Pattern, after: int, until: int, limit: int) -> list[Signature]:
    """By arrival, those after `after` and up to `until` that may fit: whoever fits is among them."""
    rows = await db.all(
        select(*SIGNATURE_COLUMNS)
        .where(_s.letter_id == letter_id, _s.seq > after, _s.seq <= until, *_narrowed(pattern))
        .order_by(_s.seq)
        .limit(limit)
    )
    return [signature_of(row) for row in rows]


def _narrowed(pattern: Pattern) -> list[ColumnElement[bool]]:
    given = pattern.given
    conditions: list[ColumnElement[bool]] = [_s.status.in_(pattern.statuses), _s.test.is_(False)]
    if given.since is not None:
        conditions.append(_s.created_at >= given.since)
    if given.until is not None:
        conditions.append(_s.created_at < given.until)
    if given.country is not None:
        conditions.append(_s.country == given.country)
    if pattern.partner_id is not None:
        conditions.append(_s.partner_id == pattern.partner_id)
    if given.clients is not None:
        conditions.append(
            or_(false(), *(_s.client.like(f"{escaped(client)}%", escape="/") for client in given.clients))
        )
    if pattern.address_hash is not None:
        conditions.append(_s.address_hash == pattern.address_hash)
    elif given.email is not None or given.domain is not None:
        conditions.append(_s.email.is_not(None))
    if pattern.folded_name is not None:
        # A sort key starts with the folded name, in which no wildcard of SQL can be.
        wanted = pattern.folded_name.replace("*", "%").replace("?", "_")
        conditions.append(_s.sort_key.like(f"{wanted}%"))
    return conditions


async def rejected_in(
    db: Db, letter_id: int, rejection_id: str, after: tuple[bool, int], limit: int
) -> list[Signature]:
    """What a rejection covers and still stands, those that others repeat first; after (whether it repeats, number)."""
    repeats, seq = after
    later = _s.repeat_of.is_not(None) if repeats else _s.repeat_of.is_(None)
    rows = await db.all(
        select(*SIGNATURE_COLUMNS)
        .where(_s.letter_id == letter_id, _s.rejection_id == rejection_id, _s.status == "rejected", later, _s.seq > seq)
        .order_by(_s.seq)
        .limit(limit)
    )
    return [signature_of(row) for row in rows]
