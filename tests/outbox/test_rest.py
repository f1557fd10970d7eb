"""A destination that mostly fails gets a rest: it costs no attempt, holds up nobody, and ends with one success."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.conftest import Clock
from tests.outbox.conftest import AddDestination, MakeDispatcher, Sign, sign_many
from tests.outbox.looking import CONFIRMED, found
from tests.outbox.receiver import Answer, Receiver, receiving
from widget_server.domain.deliveries import REST, REST_AFTER
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.store.db import Db
from widget_server.store.delivery_log import deliveries_of


async def test_after_its_rest_one_delivery_shows_whether_it_is_well_again(
    db: Db,
    letter: Letter,
    partner: Partner,
    add_destination: AddDestination,
    receiver: Receiver,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    id_ = await add_destination(receiver.url, events=CONFIRMED)
    receiver.always = lambda _: Answer(500)
    await sign_many(db, letter, partner, clock, [{} for _ in range(30)])
    await dispatcher.drain()
    assert len(receiver.received) == 30, "what a first retry may mend needs no rest"
    clock.advance(REST_AFTER.total_seconds())
    await dispatcher.drain()
    tried = len(receiver.received)
    assert 30 < tried <= 40, "it stops within what is under way at once"
    health = (await found(db, id_)).health
    assert (health.rests, health.status) == (1, "active")
    spent = sum(row.attempts for row in await deliveries_of(db, letter.id))
    await sign_many(db, letter, partner, clock, [{}])
    await dispatcher.drain()
    assert len(receiver.received) == tried, "nothing is sent while it rests"
    clock.advance(REST.total_seconds())
    await dispatcher.drain()
    assert len(receiver.received) == tried + 1, "one shows how it is"
    health = (await found(db, id_)).health
    assert (health.rests, health.not_before) == (2, clock() + 2 * REST)
    assert sum(row.attempts for row in await deliveries_of(db, letter.id)) == spent + 1
    receiver.always = lambda _: Answer()
    clock.advance(2 * REST.total_seconds())
    await dispatcher.drain()
    await dispatcher.drain()
    health = (await found(db, id_)).health
    assert (health.rests, health.not_before) == (0, None)
    clock.advance(timedelta(minutes=10).total_seconds())
    await dispatcher.drain()
    assert {row.status for row in await deliveries_of(db, letter.id)} == {"delivered"}


async def test_only_one_process_tries_it(
    db: Db,
    letter: Letter,
    partner: Partner,
    add_destination: AddDestination,
    make_dispatcher: MakeDispatcher,
    receiver: Receiver,
    clock: Clock,
) -> None:
    await add_destination(receiver.url, events=CONFIRMED)
    both = [make_dispatcher(), make_dispatcher()]
    receiver.always = lambda _: Answer(500)
    await sign_many(db, letter, partner, clock, [{} for _ in range(20)])
    for _ in range(2):
        await both[0].drain()
        clock.advance(REST_AFTER.total_seconds())
    clock.advance(REST.total_seconds())
    before = len(receiver.received)
    await asyncio.gather(*(one.drain() for one in both))
    assert len(receiver.received) == before + 1


async def test_a_flood_and_three_dead_receivers_leave_another_prompt(
    db: Db,
    letter: Letter,
    partner: Partner,
    add_destination: AddDestination,
    make_dispatcher: MakeDispatcher,
    sign: Sign,
    receiver: Receiver,
    clock: Clock,
) -> None:
    async with receiving() as flooded, receiving() as dead:
        dead.always = lambda _: Answer(hang=True)
        await add_destination(flooded.url, events=CONFIRMED)
        for _ in range(3):
            await add_destination(dead.url, events=CONFIRMED)
        await sign_many(db, letter, partner, clock, [{} for _ in range(400)])
        clock.advance(1)
        await add_destination(receiver.url, events=CONFIRMED)
        clock.advance(1)
        dispatcher = make_dispatcher(deadline_seconds=15)
        task = asyncio.create_task(dispatcher.run())
        try:
            await dead.wait_for(10)
            await flooded.wait_for(1)
            last = await sign(name="The last one")
            dispatcher.wake()
            (one,) = await receiver.wait_for(1)
            assert one.json["data"]["id"] == last
            assert len(flooded.received) < 401, "it did not wait for the flood to be over"
            await flooded.wait_for(401, 30)
        finally:
            task.cancel()
            await asyncio.wait([task])
