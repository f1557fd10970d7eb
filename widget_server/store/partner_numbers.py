"""One partner's signatures in numbers: by day, source and page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select

from widget_server.domain.partner_numbers import PLACES, PartnerNumbers
from widget_server.store.db import Db, Row
from widget_server.store.tables import signatures

_s = signatures.c


async def partner_numbers(db: Db, partner_id: int, since: datetime) -> PartnerNumbers:
    """`since`: from when on days are told one by one."""
    own = and_(_s.partner_id == partner_id, _s.repeat_of.is_(None), _s.quarantine.is_(None), _s.test.is_(False))
    counted = and_(own, _s.status == "confirmed")
    day: ColumnElement[Any] = (
        func.substr(_s.confirmed_at, 1, 10)
        if db.engine == "sqlite"
        else func.to_char(func.timezone("UTC", _s.confirmed_at), "YYYY-MM-DD")
    )
    days = await _grouped(db, day, and_(counted, _s.confirmed_at >= since))
    last = await _last(db, own)
    test = await _last(db, and_(_s.partner_id == partner_id, _s.test.is_(True)))
    return PartnerNumbers(
        confirmed=int(await db.value(select(func.count()).select_from(signatures).where(counted)) or 0),
        waiting=int(
            await db.value(select(func.count()).select_from(signatures).where(own, _s.status == "pending")) or 0
        ),
        by_day=sorted(
            ((datetime.fromisoformat(said).replace(tzinfo=UTC), number) for said, number in days), reverse=True
        ),
        by_source=_largest(await _grouped(db, _s.source, counted)),
        by_page=_largest(await _grouped(db, _s.page, counted)),
        last_at=last["created_at"],
        last_page=last["page"],
        last_test_at=test["created_at"],
        last_test_page=test["page"],
    )


async def _grouped(db: Db, what: ColumnElement[Any], where: ColumnElement[bool]) -> list[tuple[Any, int]]:
    rows = await db.all(select(what.label("what"), func.count().label("number")).where(where).group_by(what))
    return [(row["what"], row["number"]) for row in rows]


def _largest(groups: list[tuple[Any, int]]) -> list[tuple[Any, int]]:
    return sorted(groups, key=lambda group: (-group[1], group[0] or ""))[:PLACES]


async def _last(db: Db, where: ColumnElement[bool]) -> Row:
    found = await db.one(select(_s.created_at, _s.page).where(where).order_by(_s.seq.desc()).limit(1))
    return found or {"created_at": None, "page": None}
