"""Signatures as staff see them: list, find, take away, approve.

One thing must stay true: everything that may be many is read in pages by `seq`, so that a list of a million
costs no more memory than a page.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update

from widget_server.domain.names import fold
from widget_server.domain.signatures import Kind, Listing, Signature, Status
from widget_server.store.db import Db, Row, Writer
from widget_server.store.tables import signatures

PAGE = 1_000
_FIELDS = tuple(field.name for field in fields(Signature))
SIGNATURE_COLUMNS = [signatures.c[name] for name in _FIELDS]


@dataclass(frozen=True, slots=True)
class Relied:
    """How many signatures were made under a statement, from a country, in a language."""

    statement: str
    country: str
    locale: str
    number: int


async def relied_on(writer: Writer, letter_id: int) -> list[Relied]:
    """What the letter cannot drop: every signature speaks for itself here, but tests and withdrawn ones."""
    c = signatures.c
    rows = await writer.all(
        select(c.statement, c.country, c.locale, func.count().label("number"))
        .where(c.letter_id == letter_id, c.test.is_(False), c.status != "withdrawn")
        .group_by(c.statement, c.country, c.locale)
    )
    return [Relied(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which signatures of a letter; None is any. `text` is looked for in names, organizations and addresses,
    `address_hash` finds whatever one mailbox signed, however its address was written then."""

    letter_id: int
    status: Status | None = None
    listing: Listing | None = None
    partner_id: int | None = None
    quarantined: bool | None = None
    address_confirmed: bool | None = None
    kind: Kind | None = None
    text: str | None = None
    address_hash: str | None = None


async def each_signature(db: Db, wanted: Wanted, *, limit: int | None = None) -> AsyncIterator[Signature]:
    """By arrival. Read page by page: what arrives meanwhile comes last, what changes is as it was when its
    page was read.
    """
    after = 0
    left = limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        rows = await db.all(
            select(*SIGNATURE_COLUMNS)
            .where(_condition(wanted), signatures.c.seq > after)
            .order_by(signatures.c.seq)
            .limit(size)
        )
        for row in rows:
            yield signature_of(row)
        if len(rows) < size:
            return
        after = rows[-1]["seq"]
        left = None if left is None else left - len(rows)


async def find_signature(db: Db | Writer, id_: str) -> Signature | None:
    row = await db.one(select(*SIGNATURE_COLUMNS).where(signatures.c.id == id_))
    return None if row is None else signature_of(row)


async def signatures_at(db: Db | Writer, letter_id: int, address_hash: str, *, hold: bool = False) -> list[Signature]:
    """Everything that one mailbox has signed in a letter, by arrival, whatever its status. `hold`: until the end of the
    transaction."""
    c = signatures.c
    query = select(*SIGNATURE_COLUMNS).where(c.letter_id == letter_id, c.address_hash == address_hash).order_by(c.seq)
    return [signature_of(row) for row in await db.all(query.with_for_update() if hold else query)]


async def withdrew_since(writer: Writer, signature: Signature, at: datetime) -> bool:
    """Whether its signer has taken back what they signed, this or another time, after `at`."""
    c = signatures.c
    if signature.address_hash is None:
        return False
    found = await writer.one(
        select(c.id)
        .where(
            c.letter_id == signature.letter_id,
            c.address_hash == signature.address_hash,
            c.signer_hash == signature.signer_hash,
            c.withdrawn_at > at,
        )
        .limit(1)
    )
    return found is not None


async def lock_repeats(writer: Writer, head_id: str) -> list[Signature]:
    """The signatures that repeat one, or were merged into it, by arrival; held until the end of the transaction."""
    rows = await writer.all(
        select(*SIGNATURE_COLUMNS).where(signatures.c.repeat_of == head_id).order_by(signatures.c.seq).with_for_update()
    )
    return [signature_of(row) for row in rows]


async def update_signature(writer: Writer, id_: str, **values: Any) -> None:
    """`values` by column."""
    await writer.execute(update(signatures).where(signatures.c.id == id_).values(**values))


async def delete_signatures(writer: Writer, ids: Sequence[str]) -> None:
    for start in range(0, len(ids), PAGE):
        await writer.execute(delete(signatures).where(signatures.c.id.in_(ids[start : start + PAGE])))


async def lock_signatures(writer: Writer, letter_id: int, ids: Collection[str]) -> dict[str, Signature]:
    """Signatures by id, held until the end of the transaction; those that do not exist are left out."""
    found: dict[str, Signature] = {}
    wanted = sorted(set(ids))
    for start in range(0, len(wanted), PAGE):
        rows = await writer.all(
            select(*SIGNATURE_COLUMNS)
            .where(signatures.c.letter_id == letter_id, signatures.c.id.in_(wanted[start : start + PAGE]))
            .order_by(signatures.c.seq)
            .with_for_update()
        )
        found.update({row["id"]: signature_of(row) for row in rows})
    return found


def _condition(wanted: Wanted) -> ColumnElement[bool]:
    c = signatures.c
    conditions: list[ColumnElement[bool]] = [c.letter_id == wanted.letter_id]
    for column, value in (
        (c.status, wanted.status),
        (c.listing, wanted.listing),
        (c.partner_id, wanted.partner_id),
        (c.kind, wanted.kind),
    ):
        if value is not None:
            conditions.append(column == value)
    for column, there in ((c.quarantine, wanted.quarantined), (c.address_confirmed_at, wanted.address_confirmed)):
        if there is not None:
            conditions.append(column.is_not(None) if there else column.is_(None))
    if wanted.text is not None:
        conditions.append(_mentions(wanted.text, wanted.address_hash))
    return and_(*conditions)


def _mentions(text: str, address_hash: str | None) -> ColumnElement[bool]:
    """The name that a list shows is compared without accents, case and punctuation; the others as the engine
    can.
    """
    c = signatures.c
    found = [_holds(func.lower(column), text.lower()) for column in (c.name, c.organization, c.email)]
    if folded := fold(text):
        found.append(_holds(c.sort_key, folded))
    if address_hash is not None:
        found.append(c.address_hash == address_hash)
    return or_(*found)


def _holds(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """The wildcards are part of the value: `databases` trips over a per cent sign in the text of a query."""
    return column.like(f"%{escaped(text)}%", escape="/")


def escaped(text: str) -> str:
    """For `like(…, escape="/")`: the characters themselves."""
    return text.replace("/", "//").replace("%", "/%").replace("_", "/_")


def signature_of(row: Row) -> Signature:
    booleans: dict[str, Any] = {name: bool(row[name]) for name in _BOOLEANS}
    return Signature(**{**row, **booleans})


_BOOLEANS = ("test", "authorized", "public", "contact_opt_in", "partner_opt_in", "origin_flagged", "shown")
