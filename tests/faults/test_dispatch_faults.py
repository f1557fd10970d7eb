"""The world in trouble while events are delivered: no names, no disk, a clock that jumps. Nothing is lost, ids stay."""

from __future__ import annotations

import socket
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import pytest

from tests.conftest import Clock
from tests.outbox.conftest import (
    AddDestination,
    MakeDispatcher,
    add_destination,
    kinds,
    make_dispatcher,
    office,
    sign_many,
    vault,
)
from tests.outbox.receiver import Answer, Receiver, receiving
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.refusals import Unavailable
from widget_server.flows.fan_out import fan_out
from widget_server.store.db import Db
from widget_server.store.delivery_log import attempts_at, deliveries_of

__all__ = ["add_destination", "kinds", "make_dispatcher", "office", "vault"]
CONFIRMED = ("signature.confirmed",)
DAY = 24 * 3600


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one


async def test_names_that_nobody_resolves_for_a_while(
    db: Db,
    letter: Letter,
    partner: Partner,
    add_destination: AddDestination,
    make_dispatcher: MakeDispatcher,
    receiver: Receiver,
    clock: Clock,
) -> None:
    gone = True

    def lookup(host: str, port: int) -> Sequence[str]:
        if gone:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return ["127.0.0.1"]

    await add_destination(f"http://hooks.example.org:{receiver.port}/hook", events=CONFIRMED)
    await sign_many(db, letter, partner, clock, [{} for _ in range(5)])
    dispatcher = make_dispatcher(lookup=lookup)
    await dispatcher.drain()
    rows = await deliveries_of(db, letter.id)
    assert {(row.status, row.attempts, row.last_error) for row in rows} == {("pending", 1, "dns_error")}
    gone = False
    clock.advance(5)
    await dispatcher.drain()
    assert Counter(one.headers["webhook-id"] for one in receiver.received) == Counter(row.event_id for row in rows)
    assert {row.status for row in await deliveries_of(db, letter.id)} == {"delivered"}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("when", ["before fan-out", "before the results"])
async def test_a_disk_that_is_full_for_a_while(
    db: Db,
    letter: Letter,
    partner: Partner,
    add_destination: AddDestination,
    make_dispatcher: MakeDispatcher,
    receiver: Receiver,
    clock: Clock,
    when: str,
) -> None:
    async def limit(pages: int | None) -> None:
        async with db.write() as writer:
            ((used,),) = await writer.raw("PRAGMA page_count")
            await writer.raw(f"PRAGMA max_page_count = {pages or used}")

    await add_destination(receiver.url, events=CONFIRMED)
    await sign_many(db, letter, partner, clock, [{} for _ in range(300)])
    dispatcher = make_dispatcher()
    full = False

    def answer(_: object) -> Answer:
        return Answer(body=b"a long answer " * 70)

    receiver.always = answer
    if when == "before the results":
        await fan_out(db, dispatcher._kinds, clock())
    await limit(None)
    try:
        await dispatcher.drain()
    except (sqlite3.Error, Unavailable):
        full = True
    before = await deliveries_of(db, letter.id)
    full = full or any(row.status == "pending" for row in before)
    assert full, "the disk was not full at all"
    await limit(1_000_000)
    for _ in range(3):
        clock.advance(26)
        await dispatcher.drain()
    rows = await deliveries_of(db, letter.id)
    assert {(row.status, row.event_type) for row in rows} == {("delivered", "signature.confirmed")}
    assert len(rows) == 300
    sent = Counter(one.headers["webhook-id"] for one in receiver.received)
    assert set(sent) == {row.event_id for row in rows}
    assert all([await attempts_at(db, row.id) for row in rows[:5]])


@pytest.mark.parametrize("jump", [DAY, -DAY])
async def test_a_clock_that_jumps_by_a_day(
    db: Db,
    letter: Letter,
    partner: Partner,
    add_destination: AddDestination,
    make_dispatcher: MakeDispatcher,
    receiver: Receiver,
    clock: Clock,
    jump: int,
) -> None:
    await add_destination(receiver.url, events=CONFIRMED)
    receiver.answers = [Answer(500), Answer(500)]
    await sign_many(db, letter, partner, clock, [{}, {}])
    dispatcher = make_dispatcher()
    await dispatcher.drain()
    clock.advance(jump)
    await sign_many(db, letter, partner, clock, [{}])
    await dispatcher.drain()
    assert len({one.headers["webhook-id"] for one in receiver.received}) == 3, "what happens from now on goes out now"
    clock.advance(DAY + 6)
    await dispatcher.drain()
    rows = await deliveries_of(db, letter.id)
    assert [(row.status, row.event_type) for row in rows] == [("delivered", "signature.confirmed")] * 3
    assert Counter(one.headers["webhook-id"] for one in receiver.received) == Counter(
        {row.event_id: row.attempts for row in rows}
    )
