"""Signing again, as the store sees it: the same work for a first and a second, places that outlive their rows, and
proofs of work that buy one signature each."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from tests.store.test_ingest import NOW, ids, ingest, signature
from widget_server.domain.ids import new_id
from widget_server.store.db import Db
from widget_server.store.ingest import Ingest
from widget_server.store.new_signatures import (
    NO_EXTRAS,
    Extras,
    NewSignature,
    ProofOfWork,
    WorkSpent,
    write_signatures,
)
from widget_server.store.places import bar_places
from widget_server.store.plans import Ask, Do, Plan
from widget_server.store.signatures import find_signature
from widget_server.store.tables import signature_counts, signatures, spent_challenges

__all__ = ["ids", "ingest"]

PENDING: dict[str, Any] = {"status": "pending", "confirmed_at": None}


async def statements(db: Db, row: NewSignature, extras: Extras = NO_EXTRAS) -> list[str]:
    """The statements that storing one signature takes, without their values."""
    seen: list[str] = []

    def spied(plan: Plan[Any]) -> Generator[Do | Ask, Any, Any]:
        answer: Any = None
        try:
            while True:
                step = plan.send(answer)
                seen.append(re.sub(r"\s+", " ", step.sql))
                answer = yield step
        except StopIteration as end:
            return end.value

    await db.transact(spied(write_signatures(db.engine, [(row, extras)])))
    return seen


async def test_a_first_and_a_second_signature_are_the_same_work(db: Db, ids: tuple[int, int, int]) -> None:
    """Where the letter confirms by mail, nothing that can be measured tells one from the other."""
    letter_id, house, maple = ids
    await statements(db, signature(letter_id, house, "ann"))  # ann has signed, and counts
    first = await statements(db, signature(letter_id, maple, "bea", **PENDING))
    second = await statements(db, signature(letter_id, maple, "ann", **PENDING))
    assert second == first
    assert not [sql for sql in second if sql.startswith("INSERT INTO signers")], "no place is looked at"


async def test_a_signature_that_is_set_aside_is_the_same_work(db: Db, ids: tuple[int, int, int]) -> None:
    letter_id, _, maple = ids
    honest = await statements(db, signature(letter_id, maple, "ann", **PENDING))
    for codes in ("blocked", "fast,not_shown"):
        assert await statements(db, signature(letter_id, maple, codes, quarantine=codes, **PENDING)) == re_rowed(honest)
    refused = signature(letter_id, maple, "bob", **PENDING)
    await statements(db, refused)
    row = await find_signature(db, refused.id)
    assert row is not None
    async with db.write() as writer:
        await bar_places(writer, row)
    assert await statements(db, refused._replace(id=new_id())) == re_rowed(honest), "whoever was refused before"


async def test_mending_one_that_is_set_aside_is_the_same_work(db: Db, ids: tuple[int, int, int]) -> None:
    """Nor does it tell whether a block rule fits the address that was mistyped."""
    letter_id, _, maple = ids
    seen = []
    for codes in (None, "blocked"):
        wrong = signature(letter_id, maple, f"wrong {codes}", quarantine=codes, **PENDING)
        await statements(db, wrong)
        right = signature(letter_id, maple, f"right {codes}", **PENDING)
        seen.append(await statements(db, right, Extras(replaces=wrong.id)))
    assert seen[1] == re_rowed(seen[0])


def re_rowed(seen: list[str]) -> list[str]:
    """Statements as they are where nobody is told: one row less among the events."""
    return [re.sub(r"^(INSERT INTO events .*), (\([?, ]+\))$", r"\1", sql) for sql in seen]


async def test_a_place_outlives_a_signature_that_staff_erased(
    db: Db, ids: tuple[int, int, int], ingest: Ingest
) -> None:
    letter_id, house, maple = ids
    first = signature(letter_id, house, "ann")
    await ingest.add(first)
    async with db.write() as writer:
        await writer.execute(delete(signatures).where(signatures.c.id == first.id))
    again = await ingest.add(signature(letter_id, maple, "ann"))
    row = await find_signature(db, again.id)
    assert row is not None
    assert (row.repeat_of, again.counts.total) == (first.id, 1)


async def test_a_repeat_of_one_that_was_merged_stands_behind_the_one_that_counts(
    db: Db, ids: tuple[int, int, int], ingest: Ingest
) -> None:
    letter_id, house, _ = ids
    head, merged = signature(letter_id, house, "ann"), signature(letter_id, house, "bob")
    await ingest.add(head)
    await ingest.add(merged)
    async with db.write() as writer:
        await writer.execute(update(signatures).where(signatures.c.id == merged.id).values(repeat_of=head.id))
    again = await ingest.add(signature(letter_id, house, "bob"))
    row = await find_signature(db, again.id)
    assert row is not None
    assert row.repeat_of == head.id


async def test_work_buys_one_signature(db: Db, ids: tuple[int, int, int], ingest: Ingest) -> None:
    letter_id, _, maple = ids
    paid = Extras(work=ProofOfWork("challenge", NOW + timedelta(minutes=20)))
    rows = [signature(letter_id, maple, f"s{number}") for number in range(6)]
    answers = await asyncio.gather(*(ingest.add(row, paid) for row in rows), return_exceptions=True)
    stored = [one for one in answers if not isinstance(one, BaseException)]
    assert len(stored) == 1
    assert sum(isinstance(one, WorkSpent) for one in answers) == 5
    with pytest.raises(WorkSpent):
        await ingest.add(signature(letter_id, maple, "later"), paid)
    (mine,) = [row for row in rows if row.id == stored[0].id]
    again = await ingest.add(mine, paid)
    assert (again.new, again.id) == (False, mine.id), "an answer that was lost may be asked for again"
    assert await db.value(select(func.count()).select_from(signatures)) == 1
    assert await db.value(select(signature_counts.c.number)) == 1
    assert await db.value(select(func.count()).select_from(spent_challenges)) == 1


async def test_an_id_that_mends_itself_is_only_itself(db: Db, ids: tuple[int, int, int], ingest: Ingest) -> None:
    row = signature(ids[0], ids[2], "ann", **PENDING)
    await ingest.add(row)
    again = await ingest.add(row, Extras(replaces=row.id))
    assert not again.new
    assert await db.value(select(func.count()).select_from(signatures)) == 1


async def test_mending_reaches_no_other_letter(db: Db, ids: tuple[int, int, int], ingest: Ingest) -> None:
    row = signature(ids[0], ids[2], "ann", **PENDING)
    await ingest.add(row)
    await ingest.add(signature(ids[0], ids[2], "bea", **PENDING), Extras(replaces=new_id()))
    assert await db.value(select(func.count()).select_from(signatures)) == 2
