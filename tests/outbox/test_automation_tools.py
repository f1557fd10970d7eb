"""Zapier, Make and n8n as they answer, on loopback: what is repeated, what is given up, what ends a destination.

Zapier: 200 with `{"status": "success"}`; 410 once the Zap is off. Make: 200 `Accepted`; 400 `Queue is full`; the key in
`x-make-apikey` (its page on webhooks). n8n: 404 “not registered” while the workflow is not active (its page on the
Webhook node); 403 where the header is not the one that it compares.
"""

from __future__ import annotations

import json
from datetime import timedelta

from tests.conftest import Clock
from tests.integrations.test_event_schemas import fits
from tests.outbox.conftest import AddDestination, Sign
from tests.outbox.receiver import Answer, Received, Receiver
from widget_server.domain.letters import Letter
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.store.db import Db
from widget_server.store.delivery_log import attempts_at, deliveries_of
from widget_server.store.destinations import find_destination

CONFIRMED = ("signature.confirmed",)


async def log(db: Db, letter: Letter) -> tuple[str, list[str | None]]:
    """The only delivery's status, and what each attempt at it came to."""
    (row,) = await deliveries_of(db, letter.id)
    return row.status, [one.error for one in await attempts_at(db, row.id)]


async def test_make_with_a_full_queue_is_asked_again_and_knows_us_by_its_key(
    db: Db, letter: Letter, add_destination: AddDestination, sign: Sign, receiver: Receiver,
    dispatcher: Dispatcher, clock: Clock,
) -> None:  # fmt: skip
    waiting = [1, 1]

    def make(one: Received) -> Answer:
        headers = {name.lower(): value for name, value in one.headers.items()}
        if headers.get("x-make-apikey") != "k" * 40:
            return Answer(401, body=b"Unauthorized")
        return Answer(400, body=b"Queue is full") if waiting and waiting.pop() else Answer(200, body=b"Accepted")

    receiver.always = make
    await add_destination(
        receiver.url, events=CONFIRMED, body="flat", header_name="x-make-apikey", header_value="k" * 40
    )
    await sign()
    for wait in (0, 5, 300):
        clock.now += timedelta(seconds=wait)
        await dispatcher.drain()
    assert await log(db, letter) == ("delivered", ["queue_full", "queue_full", None])
    bodies = [one.body for one in receiver.received]
    assert len(bodies) == 3
    for body in bodies:
        fits(body, "flat")
    assert {json.loads(body)["event_id"] for body in bodies} == {
        value for one in receiver.received for name, value in one.headers.items() if name.lower() == "webhook-id"
    }


async def test_a_zap_that_is_switched_off_switches_the_destination_off(
    db: Db, letter: Letter, add_destination: AddDestination, sign: Sign, receiver: Receiver, dispatcher: Dispatcher
) -> None:
    receiver.answers = [Answer(200, body=b'{"status": "success"}')]
    receiver.always = lambda _: Answer(410, body=b'{"status": "error"}')
    id_ = await add_destination(receiver.url, events=CONFIRMED, body="flat")
    await sign()
    await dispatcher.drain()
    await sign()
    await dispatcher.drain()
    row = await find_destination(db, id_)
    assert row is not None
    assert (row.health.status, row.health.reason) == ("disabled", "http_410: the target says it is gone")
    await sign()
    await dispatcher.drain()
    assert len(receiver.received) == 2, "nothing more is sent"


async def test_n8n_gets_it_once_its_workflow_is_active(
    db: Db, letter: Letter, add_destination: AddDestination, sign: Sign, receiver: Receiver,
    dispatcher: Dispatcher, clock: Clock,
) -> None:  # fmt: skip
    receiver.answers = [
        Answer(404, body=b'{"code":404,"message":"The requested webhook \\"POST x\\" is not registered."}'),
        Answer(403, body=b"Authorization data is wrong!"),
    ]
    receiver.always = lambda _: Answer(200, body=b'{"message":"Workflow was started"}')
    await add_destination(receiver.url, events=CONFIRMED, body="flat", header_name="X-Token", header_value="s" * 40)
    await sign()
    for wait in (0, 5, 300):
        clock.now += timedelta(seconds=wait)
        await dispatcher.drain()
    assert await log(db, letter) == ("delivered", ["http_404", "http_403", None])
