"""What waits for somebody in a letter: for its signers, or for staff. Numbers only."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, case, func, select

from widget_server.store.db import Db
from widget_server.store.remainders import remaining
from widget_server.store.tables import signatures

_s = signatures.c


@dataclass(frozen=True, slots=True)
class InWaiting:
    """`confirmation`: signatures whose link nobody has pressed; `address_refused`: those of them that a mail server
    refused for good; `never_confirmed`: erased, since nobody did in time. `quarantine` and `review` wait for staff;
    `quarantine_confirmed`: those of them whose link was pressed."""

    confirmation: int
    address_refused: int
    never_confirmed: int
    quarantine: int
    quarantine_confirmed: int
    review: int


async def in_waiting(db: Db, letter_id: int) -> InWaiting:
    pending = and_(_s.status == "pending", _s.quarantine.is_(None))
    held = and_(_s.status == "pending", _s.quarantine.is_not(None))
    row = await db.one(
        select(
            _number(pending).label("confirmation"),
            _number(and_(pending, _s.mail_refused_at.is_not(None))).label("address_refused"),
            _number(held).label("quarantine"),
            _number(and_(held, _s.address_confirmed_at.is_not(None))).label("quarantine_confirmed"),
            _number(and_(_s.status == "confirmed", _s.listing == "awaiting_review", _s.repeat_of.is_(None))).label(
                "review"
            ),
        ).where(_s.letter_id == letter_id, _s.status.in_(("pending", "confirmed")), _s.test.is_(False))
    )
    numbers = {name: int(number) for name, number in (row or {}).items()}
    return InWaiting(**numbers, never_confirmed=await remaining(db, letter_id, "unconfirmed"))


def _number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, _s.seq)))
