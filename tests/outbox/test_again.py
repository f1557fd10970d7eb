"""Sending again, and calling off: what is chosen, what goes out, and that nobody is sent who has gone meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.conftest import Clock
from tests.outbox.conftest import AddDestination, Sign
from tests.outbox.looking import found
from tests.outbox.receiver import Answer, Receiver
from widget_server.contract import Integration
from widget_server.domain.letters import Letter
from widget_server.flows.deliveries import Chosen, call_off, replay, retry
from widget_server.flows.turn import Turns
from widget_server.flows.withdraw import withdraw
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.store.db import Db
from widget_server.store.delivery_log import deliveries_of
from widget_server.store.signatures import find_signature
from widget_server.store.tables import audit, deliveries


@pytest.fixture
async def story(
    letter: Letter,
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    dispatcher: Dispatcher,
    clock: Clock,
) -> str:
    """A destination after three signatures: one from before it was added, one delivered, one given up. Its id."""
    await sign()
    clock.advance(60)
    id_ = await add_destination(receiver.url, events=("signature.created", "signature.confirmed"))
    await sign()
    await dispatcher.drain()
    clock.advance(60)
    receiver.always = lambda _: Answer(400)
    await sign()
    await dispatcher.drain()
    receiver.always = lambda _: Answer()
    receiver.received.clear()
    return id_


@pytest.mark.parametrize(
    ("chosen", "number"),
    [
        (Chosen(), 6),
        (Chosen(types=("signature.confirmed",)), 3),
        (Chosen(status="failed"), 2),
        (Chosen(status="delivered"), 2),
        (Chosen(missing=True), 2),
        (Chosen(missing=True, types=("signature.created",)), 1),
        (Chosen(status="cancelled"), 0),
    ],
)
async def test_what_is_chosen_goes_out_again_under_its_ids(
    db: Db,
    letter: Letter,
    kinds: dict[str, Integration],
    story: str,
    receiver: Receiver,
    dispatcher: Dispatcher,
    clock: Clock,
    chosen: Chosen,
    number: int,
) -> None:
    row = await found(db, story)
    before = {one.event_id for one in await deliveries_of(db, letter.id)}
    counted = await replay(db, row, kinds, chosen, now=clock(), actor="test", dry_run=True)
    await dispatcher.drain()
    assert (counted, receiver.received) == (number, []), "a dry run only counts"
    assert await replay(db, row, kinds, chosen, now=clock(), actor="test") == number
    await dispatcher.drain()
    ids = [one.headers["webhook-id"] for one in receiver.received]
    assert len(ids) == len(set(ids)) == number
    assert (set(ids) <= before) == (not chosen.missing and chosen != Chosen() and not chosen.types) or number == 0


async def test_since_and_until_bound_it(db: Db, kinds: dict[str, Integration], story: str, clock: Clock) -> None:
    row, now = await found(db, story), clock()

    async def number(since: float | None, until: float | None) -> int:
        def at(seconds: float | None) -> object:
            return None if seconds is None else now - timedelta(seconds=seconds)

        chosen = Chosen(since=at(since), until=at(until))  # type: ignore[arg-type]
        return await replay(db, row, kinds, chosen, now=now, actor="test", dry_run=True)

    assert [await number(120, None), await number(60, None), await number(0, None)] == [6, 4, 2]
    assert [await number(None, 120), await number(None, 60), await number(None, 0)] == [0, 2, 4]
    assert await number(60, 0) == 2


async def test_who_withdrew_meanwhile_is_not_sent_again(
    db: Db,
    letter: Letter,
    kinds: dict[str, Integration],
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    dispatcher: Dispatcher,
    vault: object,
    clock: Clock,
) -> None:
    id_ = await add_destination(receiver.url, events=("signature.confirmed",))
    receiver.always = lambda _: Answer(400)
    signed = await sign(email="zoe@example.org", comment="Unheard words.", contact_opt_in=True, public=False)
    await dispatcher.drain()
    assert b"zoe@example.org" in receiver.received[0].body
    async with db.write() as writer:
        signature = await find_signature(writer, signed)
    assert signature is not None
    await withdraw(Turns(db, vault, clock), letter, signature.id)  # type: ignore[arg-type]
    receiver.always = lambda _: Answer()
    receiver.received.clear()
    await replay(db, await found(db, id_), kinds, Chosen(status="failed"), now=clock(), actor="test")
    await dispatcher.drain()
    again = [one for one in receiver.received if one.json["type"] == "signature.confirmed"]
    assert len(again) == 1
    assert b"zoe@" not in again[0].body
    assert b"Unheard" not in again[0].body
    assert again[0].json["data"]["name"] is None


async def test_what_is_called_off_is_not_sent_and_can_be_sent_by_hand(
    db: Db,
    letter: Letter,
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    await add_destination(receiver.url, events=("signature.confirmed",))
    receiver.answers = [Answer(500), Answer(500)]
    await sign()
    await dispatcher.drain()
    await sign()
    await dispatcher.drain()
    first, second = await deliveries_of(db, letter.id)
    assert await call_off(db, [first.id], now=clock(), actor="test") == [first.id]
    clock.advance(6)
    await dispatcher.drain()
    assert [one.headers["webhook-id"] for one in receiver.received[2:]] == [second.event_id]
    assert await call_off(db, [first.id, second.id], now=clock(), actor="test") == [], "neither waits"
    first, second = await deliveries_of(db, letter.id)
    assert (first.status, first.last_error, second.status) == ("cancelled", "cancelled: by test", "delivered")
    await retry(db, first, now=clock(), actor="test")
    await dispatcher.drain()
    assert receiver.received[-1].headers["webhook-id"] == first.event_id
    actions = [row["action"] for row in await db.all(select(audit.c.action).order_by(audit.c.seq))]
    assert actions[-2:] == ["delivery.cancel", "delivery.retry"]


async def test_what_had_arrived_is_sent_again_as_doubtful(
    db: Db, kinds: dict[str, Integration], story: str, clock: Clock
) -> None:
    await replay(db, await found(db, story), kinds, Chosen(), now=clock(), actor="test")
    rows = await db.all(select(deliveries.c.doubtful).where(deliveries.c.destination_id == story))
    assert sorted(row["doubtful"] for row in rows) == [False] * 4 + [True] * 2
