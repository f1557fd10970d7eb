"""The public lists: signatories in the letter's order, page by page.

One thing must stay true: only confirmed, listed, public signatures that count appear here, and of each only
what `Signatory` holds. Pages are cut by keys, not by offsets: a walk meets nobody twice and misses nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, and_, literal, select, text, tuple_, union_all
from sqlalchemy.types import Integer, Text

from widget_server.domain.names import fold
from widget_server.domain.signatures import Kind, Signatory
from widget_server.store.db import Db, Row
from widget_server.store.tables import Instant, signatures

Order = Literal["arrival", "alphabetical"]
Key = tuple[str | int, ...]

_s = signatures.c

# Written out, not bound: SQLite uses a partial index only where the query repeats the index's own condition.
_PUBLIC = and_(
    text("signatures.listing = 'listed'"),
    text("signatures.status = 'confirmed'"),
    _s.public.is_(True),
    _s.test.is_(False),
    _s.quarantine.is_(None),
    _s.repeat_of.is_(None),
)


_COLUMNS = (
    _s.seq, _s.statement, _s.kind, _s.name, _s.organization, _s.role,
    _s.initiator_rank, _s.confirmed_at, _s.sort_key,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Listed:
    """A signatory in its list. `initiator`: an author of the letter, pinned above everyone else."""

    signatory: Signatory
    statement: str
    initiator: bool


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended: the segment (initiators, then the rest, by kind where apart) and the last key."""

    segment: int
    key: Key


@dataclass(frozen=True, slots=True)
class ListPage:
    """`after` is where the next page starts, None on the last one."""

    entries: tuple[Listed, ...]
    after: Position | None


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Which list. `search` finds names that contain it, accents and case aside."""

    letter_id: int
    statements: tuple[str, ...]
    order: Order = "arrival"
    apart: bool = False
    search: str = ""

    @property
    def segments(self) -> int:
        return 3 if self.apart else 2


class BadPosition(ValueError):
    """No place in this list: it was made for another order."""


async def list_page(db: Db, query: ListQuery, after: Position | None, limit: int) -> ListPage:
    """At most `limit` signatories after `after`. Raises `BadPosition`."""
    entries: list[Listed] = []
    last: Position | None = None
    first = after.segment if after else 0
    if not 0 <= first < query.segments:
        raise BadPosition
    for segment in range(first, query.segments):
        key = after.key if after and after.segment == segment else None
        # One more than wanted says whether there is a next page.
        rows = await db.all(_select(db, query, segment, key, limit - len(entries) + 1))
        for row in rows:
            if len(entries) == limit:
                return ListPage(tuple(entries), last)
            entries.append(_listed(row))
            last = Position(segment, _key(query, segment, row))
    return ListPage(tuple(entries), None)


def _select(db: Db, query: ListQuery, segment: int, after: Key | None, limit: int) -> Select[Any]:
    columns = _sort_columns(db, query, segment)
    conditions = [_PUBLIC, _s.letter_id == query.letter_id, _segment(query, segment)]
    if query.search:
        # Folded, it holds letters, digits and blanks only: no wildcard can be in it.
        conditions.append(_s.sort_key.like(f"%{fold(query.search)}%"))
    if after is not None:
        conditions.append(tuple_(*columns) > tuple_(*_bound(query, segment, after)))
    # One ordered part a statement: each follows the index (letter, statement, time) and stops at the limit.
    parts = [
        select(*_COLUMNS)
        .where(_s.statement == code, *conditions)
        .order_by(*columns)
        .limit(limit)
        .subquery(f"part_{number}")
        for number, code in enumerate(query.statements)
    ]
    together = parts[0] if len(parts) == 1 else union_all(*(select(part) for part in parts)).subquery("parts")
    return select(together).order_by(*_sort_columns(db, query, segment, together.c)).limit(limit)


def _segment(query: ListQuery, segment: int) -> ColumnElement[bool]:
    if segment == 0:
        return _s.initiator_rank.is_not(None)
    rest = _s.initiator_rank.is_(None)
    if not query.apart:
        return rest
    return and_(rest, _s.kind == ("organization" if segment == 1 else "individual"))


def _sort_columns(db: Db, query: ListQuery, segment: int, c: Any = _s) -> list[ColumnElement[Any]]:
    if segment == 0:
        return [c.initiator_rank, c.seq]
    if query.order == "arrival":
        return [c.confirmed_at, c.seq]
    # Bytes in order on both engines: a database's own collation skips blanks and differs from the other's.
    return [c.sort_key.collate("C" if db.engine == "postgresql" else "BINARY"), c.seq]


def _bound(query: ListQuery, segment: int, key: Key) -> list[ColumnElement[Any]]:
    match key:
        case (int(rank), int(seq)) if segment == 0:
            return [literal(rank, Integer()), literal(seq, _s.seq.type)]
        case (str(at), int(seq)) if query.order == "arrival" and segment:
            try:
                return [literal(datetime.fromisoformat(at), Instant()), literal(seq, _s.seq.type)]
            except ValueError as error:
                raise BadPosition from error
        case (str(name), int(seq)) if query.order == "alphabetical" and segment:
            return [literal(name, Text()), literal(seq, _s.seq.type)]
        case _:
            raise BadPosition


def _key(query: ListQuery, segment: int, row: Row) -> Key:
    if segment == 0:
        return (row["initiator_rank"], row["seq"])
    if query.order == "arrival":
        return (row["confirmed_at"].astimezone(UTC).isoformat(), row["seq"])
    return (row["sort_key"], row["seq"])


def _listed(row: Row) -> Listed:
    kind: Kind = row["kind"]
    organization = kind == "organization"
    signatory = Signatory(
        name=None if organization else row["name"],
        kind=kind,
        organization=row["organization"],
        role=None if organization else row["role"],
    )
    return Listed(signatory, row["statement"], row["initiator_rank"] is not None)


def position_values(position: Position) -> list[Any]:
    """A position as JSON can say it."""
    return [position.segment, *position.key]


def read_position(values: Sequence[Any]) -> Position:
    """Raises `BadPosition`."""
    match values:
        case [int(segment), (str() | int()) as first, int(seq)]:
            return Position(segment, (first, seq))
        case _:
            raise BadPosition
