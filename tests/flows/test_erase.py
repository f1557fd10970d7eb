"""Erasing by staff: what counted stays as a number, and of its signer no trace is left in any table."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from tests.conftest import Clock
from tests.flows.staff import PENDING, STAFF, counts, noted, turns
from tests.outbox.conftest import AddDestination, Sign, dispatcher, make_dispatcher, receiver
from tests.outbox.receiver import Answer, Receiver
from widget_server.domain.consents import Consents
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.refusals import Problems
from widget_server.domain.vault import Vault
from widget_server.flows.ask_again import ask_for_page
from widget_server.flows.change_consents import Choice, change_consents
from widget_server.flows.edit import edit
from widget_server.flows.erase import ERASE, erase_named, erase_own
from widget_server.flows.reject import reject
from widget_server.flows.restore import restore
from widget_server.flows.turn import Turns
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.store.db import Db
from widget_server.store.tables import attempts, consents, deliveries, metadata, remainders, signatures

__all__ = ["dispatcher", "make_dispatcher", "receiver", "turns"]

TYPED: dict[str, Any] = {
    "name": "Odile Marchand", "email": "odile.marchand@example.org", "city": "Sherbrooke", "postal_code": "J1H 0A0",
    "comment": "Only for you", "role": "Lutenist", "organization": "Les Luths", "page": "https://maple.example/odile",
    "source": "odiles-link", "client": "a-client-of-odiles", "sort_key": "odile marchand",
}  # fmt: skip
TRACES = (*TYPED.values(), "Marchand", "odile", "Les Luths", '"J1H')  # a cell that begins so: keys may have it within


async def everything(db: Db) -> str:
    """Every cell of every table."""
    rows = [await db.all(select(table)) for table in metadata.sorted_tables]
    return json.dumps(rows, default=str, ensure_ascii=False)


@pytest.fixture
async def odile(
    db: Db, letter: Letter, partner: Partner, sign: Sign, turns: Turns, clock: Clock,
    dispatcher: Dispatcher, add_destination: AddDestination, receiver: Receiver,
) -> str:  # fmt: skip
    """A signature with everything about it that there can be: consents, deliveries that were answered with what they
    had been sent, edits, a refusal that was taken back, mails."""
    await add_destination(f"{receiver.url}/letter")
    await add_destination(f"{receiver.url}/partner", partner=partner)
    await add_destination(f"{receiver.url}/room", "slack")
    receiver.always = lambda one: Answer(200, body=one.body)
    id_ = await sign(**TYPED, contact_opt_in=True, partner_opt_in=True)
    await dispatcher.drain()
    offered = Consents("v1", {"fr": {"initiators": "Oui", "partner": "Oui"}})
    for given in (False, True):
        choice = Choice("partner", given, partner.id, offered, page="https://letters.example.org/signatures")
        await change_consents(turns, letter, id_, [choice], "page")
    await edit(turns, letter, id_, {"name": "Odile  Marchand", "role": "Lutenist "}, STAFF)
    await reject(turns, letter, [id_], STAFF)
    await restore(turns, letter, [id_], STAFF)
    await ask_for_page(db, letter, TYPED["email"], clock())
    await dispatcher.drain()
    return id_


async def test_no_trace_is_left_but_a_number(
    db: Db, letter: Letter, odile: str, turns: Turns, dispatcher: Dispatcher, receiver: Receiver, vault: Vault
) -> None:
    before = await everything(db)
    assert [trace for trace in TRACES if trace not in before] == [], "this test looks for what is there"
    kept = await counts(db)

    done = await erase_named(turns, letter, [odile], STAFF)
    (erased,) = done.erased
    assert (erased.id, erased.signatures, erased.still_counted) == (odile, 1, True)
    assert {(one.kind, one.partner_id is None) for one in erased.received} == {
        ("webhook", True), ("webhook", False), ("slack", True),
    }  # fmt: skip
    assert await counts(db) == kept == {"individual": 1}
    after = await everything(db)
    assert [trace for trace in TRACES if trace in after] == []
    assert (await db.all(select(signatures)), await db.all(select(consents))) == ([], [])
    sealed = [row["sealed"] for row in await db.all(select(deliveries.c.sealed)) if row["sealed"]]
    assert [vault.open(one) for one in sealed] == [{"email": TYPED["email"]}] * 2, "for those who have the address"

    receiver.received.clear()
    await dispatcher.drain()
    told = {one.path: one.json["data"] for one in receiver.received}
    assert {path: (data["email"], data["erased"], data["name"]) for path, data in told.items()} == {
        "/hook/letter": (TYPED["email"], True, None),
        "/hook/partner": (TYPED["email"], True, None),
    }
    assert [row for row in await db.all(select(deliveries.c.sealed)) if row["sealed"]] == []
    after = await everything(db)
    assert [trace for trace in TRACES if trace in after] == [], "its answer quotes the address, too"
    (line,) = await noted(db, ERASE)
    assert line == {"actor": "ana", "reason": "known to us", "subject": odile, "data": None}
    again = await erase_named(turns, letter, [odile], STAFF)
    assert (again.erased, again.repeated) == ((), (odile,)), "twice changes nothing"


async def test_an_answer_that_comes_after_the_erasure_is_not_kept(
    db: Db, letter: Letter, sign: Sign, turns: Turns, add_destination: AddDestination, dispatcher: Dispatcher,
    receiver: Receiver,
) -> None:  # fmt: skip
    await add_destination(receiver.url, events=("signature.confirmed",))
    receiver.always = lambda one: Answer(200, body=one.body, hang=True)
    id_ = await sign(**TYPED)
    draining = asyncio.create_task(dispatcher.drain())
    await receiver.wait_for(1)
    await erase_named(turns, letter, [id_], STAFF)
    receiver.let_go()
    await draining
    rows = await db.all(select(attempts.c.status_code, attempts.c.response))
    assert [(row["status_code"], row["response"]) for row in rows] == [(200, None)]
    assert "Marchand" not in await everything(db)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_not_even_in_the_free_pages_of_the_file(
    db: Db, database_url: str, letter: Letter, odile: str, turns: Turns, dispatcher: Dispatcher
) -> None:
    file = Path(database_url.removeprefix("sqlite:///"))
    await _write_back(db)
    assert TYPED["email"].encode() in file.read_bytes()
    await erase_named(turns, letter, [odile], STAFF)
    await dispatcher.drain()
    await _write_back(db)
    kept = file.read_bytes()
    assert [trace for trace in TRACES if trace.encode() in kept] == []


async def _write_back(db: Db) -> None:
    """The log goes into the file, as SQLite does by itself every so often."""
    await db.all(text("PRAGMA wal_checkpoint(TRUNCATE)"))


async def test_its_signer_leaves_not_even_the_number(db: Db, letter: Letter, odile: str, turns: Turns) -> None:
    assert await erase_own(turns, letter, odile)
    after = await everything(db)
    assert [trace for trace in TRACES if trace in after] == []
    assert (await counts(db), await db.all(select(remainders))) == ({}, [])
    assert not await erase_own(turns, letter, odile)


async def test_what_waits_never_leaves(
    db: Db, letter: Letter, sign: Sign, turns: Turns, add_destination: AddDestination, dispatcher: Dispatcher,
    receiver: Receiver,
) -> None:  # fmt: skip
    await add_destination(receiver.url)
    receiver.always = lambda _: Answer(503)
    id_ = await sign(**TYPED)
    await dispatcher.drain()
    receiver.received.clear()
    (erased,) = (await erase_named(turns, letter, [id_], STAFF)).erased
    assert erased.cancelled == 2, "created and confirmed"
    rows = await db.all(select(deliveries.c.status, deliveries.c.last_error).where(deliveries.c.kind == "webhook"))
    assert {(row["status"], row["last_error"]) for row in rows} == {("cancelled", "erased: its signer's data is gone")}


async def test_who_repeats_goes_along_and_nobody_counts_twice(db: Db, letter: Letter, sign: Sign, turns: Turns) -> None:
    zoe = {"signer_hash": "zoe", "address_hash": "at-zoe"}
    first = await sign(**zoe)
    second, other = await sign(**zoe, partner_opt_in=True), await sign()
    done = await erase_named(turns, letter, [first, second], STAFF)
    assert ([one.id for one in done.erased], done.along) == ([first], (second,))
    assert [row["id"] for row in await db.all(select(signatures.c.id))] == [other]
    again = await sign(**zoe)
    assert again
    assert await counts(db) == {"individual": 2}, "the number stands for the one who is gone"


async def test_what_never_counted_leaves_nothing(db: Db, letter: Letter, sign: Sign, turns: Turns) -> None:
    waiting, trapped = await sign(**PENDING), await sign(**PENDING, quarantine="honeypot")
    done = await erase_named(turns, letter, [waiting, trapped], STAFF)
    assert [one.still_counted for one in done.erased] == [False, False]
    assert (await counts(db), await db.all(select(remainders)), await db.all(select(signatures))) == ({}, [], [])


async def test_all_or_none(db: Db, letter: Letter, sign: Sign, turns: Turns) -> None:
    id_ = await sign()
    with pytest.raises(Problems, match="no such signature"):
        await erase_named(turns, letter, [id_, "018f0000-0000-7000-8000-000000000001"], STAFF)
    assert len(await db.all(select(signatures.c.id))) == 1
