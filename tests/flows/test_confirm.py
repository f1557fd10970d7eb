"""Confirming by mail: once, by one signer, through one partner; and what repeats it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.conftest import Clock
from tests.outbox.conftest import Sign, sign_many
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.refusals import NotOpen
from widget_server.domain.vault import Vault
from widget_server.flows.confirm import Confirmation, confirm
from widget_server.flows.directory import Directory
from widget_server.flows.letter_status import change_letter_status
from widget_server.flows.partners import add_partner
from widget_server.flows.turn import Turns
from widget_server.flows.withdraw import withdraw
from widget_server.store.db import Db
from widget_server.store.signatures import find_signature
from widget_server.store.tables import consents, events, signature_counts, signatures, signers

PENDING: dict[str, Any] = {"status": "pending", "confirmed_at": None, "signer_hash": "zoe", "address_hash": "at-zoe"}


@pytest.fixture
def letter_folder(letter_folder: Path) -> Path:
    """The letter confirms by mail."""
    settings = letter_folder / "letter.toml"
    settings.write_text(settings.read_text("utf-8").replace('confirmation = "none"', 'confirmation = "email"'), "utf-8")
    return letter_folder


@pytest.fixture
def turns(db: Db, vault: Vault, clock: Clock) -> Turns:
    return Turns(db, vault, clock)


@pytest.fixture
async def birch(db: Db, directory: Directory, letter: Letter, clock: Clock) -> Partner:
    """Another partner."""
    await add_partner(db, letter, "birch", name="Birch", origins=["https://birch.example"], now=clock(), actor="test")
    await directory.refresh(now_please=True)
    found = await directory.partner(letter.id, "birch")
    assert found is not None
    return found


@pytest.fixture
async def more(database_url: str, vault: Vault, clock: Clock) -> AsyncIterator[list[Turns]]:
    """Three further servers on the same database."""
    dbs = [Db(database_url) for _ in range(3)]
    for db in dbs:
        await db.connect()
    yield [Turns(db, vault, clock) for db in dbs]
    for db in dbs:
        await db.disconnect()


async def told(db: Db) -> list[str]:
    about = events.c.signature_id.is_not(None) & (events.c.type != "signer.mail")
    return [row["type"] for row in await db.all(select(events.c.type).where(about).order_by(events.c.seq))]


async def total(db: Db) -> int:
    return sum(row["number"] for row in await db.all(select(signature_counts.c.number)))


async def test_it_counts_from_then_on_and_twice_is_harmless(
    db: Db, letter: Letter, sign: Sign, turns: Turns, clock: Clock
) -> None:
    id_ = await sign(**PENDING)
    assert (await total(db), await told(db)) == (0, ["signature.created"])
    clock.advance(60)
    first = await confirm(turns, letter, id_)
    at = clock()
    clock.advance(60)
    again = await confirm(turns, letter, id_)
    assert (first.ended, again.ended) == ("confirmed", "confirmed")
    assert again.signature is not None
    assert (again.signature.confirmed_at, again.signature.address_confirmed_at) == (at, at)
    assert (await total(db), await told(db)) == (1, ["signature.created", "signature.confirmed"])


async def test_the_first_keeps_the_credit_and_another_partner_has_an_assist(
    db: Db, letter: Letter, partner: Partner, birch: Partner, sign: Sign, turns: Turns
) -> None:
    first = await sign(**PENDING, email="zoe@example.org")
    second = await sign(
        **PENDING, partner_id=birch.id, email="zoe@example.org", partner_opt_in=True, contact_opt_in=True
    )
    plain = await sign(**PENDING, partner_id=birch.id, email="zoe@example.org")
    assert (await confirm(turns, letter, first)).ended == "confirmed"
    assert (await confirm(turns, letter, second)).ended == "repeated"
    assert (await confirm(turns, letter, plain)).ended == "repeated"
    rows = {row["id"]: row for row in await db.all(select(signatures))}
    assert [rows[id_]["repeat_of"] for id_ in (first, second, plain)] == [None, first, first]
    assert rows[second]["email"] == "zoe@example.org", "kept for the partner whose box was ticked"
    assert (rows[plain]["email"], rows[plain]["comment"]) == (None, None), "kept for nobody"
    assert bool(rows[first]["contact_opt_in"]), "what she says to the initiators, she says of the one that counts"
    assert not rows[first]["partner_opt_in"], "a partner's box speaks for that partner only"
    assert await total(db) == 1
    assert (await told(db))[3:] == [
        "signature.confirmed",
        "signature.assisted",
        "signature.updated",
        "signature.assisted",
    ]


async def test_the_same_partner_again_is_a_repeat_without_an_assist(
    db: Db, letter: Letter, sign: Sign, turns: Turns
) -> None:
    first, second = await sign(**PENDING), await sign(**PENDING, partner_opt_in=True)
    await confirm(turns, letter, first)
    assert (await confirm(turns, letter, second)).ended == "repeated"
    assert (await told(db))[2:] == ["signature.confirmed", "signature.updated"]
    kept = await find_signature(db, first)
    assert kept is not None
    assert kept.partner_opt_in


async def test_many_at_once_from_several_servers_are_one_signature(
    db: Db, letter: Letter, partner: Partner, birch: Partner, turns: Turns, more: list[Turns], clock: Clock
) -> None:
    servers = [turns, *more]
    pending = [
        {**PENDING, "signer_hash": f"s{signer}", "address_hash": f"at-{signer}", "partner_id": partner_id}
        for signer in range(12)
        for partner_id in (partner.id, birch.id)
    ]
    ids = await sign_many(db, letter, partner, clock, pending)

    async def press(number: int, id_: str) -> Confirmation:
        return await confirm(servers[number % len(servers)], letter, id_)

    ended = await asyncio.gather(*(press(number, id_) for number, id_ in enumerate([*ids, *ids])))
    assert [one.ended for one in ended].count("confirmed") == 24, "each of 12 signers once, pressed twice"
    assert await total(db) == 12
    assert len(await db.all(select(signers))) == 12
    kinds = await told(db)
    assert (kinds.count("signature.confirmed"), kinds.count("signature.assisted")) == (12, 12)


async def test_confirming_and_withdrawing_at_once_leave_a_true_count(
    db: Db, letter: Letter, turns: Turns, partner: Partner, more: list[Turns], clock: Clock
) -> None:
    pending = [{**PENDING, "signer_hash": f"s{number}", "address_hash": f"at-{number}"} for number in range(10)]
    ids = await sign_many(db, letter, partner, clock, pending)
    await asyncio.gather(
        *(confirm(turns, letter, id_) for id_ in ids),
        *(withdraw(more[number % 3], letter, id_) for number, id_ in enumerate(ids)),
        *(confirm(more[number % 3], letter, id_) for number, id_ in enumerate(reversed(ids))),
    )
    counted = await db.all(select(signatures).where(signatures.c.status == "confirmed"))
    assert await total(db) == len(counted)
    assert {row["status"] for row in await db.all(select(signatures))} <= {"confirmed", "withdrawn"}
    assert len(await db.all(select(signers))) == len(counted)


async def test_in_quarantine_it_looks_confirmed_and_nothing_comes_of_it(
    db: Db, letter: Letter, sign: Sign, turns: Turns
) -> None:
    id_ = await sign(**PENDING, quarantine="fast,not_shown")
    assert (await confirm(turns, letter, id_)).ended == "confirmed"
    row = await find_signature(db, id_)
    assert row is not None
    assert (row.status, row.confirmed_at, row.address_confirmed_at is not None) == ("pending", None, True)
    assert (await total(db), await told(db)) == (0, [])


async def test_whoever_was_refused_before_signs_into_quarantine(
    db: Db, letter: Letter, sign: Sign, turns: Turns
) -> None:
    waiting = await sign(**PENDING)
    async with db.write() as writer:
        await writer.raw(
            "INSERT INTO signers (letter_id, signer_hash, signature_id, rejected)"
            " VALUES (?, 'zoe', '018f0000-0000-7000-8000-000000000001', TRUE)",
            (letter.id,),
        )
    new = await sign(**PENDING)
    for id_ in (waiting, new):
        assert (await confirm(turns, letter, id_)).ended == "confirmed", "she is told nothing"
        row = await find_signature(db, id_)
        assert row is not None
        assert (row.status, row.quarantine) == ("pending", "rejected_before")
    assert await total(db) == 0


async def test_after_withdrawing_one_may_sign_again(db: Db, letter: Letter, sign: Sign, turns: Turns) -> None:
    first = await sign(**PENDING)
    await confirm(turns, letter, first)
    await withdraw(turns, letter, first)
    assert await total(db) == 0
    assert (await confirm(turns, letter, first)).ended == "withdrawn", "there is no way out of it"
    again = await sign(**PENDING)
    assert (await confirm(turns, letter, again)).ended == "confirmed"
    assert await total(db) == 1


async def test_withdrawing_takes_the_assists_along(
    db: Db, letter: Letter, birch: Partner, sign: Sign, turns: Turns
) -> None:
    first, assist = await sign(**PENDING), await sign(**PENDING, partner_id=birch.id, partner_opt_in=True)
    await confirm(turns, letter, first)
    await confirm(turns, letter, assist)
    assert await withdraw(turns, letter, assist), "from the page of either"
    statuses = {row["status"] for row in await db.all(select(signatures.c.status))}
    assert statuses == {"withdrawn"}
    assert await total(db) == 0
    kept = await db.all(select(consents))
    assert [(row["signature_id"], row["purpose"], bool(row["given"]), row["way"]) for row in kept] == [
        (assist, "partner", False, "withdrawal")
    ]


@pytest.mark.parametrize("hours", [71, 72])
async def test_links_hold_for_72_hours_past_closing(
    db: Db, directory: Directory, letter: Letter, sign: Sign, turns: Turns, clock: Clock, hours: int
) -> None:
    id_ = await sign(**PENDING)
    await change_letter_status(db, "letter", "close", now=clock(), actor="test")
    clock.now += timedelta(hours=hours)
    await directory.refresh(now_please=True)
    closed = await directory.letter("letter")
    assert closed is not None
    if hours < 72:
        assert (await confirm(turns, closed, id_)).ended == "confirmed"
        assert await total(db) == 1
    else:
        with pytest.raises(NotOpen):
            await confirm(turns, closed, id_)
        assert await total(db) == 0


async def test_what_is_gone_is_gone(letter: Letter, turns: Turns) -> None:
    assert (await confirm(turns, letter, "018f0000-0000-7000-8000-000000000001")).ended == "gone"
