"""Delivery end to end: what arrives, how, and to whom it comes at once."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime

from standardwebhooks import Webhook as Verifier

from tests.conftest import Clock
from tests.outbox.conftest import AddDestination, MakeDispatcher, Sign, sign_many
from tests.outbox.looking import CONFIRMED, found, log_of, only
from tests.outbox.receiver import Answer, Receiver, receiving
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.flows.destinations import Office, Wanted
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.store.db import Db
from widget_server.store.delivery_log import deliveries_of


async def test_a_signature_arrives_signed_and_once(
    db: Db,
    letter: Letter,
    office: Office,
    receiver: Receiver,
    sign: Sign,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    clock.now = datetime.now(UTC)  # the reference library compares with its own clock
    added = await office.add(letter, None, Wanted("webhook", receiver.url, {}))
    id_ = await sign(email="zoe@example.org", contact_opt_in=True)
    await dispatcher.drain()
    await dispatcher.drain()
    created, confirmed = receiver.received
    for request in (created, confirmed):
        assert added.secret is not None
        body = Verifier(added.secret).verify(request.body, {k.lower(): v for k, v in request.headers.items()})
        assert body["data"]["id"] == id_
        assert body["data"]["email"] == "zoe@example.org"
        assert body["data"]["partner"] == {"slug": "maple", "name": "Maple House"}
        assert request.headers["User-Agent"].startswith("Undersigned/")
        assert request.headers["Accept-Encoding"] == "identity"
    assert [request.json["type"] for request in receiver.received] == [
        "signature.created",
        "signature.confirmed",
    ]
    rows = await deliveries_of(db, letter.id)
    assert [(row.status, row.attempts) for row in rows] == [("delivered", 1), ("delivered", 1)]
    assert {row.event_id for row in rows} == {r.headers["webhook-id"] for r in receiver.received}
    (attempt,) = await log_of(db, rows[0])
    assert (attempt.outcome, attempt.status_code, attempt.response) == ("delivered", 200, "ok")


async def test_the_pace_option_spaces_requests(
    db: Db,
    letter: Letter,
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    await add_destination(receiver.url, events=CONFIRMED, pace="2")
    for _ in range(3):
        await sign()
    for expected in (1, 2, 3, 3):
        await dispatcher.drain()
        assert len(receiver.received) == expected
        clock.advance(2)


async def test_a_rotated_secret_overlaps_with_the_old_one(
    db: Db,
    letter: Letter,
    office: Office,
    receiver: Receiver,
    sign: Sign,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    clock.now = datetime.now(UTC)
    added = await office.add(letter, None, Wanted("webhook", receiver.url, {}, CONFIRMED))
    new = (await office.rotate_secret(await found(db, added.id))).secret
    assert new is not None
    await sign()
    await dispatcher.drain()
    clock.advance(25 * 3600)
    await sign()
    await dispatcher.drain()
    both, one = receiver.received
    headers = {k.lower(): v for k, v in both.headers.items()}
    for secret in (new, added.secret):
        assert secret is not None
        Verifier(secret).verify(both.body, headers)
    assert len(both.headers["webhook-signature"].split()) == 2
    assert len(one.headers["webhook-signature"].split()) == 1
    assert len(base64.b64decode(new.removeprefix("whsec_"))) == 32


async def test_the_loop_delivers_as_soon_as_it_is_woken(
    db: Db,
    letter: Letter,
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    dispatcher: Dispatcher,
) -> None:
    await add_destination(receiver.url, events=CONFIRMED)
    running = asyncio.create_task(dispatcher.run())
    await sign()
    dispatcher.wake()
    await receiver.wait_for(1, seconds=5)
    running.cancel()
    await asyncio.wait([running])
    assert (await only(db, letter)).status == "delivered"


async def test_several_receivers_at_once(
    db: Db,
    letter: Letter,
    partner: Partner,
    add_destination: AddDestination,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    async with receiving() as one, receiving() as two:
        one.always = lambda r: Answer(500 if r.json["data"]["name"] == "Sam 3" else 200)
        await add_destination(one.url, events=CONFIRMED)
        await add_destination(two.url, events=CONFIRMED)
        await sign_many(db, letter, partner, clock, [{"name": f"Sam {n}"} for n in range(50)])
        await dispatcher.drain()
        assert len(one.received) == len(two.received) == 50
    assert len(await deliveries_of(db, letter.id, status="pending")) == 1


async def test_a_receiver_that_hangs_is_a_time_out_and_delays_no_other(
    db: Db,
    letter: Letter,
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    make_dispatcher: MakeDispatcher,
    clock: Clock,
) -> None:
    await add_destination(f"{receiver.url}/dead", events=CONFIRMED)
    await add_destination(f"{receiver.url}/well", events=CONFIRMED)
    receiver.always = lambda one: Answer(hang="dead" in one.path)
    for _ in range(5):
        await sign()
    patient = make_dispatcher(deadline_seconds=15.0)
    running = asyncio.create_task(patient.run())
    patient.wake()
    await receiver.wait_for(10)
    well = [one for one in receiver.received if "well" in one.path]
    assert len(well) == 5
    waiting = await deliveries_of(db, letter.id, status="pending")
    assert {row.last_error for row in waiting} == {None}, "the dead one held up the other"
    running.cancel()
    await asyncio.wait([running])
    clock.advance(26)  # those under way were cut off, and are taken up again
    await make_dispatcher(deadline_seconds=0.3).drain()
    assert {row.last_error for row in await deliveries_of(db, letter.id, status="pending")} == {
        "timeout: no complete answer within 0.3 s"
    }
