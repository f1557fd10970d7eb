"""Data kept short: each term is kept, and the count stays what it was."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from tests.conftest import Clock
from tests.outbox.conftest import AddDestination, Sign, sign_many
from widget_server.domain.ids import new_id
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.retention import Swept
from widget_server.flows import retention
from widget_server.flows.directory import Directory
from widget_server.flows.fan_out import fan_out
from widget_server.flows.letter_status import change_letter_status
from widget_server.flows.retention import sweep, sweep_in_turn
from widget_server.store import retention as store
from widget_server.store.db import Db
from widget_server.store.remainders import remaining
from widget_server.store.tables import (
    attempts,
    audit,
    client_keys,
    deliveries,
    events,
    letters,
    mail_quotas,
    revisions,
    signature_counts,
    signatures,
    signers,
    spent_challenges,
)

DAY = timedelta(days=1)


async def swept(db: Db, directory: Directory, clock: Clock, *, dry_run: bool = False) -> Swept:
    await directory.refresh(now_please=True)
    return (await sweep(db, await directory.letters(), clock(), actor="test", dry_run=dry_run))["letter"]


async def ids(db: Db) -> set[str]:
    return {row["id"] for row in await db.all(select(signatures.c.id))}


async def count(db: Db) -> int:
    return int(await db.value(select(func.coalesce(func.sum(signature_counts.c.number), 0))))


async def set_on(db: Db, id_: str, **values: Any) -> None:
    async with db.write() as writer:
        await writer.execute(update(signatures).where(signatures.c.id == id_).values(**values))


async def test_what_nobody_confirms_goes_after_thirty_days_and_leaves_a_number(
    db: Db, directory: Directory, letter: Letter, sign: Sign, clock: Clock
) -> None:
    old = await sign(status="pending", confirmed_at=None)
    await sign(status="pending", confirmed_at=None, quarantine="fast,not_shown", signer_hash="robot")
    counted = await sign(signer_hash="counted")
    clock.now += DAY
    young = await sign(status="pending", confirmed_at=None, signer_hash="young")
    clock.now += 29 * DAY
    assert not await swept(db, directory, clock), "thirty days are not over yet"
    clock.now += timedelta(seconds=1)

    would = await swept(db, directory, clock, dry_run=True)
    assert (would.unconfirmed, await ids(db) >= {old}) == (2, True), "a dry run changes nothing"
    assert await swept(db, directory, clock) == would
    assert await ids(db) == {counted, young}
    assert await remaining(db, letter.id, "unconfirmed") == 1, "a quarantined one never was a signature"
    assert await count(db) == 1
    assert not await swept(db, directory, clock)


async def test_withdrawn_ones_and_tests_go_after_their_time(
    db: Db, directory: Directory, letter: Letter, sign: Sign, clock: Clock
) -> None:
    gone = await sign()
    await set_on(db, gone, status="withdrawn", withdrawn_at=clock())
    await sign(test=True, signer_hash="webmaster")
    clock.now += DAY + timedelta(seconds=1)
    assert (await swept(db, directory, clock)).as_dict() == Swept(tests=1).as_dict()
    clock.now += 29 * DAY
    assert (await swept(db, directory, clock)).withdrawn == 1
    assert await ids(db) == set()


async def test_contact_details_go_a_set_time_after_closing(
    db: Db, directory: Directory, letter: Letter, sign: Sign, clock: Clock
) -> None:
    person = await sign(email="zoe@example.org", contact_opt_in=True)
    organization = await sign(
        kind="organization", name="Rae Presents", organization="Oak House", email="rae@example.org", signer_hash="oak"
    )
    refused = await sign(status="rejected", signer_hash="refused")
    total = await count(db)
    await change_letter_status(db, "letter", "close", now=clock(), actor="test")
    clock.now += 180 * DAY - timedelta(seconds=1)
    assert not (await swept(db, directory, clock)).contacts
    clock.now += timedelta(seconds=1)
    would = await swept(db, directory, clock, dry_run=True)
    done = await swept(db, directory, clock)
    assert (done.contacts, done.rejected) == (would.contacts, would.rejected) == (2, 1)
    rows = {row["id"]: row for row in await db.all(select(signatures))}
    assert rows.keys() == {person, organization}
    assert refused not in rows
    for row in rows.values():
        for column in ("email", "postal_code", "city", "comment", "address_hash", "signer_hash", "client"):
            assert row[column] is None, column
    assert (rows[person]["name"], rows[organization]["organization"]) == ("Zoë Gagné", "Oak House")
    assert rows[organization]["name"] is None, "a representative's name is a contact detail"
    assert await db.value(select(func.count()).select_from(signers)) == 0
    assert await count(db) == total
    assert not await swept(db, directory, clock)


async def test_a_letter_says_how_long_contact_details_stay(
    db: Db, directory: Directory, letter: Letter, sign: Sign, clock: Clock
) -> None:
    await sign()
    async with db.write() as writer:
        settings = letter.settings.model_dump(mode="json") | {"contact_days": 2}
        await writer.execute(update(letters).values(settings=settings, state="closed", closed_at=clock()))
        await writer.execute(update(revisions).where(revisions.c.name == "directory").values(number=99))
    clock.now += 2 * DAY
    assert (await swept(db, directory, clock)).contacts == 1


async def test_the_place_of_somebody_who_is_gone_stays_until_nothing_can_be_confirmed(
    db: Db, directory: Directory, letter: Letter, sign: Sign, clock: Clock
) -> None:
    await sign()
    async with db.write() as writer:
        await writer.execute(
            insert(signers).values(
                letter_id=letter.id, signer_hash="gone", signature_id="018f0000-0000-7000-8000-000000000001"
            )
        )
    assert not (await swept(db, directory, clock)).places
    await change_letter_status(db, "letter", "close", now=clock(), actor="test")
    clock.now += timedelta(hours=72)
    assert (await swept(db, directory, clock)).places == 1
    assert await db.value(select(func.count()).select_from(signers)) == 1, "whoever still counts keeps theirs"


async def test_a_clients_hash_lives_seven_days_and_so_does_its_key(
    db: Db, directory: Directory, letter: Letter, partner: Partner, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BATCH", 2)
    start = clock()
    many = [{"client": "c" * 22} for _ in range(5)]
    await sign_many(db, letter, partner, clock, many)
    clock.now += DAY
    await sign_many(db, letter, partner, clock, [{"client": "d" * 22}])
    async with db.write() as writer:
        for day in (start - DAY, start, clock()):
            await writer.execute(insert(client_keys).values(day=day.date().isoformat(), key=b"k"))

    clock.now = start + 7 * DAY
    await swept(db, directory, clock)
    assert {row["client"] for row in await db.all(select(signatures.c.client))} == {"c" * 22, "d" * 22}
    clock.now += timedelta(seconds=1)
    await swept(db, directory, clock)
    left = [row["client"] for row in await db.all(select(signatures.c.client).order_by(signatures.c.seq))]
    assert left == [None] * 5 + ["d" * 22]
    days = {row["day"] for row in await db.all(select(client_keys.c.day))}
    assert days == {start.date().isoformat(), (start + DAY).date().isoformat()}
    clock.now += DAY
    await swept(db, directory, clock)
    assert {row["client"] for row in await db.all(select(signatures.c.client))} == {None}


async def test_a_sealed_address_that_nobody_takes_is_given_up(
    db: Db, directory: Directory, letter: Letter, sign: Sign, add_destination: AddDestination, clock: Clock
) -> None:
    destination = await add_destination("http://127.0.0.1:1/")
    event = "018f0000-0000-7000-8000-000000000002"
    id_ = await sign()
    async with db.write() as writer:
        await writer.raw(
            "INSERT INTO events (id, type, letter_id, signature_id, data, occurred_at, fanned_out_at)"
            " VALUES (?, 'signature.withdrawn', ?, ?, '{}', ?, ?)",
            (event, letter.id, id_, writer.instant(clock()), writer.instant(clock())),
        )
        await writer.execute(
            insert(deliveries).values(
                id=event, event_id=event, destination_id=destination, kind="webhook", status="pending", attempts=0,
                throttled=0, next_attempt_at=clock(), created_at=clock(), sealed="sealed",
            )
        )  # fmt: skip
    clock.now += 30 * DAY
    assert not (await swept(db, directory, clock)).sealed
    clock.now += timedelta(seconds=1)
    assert (await swept(db, directory, clock)).sealed == 1
    row = await db.one(select(deliveries).where(deliveries.c.id == event))
    assert row is not None
    assert (row["status"], row["sealed"]) == ("failed", None)


async def test_quotas_and_spent_work_go(db: Db, directory: Directory, letter: Letter, clock: Clock) -> None:
    async with db.write() as writer:
        for who, at in (("old", clock()), ("new", clock() + 2 * DAY)):
            await writer.execute(insert(mail_quotas).values(letter_id=letter.id, who=who, started_at=at, number=1))
            await writer.execute(insert(spent_challenges).values(challenge=who, expires_at=at + 30 * DAY))
    clock.now += 31 * DAY
    await swept(db, directory, clock)
    assert [row["who"] for row in await db.all(select(mail_quotas.c.who))] == ["new"]
    assert [row["challenge"] for row in await db.all(select(spent_challenges.c.challenge))] == ["new"]


async def test_the_record_of_mails_goes_after_thirty_days(
    db: Db, directory: Directory, letter: Letter, sign: Sign, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BATCH", 2)
    for number in range(3):
        await sign(status="pending", confirmed_at=None, signer_hash=f"s{number}")
    clock.now += DAY
    young = await sign(status="pending", confirmed_at=None)
    clock.now += 29 * DAY + timedelta(seconds=1)
    mails = select(events.c.signature_id).where(events.c.type == "signer.mail")
    assert len(await db.all(mails)) == 4
    await swept(db, directory, clock)
    assert [row["signature_id"] for row in await db.all(mails)] == [young]
    assert await db.value(select(func.count()).select_from(deliveries)) == 1
    assert await db.value(select(func.count()).where(events.c.type == "signature.created")) == 4, "facts stay"


async def test_what_went_is_in_the_log_as_numbers_only(
    db: Db, directory: Directory, letter: Letter, sign: Sign, clock: Clock
) -> None:
    await sign(status="pending", confirmed_at=None, email="zoe@example.org")
    clock.now += 31 * DAY
    await swept(db, directory, clock, dry_run=True)
    await swept(db, directory, clock)
    await swept(db, directory, clock)
    (row,) = await db.all(select(audit).where(audit.c.action == "retention"))
    assert row["data"]["unconfirmed"] == 1
    assert "zoe" not in json.dumps(row, default=str).lower()


async def test_one_server_an_hour_sweeps(
    db: Db, directory: Directory, letter: Letter, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[datetime] = []

    async def counted(_db: Db, _letters: list[Letter], now: datetime, **_more: Any) -> dict[str, Swept]:
        rounds.append(now)
        return {}

    monkeypatch.setattr(retention, "sweep", counted)
    await sweep_in_turn(db, directory, clock())
    await sweep_in_turn(db, directory, clock())
    assert len(rounds) == 1
    clock.now += timedelta(hours=1)
    await sweep_in_turn(db, directory, clock())
    assert len(rounds) == 2
    clock.now -= DAY
    await sweep_in_turn(db, directory, clock())
    assert len(rounds) == 2, "a clock that was put back makes nobody sweep twice"


async def test_attempts_go_after_ninety_days_and_what_became_of_their_deliveries_stays(
    db: Db, directory: Directory, letter: Letter, add_destination: AddDestination, sign: Sign, clock: Clock
) -> None:
    await add_destination("https://crm.example.org/")
    await sign()
    await fan_out(db, {}, clock())

    async def settled() -> None:
        async with db.write() as writer:
            (delivery, *_) = [row["id"] for row in await writer.all(select(deliveries.c.id).order_by(deliveries.c.id))]
            await writer.execute(
                insert(attempts).values(
                    id=new_id(), delivery_id=delivery, started_at=clock(), duration_seconds=0.1, outcome="delivered"
                )
            )

    await settled()
    clock.now += 60 * DAY
    await settled()
    clock.now += 31 * DAY
    number = await db.value(select(func.count()).select_from(deliveries))
    await swept(db, directory, clock)
    left = await db.all(select(attempts.c.started_at))
    assert [row["started_at"] for row in left] == [clock() - 31 * DAY]
    assert await db.value(select(func.count()).select_from(deliveries)) == number
