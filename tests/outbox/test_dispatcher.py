"""Delivery end to end: real receivers, real databases, a clock that is told when to go on."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from tests.conftest import Clock
from tests.outbox.conftest import AddDestination, MakeDispatcher, Sign, sign_many
from tests.outbox.receiver import Answer, Receiver, receiving
from widget_server.contract import Destination, Event, Limits, Permanent, Response, Tools
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.flows.destinations import Office, Wanted
from widget_server.flows.directory import Directory
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.store.db import Db
from widget_server.store.delivery_log import AttemptRow, DeliveryRow, attempts_at, deliveries_of
from widget_server.store.destinations import DestinationRow, find_destination

CONFIRMED = ("signature.confirmed",)


async def only(db: Db, letter: Letter, status: str | None = None) -> DeliveryRow:
    (row,) = await deliveries_of(db, letter.id, status=status)
    return row


async def log_of(db: Db, row: DeliveryRow) -> list[AttemptRow]:
    return await attempts_at(db, row.id)


async def found(db: Db, id_: str) -> DestinationRow:
    row = await find_destination(db, id_)
    assert row is not None
    return row


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


async def test_a_receiver_that_hangs_is_a_time_out_and_delays_no_other(
    db: Db,
    letter: Letter,
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    make_dispatcher: MakeDispatcher,
) -> None:
    await add_destination(f"{receiver.url}/dead", events=CONFIRMED)
    await add_destination(f"{receiver.url}/well", events=CONFIRMED)
    receiver.always = lambda one: Answer(hang="dead" in one.path)
    for _ in range(5):
        await sign()
    dispatcher = make_dispatcher(deadline_seconds=2.0)
    running = asyncio.create_task(dispatcher.run())
    loop = asyncio.get_running_loop()
    began = loop.time()
    dispatcher.wake()
    await receiver.wait_for(10)
    well = [one for one in receiver.received if "well" in one.path]
    assert len(well) == 5
    assert loop.time() - began < 1.5, "the dead one held up the other"
    running.cancel()
    await asyncio.wait([running])
    assert {row.last_error for row in await deliveries_of(db, letter.id, status="pending")} == {
        "timeout: no complete answer within 2 s"
    }


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


class Broken:
    """An integration with a mistake in it."""

    kind = "broken"
    summary = "raises"
    options = ()
    signed = False
    url_is_secret = False
    events = None
    contact_details = True

    def limits(self, options: Mapping[str, str]) -> Limits:
        return Limits()

    def check(self, url: str, options: Mapping[str, str]) -> Sequence[Any]:
        return []

    def plan(self, events: Sequence[Event], **_: Any) -> Sequence[Sequence[Event]]:
        return [events]

    async def send(self, events: Sequence[Event], destination: Destination, tools: Tools) -> Response:
        raise KeyError(events[0].data["name"])


async def test_a_bug_in_an_integration_is_ours_and_is_tried_again(
    db: Db,
    letter: Letter,
    kinds: dict[str, Any],
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    dispatcher: Dispatcher,
    clock: Clock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kinds["broken"] = Broken()
    broken = await add_destination("https://example.org", "broken", events=CONFIRMED)
    await add_destination(receiver.url, events=CONFIRMED)
    await sign(name="Zoë Unspoken")
    await dispatcher.drain()
    assert len(receiver.received) == 1
    row = await only(db, letter, "pending")
    assert row.last_error is not None
    assert row.last_error.startswith("internal: ")
    assert row.next_attempt_at == clock() + timedelta(seconds=5)
    assert (await found(db, broken)).health.first_failed_at is None
    said = "".join(capsys.readouterr())
    assert row.last_error.removeprefix("internal: ") in said
    assert "Unspoken" not in said


async def test_a_kind_that_is_no_longer_installed_fails_with_its_name(
    db: Db,
    letter: Letter,
    kinds: dict[str, Any],
    add_destination: AddDestination,
    sign: Sign,
    dispatcher: Dispatcher,
) -> None:
    kinds["broken"] = Broken()
    await add_destination("https://example.org", "broken", events=CONFIRMED)
    del kinds["broken"]
    await sign()
    await dispatcher.drain()
    row = await only(db, letter)
    assert (row.status, row.last_error) == ("pending", "kind_not_installed: broken")


class Locked(Broken):
    kind = "locked"

    async def send(self, events: Sequence[Event], destination: Destination, tools: Tools) -> Response:
        from widget_server.contract import NotAuthorized

        raise NotAuthorized("http_403", "invalid_token", status_code=403)


async def test_refused_credentials_pause_and_keep_the_work(
    db: Db,
    letter: Letter,
    kinds: dict[str, Any],
    add_destination: AddDestination,
    sign: Sign,
    dispatcher: Dispatcher,
) -> None:
    kinds["locked"] = Locked()
    id_ = await add_destination("https://example.org", "locked", events=CONFIRMED)
    await sign()
    await dispatcher.drain()
    health = (await found(db, id_)).health
    assert (health.status, health.reason) == ("paused", "http_403: invalid_token")
    row = await only(db, letter)
    assert (row.status, row.attempts) == ("pending", 0)


class Gone(Broken):
    kind = "gone"

    async def send(self, events: Sequence[Event], destination: Destination, tools: Tools) -> Response:
        raise Permanent("http_404", gone=True)


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
    new = await office.rotate_secret(await found(db, added.id))
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
