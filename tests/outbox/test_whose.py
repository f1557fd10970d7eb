"""Who hears of what: owners, pauses, removals, several dispatchers."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.conftest import Clock
from tests.outbox.conftest import AddDestination, MakeDispatcher, Sign, sign_many
from tests.outbox.looking import CONFIRMED, found, only
from tests.outbox.receiver import Answer, Receiver
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.flows.destinations import Office
from widget_server.flows.directory import Directory
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.store.db import Db
from widget_server.store.delivery_log import deliveries_of


async def test_two_dispatchers_share_the_work_without_doubling_it(
    db: Db,
    letter: Letter,
    partner: Partner,
    add_destination: AddDestination,
    receiver: Receiver,
    make_dispatcher: MakeDispatcher,
    database_url: str,
    clock: Clock,
    seals: Any,
) -> None:
    for number in range(3):
        await add_destination(f"{receiver.url}/{number}", events=CONFIRMED)
    await sign_many(db, letter, partner, clock, [{} for _ in range(200)])
    other = Db(database_url)
    await other.connect()
    pair = [make_dispatcher(), make_dispatcher(db=other, directory=Directory(other, seals))]
    await asyncio.gather(*(one.drain() for one in pair))
    await pair[0].drain()
    await pair[1].aclose()
    await other.disconnect()
    sent = [(one.path, one.headers["webhook-id"]) for one in receiver.received]
    assert len(sent) == len(set(sent)) == 600
    assert {row.status for row in await deliveries_of(db, letter.id)} == {"delivered"}


async def test_a_destination_gets_what_happened_after_it_was_added(
    db: Db,
    letter: Letter,
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    await sign()
    clock.advance(1)
    await add_destination(receiver.url, events=CONFIRMED)
    clock.advance(1)
    later = await sign()
    await dispatcher.drain()
    assert [one.json["data"]["id"] for one in receiver.received] == [later]


async def test_a_paused_destination_keeps_its_work_and_a_disabled_one_gets_none(
    db: Db,
    letter: Letter,
    office: Office,
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    dispatcher: Dispatcher,
) -> None:
    paused = await add_destination(f"{receiver.url}/paused", events=CONFIRMED)
    await office.pause(await found(db, paused))
    await sign()
    await dispatcher.drain()
    assert receiver.received == []
    assert (await only(db, letter)).status == "pending"
    await office.enable(await found(db, paused))
    await dispatcher.drain()
    assert len(receiver.received) == 1


async def test_removing_a_destination_while_it_is_sent_to_harms_nothing(
    db: Db,
    letter: Letter,
    office: Office,
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    make_dispatcher: MakeDispatcher,
) -> None:
    id_ = await add_destination(receiver.url, events=CONFIRMED)
    receiver.always = lambda _: Answer(hang=True)
    await sign()
    dispatcher = make_dispatcher(deadline_seconds=0.5)
    under_way = asyncio.create_task(dispatcher.drain())
    await receiver.wait_for(1)
    await office.remove(await found(db, id_))
    await under_way
    assert await deliveries_of(db, letter.id) == []


async def test_a_partner_hears_of_its_own_signatures_only(
    db: Db,
    letter: Letter,
    partner: Partner,
    directory: Directory,
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    dispatcher: Dispatcher,
) -> None:
    house = await directory.house(letter)
    await add_destination(receiver.url, partner=partner, events=CONFIRMED)
    own = await sign(partner_opt_in=True, email="own@example.org")
    await sign(partner_id=house.id, contact_opt_in=True)
    await sign(contact_opt_in=True, email="theirs@example.org")
    await dispatcher.drain()
    first, second = receiver.received
    assert (first.json["data"]["id"], first.json["data"]["email"]) == (own, "own@example.org")
    assert second.json["data"]["email"] is None  # the initiators may write to them, this partner may not
