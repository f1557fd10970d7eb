"""Results on their way into the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.conftest import Clock
from tests.outbox.conftest import AddDestination, MakeDispatcher, Sign
from tests.outbox.receiver import Answer, Receiver
from widget_server.domain.letters import Letter
from widget_server.domain.refusals import Unavailable
from widget_server.flows.fan_out import fan_out
from widget_server.flows.settle import settle
from widget_server.outbox import ledger as ledger_module
from widget_server.outbox.ledger import Ledger
from widget_server.outbox.schedule import UNWRITTEN
from widget_server.store.db import Db
from widget_server.store.deliveries import Settlement
from widget_server.store.delivery_log import deliveries_of


async def test_results_wait_while_the_database_takes_nothing(
    db: Db,
    letter: Letter,
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    make_dispatcher: MakeDispatcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await add_destination(receiver.url, events=("signature.confirmed",))
    await sign()
    dispatcher = make_dispatcher()
    ledger = dispatcher._ledger
    commit, refused = ledger._commit, 0

    async def refusing(batch: Any) -> None:
        nonlocal refused
        refused += 1
        raise Unavailable

    monkeypatch.setattr(ledger, "_commit", refusing)
    await dispatcher.drain()
    assert (len(receiver.received), refused > 0) == (1, True)
    with pytest.raises(Unavailable):
        await ledger.flush()
    (row,) = await deliveries_of(db, letter.id)
    assert row.status == "pending"
    monkeypatch.setattr(ledger, "_commit", commit)
    await ledger.flush()
    (row,) = await deliveries_of(db, letter.id)
    assert (row.status, row.attempts) == ("delivered", 1)
    await dispatcher.drain()
    assert len(receiver.received) == 1


async def test_while_the_database_is_away_the_loop_goes_on_and_catches_up(
    db: Db,
    letter: Letter,
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    make_dispatcher: MakeDispatcher,
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
) -> None:
    await add_destination(receiver.url, events=("signature.confirmed",))
    dispatcher = make_dispatcher()
    running = asyncio.create_task(dispatcher.run())
    write, away, asked = db.write, True, asyncio.Event()

    @asynccontextmanager
    async def sometimes() -> AsyncIterator[Any]:
        if away:
            asked.set()
            raise Unavailable
        async with write() as writer:
            yield writer

    await sign()
    monkeypatch.setattr(db, "write", sometimes)
    dispatcher.wake()
    async with asyncio.timeout(5):
        await asked.wait()
    assert not running.done()
    away = False
    await receiver.wait_for(1)
    running.cancel()
    await asyncio.wait([running])
    assert [row.status for row in await deliveries_of(db, letter.id)] == ["delivered"]


async def test_a_flush_right_behind_another_is_not_told_that_it_failed(
    db: Db, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task that wrote for the first one has ended, and nobody has looked at that yet."""
    ledger, written = Ledger(db, clock, on_events=lambda: None), list[Any]()

    async def commit(batch: Any) -> None:
        written.extend(batch)

    monkeypatch.setattr(ledger, "_commit", commit)
    results: list[Any] = ["one", "two", "three"]
    for result in results:
        ledger.put([result])
        await ledger.flush()
    assert written == results


async def test_one_result_that_cannot_be_written_for_a_mistake_of_ours_keeps_no_other_from_being_written(
    db: Db,
    letter: Letter,
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    make_dispatcher: MakeDispatcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await add_destination(receiver.url, events=("signature.confirmed",))
    for _ in range(5):
        await sign()
    dispatcher = make_dispatcher()
    await fan_out(db, dispatcher._kinds, dispatcher._now())
    poison = (await deliveries_of(db, letter.id))[2].id

    async def mistaken(writer: Any, batch: Sequence[Settlement], *args: Any, counts: bool = True) -> int:
        if any(one.delivery_id == poison for one in batch):
            raise KeyError("a mistake")
        return await settle(writer, batch, *args, counts=counts)

    monkeypatch.setattr(ledger_module, "settle", mistaken)
    await dispatcher.drain()
    ledger = dispatcher._ledger
    for _ in range(9):  # the loop pokes it each second
        ledger.poke()
        assert ledger._task is not None
        await asyncio.wait([ledger._task])
    rows = await deliveries_of(db, letter.id)
    assert sorted(row.status for row in rows) == ["delivered"] * 4 + ["pending"]
    assert next(row.id for row in rows if row.status == "pending") == poison
    await ledger.flush()


async def test_a_result_that_can_never_be_written_is_not_sent_again_for_ever(
    db: Db,
    letter: Letter,
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    make_dispatcher: MakeDispatcher,
    monkeypatch: pytest.MonkeyPatch,
    clock: Clock,
) -> None:
    await add_destination(receiver.url, events=("signature.confirmed",))
    await sign()
    dispatcher = make_dispatcher()

    async def mistaken(writer: Any, batch: Sequence[Settlement], *args: Any, counts: bool = True) -> int:
        if any(one.verdict.status_code for one in batch):
            raise KeyError("a mistake in what is made of an answer")
        return await settle(writer, batch, *args, counts=counts)

    async def round_() -> list[tuple[str, str | None]]:
        await dispatcher.drain()
        while (task := dispatcher._ledger._task) is not None and dispatcher._ledger._waiting:
            await asyncio.wait([task])
            dispatcher._ledger.poke()  # as the loop does
        await dispatcher._ledger.flush()
        return [(one.status, one.last_error) for one in await deliveries_of(db, letter.id)]

    monkeypatch.setattr(ledger_module, "settle", mistaken)
    receiver.always = lambda _: Answer(500)
    assert await round_() == [("pending", UNWRITTEN)]
    for _ in range(12):
        clock.advance(24 * 3600)
        found = await round_()
    assert found == [("failed", UNWRITTEN)]
    assert len(receiver.received) == 5, "each such result spends two attempts"

    receiver.always = lambda _: Answer(200)
    await sign()
    assert ("delivered", None) in await round_()
    assert len(receiver.received) == 6
