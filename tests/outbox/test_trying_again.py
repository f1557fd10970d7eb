"""What does not arrive is tried again, by the schedule of the contract, or given up."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.conftest import Clock
from tests.outbox.conftest import AddDestination, MakeDispatcher, Sign
from tests.outbox.looking import CONFIRMED, found, log_of, only
from tests.outbox.receiver import Answer, Receiver
from widget_server.domain.letters import Letter
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.store.db import Db
from widget_server.store.delivery_log import deliveries_of


async def test_a_failure_is_tried_again_when_the_schedule_says_under_the_same_id(
    db: Db,
    letter: Letter,
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    await add_destination(receiver.url, events=CONFIRMED)
    receiver.answers = [Answer(500, body=b"oops"), Answer(500), Answer(204, body=b"")]
    await sign()
    await dispatcher.drain()
    row = await only(db, letter)
    assert (row.status, row.attempts, row.last_error) == ("pending", 1, "http_500")
    assert row.next_attempt_at == clock() + timedelta(seconds=5)
    clock.advance(4.9)
    await dispatcher.drain()
    assert len(receiver.received) == 1
    clock.advance(0.1)
    await dispatcher.drain()
    clock.advance(300)
    await dispatcher.drain()
    row = await only(db, letter)
    assert (row.status, row.attempts, row.last_error, row.next_attempt_at) == ("delivered", 3, None, None)
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1
    assert len({request.headers["webhook-timestamp"] for request in receiver.received}) == 3
    assert len({request.body for request in receiver.received}) == 1
    assert [(one.outcome, one.status_code) for one in await log_of(db, row)] == [
        ("retry", 500),
        ("retry", 500),
        ("delivered", 204),
    ]
    assert (await log_of(db, row))[0].response == "oops"


async def test_after_ten_attempts_it_is_given_up_and_kept(
    db: Db,
    letter: Letter,
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    id_ = await add_destination(receiver.url, events=CONFIRMED)
    receiver.always = lambda _: Answer(500)
    await sign()
    for _ in range(12):
        await dispatcher.drain()
        clock.advance(86_400)
        if (await found(db, id_)).health.status != "active":
            break
    row = await only(db, letter)
    # Ten tries within 75 hours by the schedule; here each came a day apart, so the fifth day switched it off
    # first.
    assert row.attempts == 6
    assert (await found(db, id_)).health.status == "disabled"


async def test_giving_up_by_the_schedule_alone(
    db: Db,
    letter: Letter,
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    id_ = await add_destination(receiver.url, events=CONFIRMED)
    receiver.always = lambda _: Answer(500)
    await sign()
    for delay in (0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400):
        clock.advance(delay)
        await dispatcher.drain()
    row = await only(db, letter)
    assert (row.status, row.attempts, row.last_error) == ("failed", 10, "http_500")
    assert len(receiver.received) == 10
    health = (await found(db, id_)).health
    assert (health.status, health.told_at) == ("active", clock())


async def test_retry_after_holds_the_destination_and_spends_no_attempt(
    db: Db,
    letter: Letter,
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    await add_destination(receiver.url, events=CONFIRMED)
    receiver.answers = [Answer(429, {"Retry-After": "120"})]
    await sign()
    await dispatcher.drain()
    await sign()  # what comes later is held as well
    await dispatcher.drain()
    assert len(receiver.received) == 1
    clock.advance(119)
    await dispatcher.drain()
    assert len(receiver.received) == 1
    clock.advance(1)
    await dispatcher.drain()
    assert len(receiver.received) == 3
    assert [(r.status, r.attempts) for r in await deliveries_of(db, letter.id)] == [("delivered", 1)] * 2


@pytest.mark.parametrize("status", [301, 302, 400, 405, 409, 411, 413, 414, 415, 422])
async def test_what_a_repeat_cannot_mend_fails_at_once(
    status: int,
    db: Db,
    letter: Letter,
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    id_ = await add_destination(receiver.url, events=CONFIRMED)
    receiver.always = lambda _: Answer(status, {"Location": f"http://127.0.0.1:{receiver.port}/elsewhere"})
    await sign()
    await dispatcher.drain()
    clock.advance(100_000)
    await dispatcher.drain()
    assert [request.path for request in receiver.received] == ["/hook"]  # no redirect was followed
    row = await only(db, letter)
    assert (row.status, row.attempts) == ("failed", 1)
    first_failed_at = (await found(db, id_)).health.first_failed_at
    assert (first_failed_at is None) == (status in (400, 413, 422))  # a refusal of one item says nothing


async def test_410_switches_the_destination_off_and_others_hear_of_it(
    db: Db,
    letter: Letter,
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    dispatcher: Dispatcher,
) -> None:
    gone = await add_destination(f"{receiver.url}/gone")
    await add_destination(f"{receiver.url}/well", events=("destination.failing", "destination.disabled"))
    receiver.always = lambda one: Answer(410 if "gone" in one.path else 200)
    await sign()
    await dispatcher.drain()
    health = (await found(db, gone)).health
    assert (health.status, health.reason) == ("disabled", "http_410: the target says it is gone")
    told = [one.json for one in receiver.received if one.path.endswith("/well")]
    assert sorted(one["type"] for one in told) == ["destination.disabled", "destination.failing"]
    assert {one["data"]["destination"] for one in told} == {gone}
    heard = {one.json["type"] for one in receiver.received if one.path.endswith("/gone")}
    assert not {type_ for type_ in heard if type_.startswith("destination.")}


async def test_a_connection_that_the_receiver_closed_meanwhile_is_opened_anew_in_the_same_attempt(
    db: Db, letter: Letter, add_destination: AddDestination, sign: Sign, dispatcher: Dispatcher
) -> None:
    seen = 0

    async def once_each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one request as if it kept the connection, and then drops it when the next request comes."""
        nonlocal seen
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        await reader.readexactly(length)
        seen += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        await reader.read(1)
        writer.transport.abort()

    server = await asyncio.start_server(once_each, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await add_destination(f"http://127.0.0.1:{port}/hook", events=CONFIRMED)
        for _ in range(3):
            await sign()
            await dispatcher.drain()
    rows = await deliveries_of(db, letter.id)
    assert [(row.status, row.attempts) for row in rows] == [("delivered", 1)] * 3
    assert seen == 3


async def test_work_that_a_crash_left_behind_is_taken_up_after_its_lease(
    db: Db,
    letter: Letter,
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    make_dispatcher: MakeDispatcher,
    clock: Clock,
) -> None:
    await add_destination(receiver.url, events=CONFIRMED)
    await sign()
    crashing = make_dispatcher()
    receiver.answers = [Answer(hang=True)]
    under_way = asyncio.create_task(crashing.drain())
    await receiver.wait_for(1)
    under_way.cancel()
    await asyncio.wait([under_way])
    successor = make_dispatcher()
    await successor.drain()
    assert len(receiver.received) == 1, "the lease did not hold"
    clock.advance(29)
    await successor.drain()
    assert len(receiver.received) == 2
    assert len({one.headers["webhook-id"] for one in receiver.received}) == 1
    assert (await only(db, letter)).status == "delivered"
