"""Results on their way into the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.conftest import Clock
from tests.outbox.conftest import AddDestination, MakeDispatcher, Sign
from tests.outbox.receiver import Receiver
from widget_server.domain.letters import Letter
from widget_server.domain.refusals import Unavailable
from widget_server.store.db import Db
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
