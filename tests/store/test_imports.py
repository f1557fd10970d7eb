"""Importing while people sign: the indexes decide, on both engines, and nobody is counted twice."""

from __future__ import annotations

import asyncio
from collections import Counter

from sqlalchemy import func, select

from tests.conftest import Clock
from tests.flows.test_approve import organization
from widget_server.domain.ids import new_id
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.store.db import Db
from widget_server.store.imports import ImportedSignature, Written, write_imported
from widget_server.store.ingest import Ingest
from widget_server.store.tables import signature_counts, signatures, signers

SIGNERS = 400


def imported(letter: Letter, partner: Partner, clock: Clock, number: int, signer: str | None) -> ImportedSignature:
    return ImportedSignature(
        id=new_id(), letter_id=letter.id, partner_id=partner.id, statement="ca", kind="organization",
        name=None, organization=f"Group {number}", role=None, organization_website=None, email=None,
        signer_hash=signer,
        address_hash=None,
        country="CA", postal_code=None, city=None, locale="en", source="import", text_version=1,
        import_key=f"{number:043}", sort_key=f"group {number}\x01", initiator_rank=None, created_at=clock(),
        confirmed_at=clock(),
    )  # fmt: skip


def hash_of(number: int) -> str:
    return f"{(number * 7919) % 10_000:043}"  # so that neither side meets them in sorted order


async def write(db: Db, rows: list[ImportedSignature]) -> Written:
    async with db.write() as writer:
        return await write_imported(writer, rows)


async def test_the_indexes_decide(db: Db, letter: Letter, partner: Partner, clock: Clock) -> None:
    first = [imported(letter, partner, clock, number, hash_of(number)) for number in range(3)]
    written = await write(db, first)
    assert written.new == {row.id for row in first}
    assert written.signed == frozenset()

    before = imported(letter, partner, clock, 0, hash_of(0))
    signed = imported(letter, partner, clock, 3, hash_of(1))
    anonymous = imported(letter, partner, clock, 4, None)
    written = await write(db, [before, signed, anonymous])
    assert written == Written(frozenset({anonymous.id}), frozenset({signed.id}))
    assert await db.value(select(func.count()).select_from(signatures)) == 4
    assert await db.value(select(signature_counts.c.number)) == 4


async def test_importing_while_the_same_people_sign(db: Db, letter: Letter, partner: Partner, clock: Clock) -> None:
    other = Db(db.url)
    await other.connect()
    ingest = Ingest(other)
    await ingest.start()
    rows = [imported(letter, partner, clock, number, hash_of(number)) for number in range(SIGNERS)]
    people = [
        organization(letter, partner, clock, f"Group {number}", signer_hash=hash_of(number))
        for number in reversed(range(SIGNERS))
    ]
    try:
        importing = asyncio.create_task(write(db, rows))
        await asyncio.gather(*(ingest.add(person) for person in people))
        written = await importing
    finally:
        await ingest.stop()
        await other.disconnect()

    c = signatures.c
    counted = await db.all(select(c.signer_hash).where(c.repeat_of.is_(None)))
    assert Counter(row["signer_hash"] for row in counted) == Counter(hash_of(number) for number in range(SIGNERS))
    assert await db.value(select(func.count()).select_from(signers)) == SIGNERS
    assert await db.value(select(func.sum(signature_counts.c.number))) == SIGNERS
    assert len(written.new) + len(written.signed) == SIGNERS
    assert await db.value(select(func.count()).where(c.import_key.is_not(None))) == len(written.new)
