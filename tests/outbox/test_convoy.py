"""Slack through the real path: digests, pace, withdrawals, test signatures."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from tests.conftest import Clock
from tests.outbox.conftest import AddDestination, Sign
from tests.outbox.receiver import Answer, Receiver
from widget_server.contract import Event, LetterFacts
from widget_server.domain.letters import Letter
from widget_server.flows.fan_out import fan_out
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.outbox.lanes import Lane
from widget_server.outbox.routes import Route, Routes
from widget_server.store.db import Db
from widget_server.store.deliveries import Work
from widget_server.store.delivery_log import deliveries_of
from widget_server.store.destinations import due, find_destination
from widget_server.store.tables import signatures


def said(receiver: Receiver) -> list[str]:
    return [one.json["blocks"][0]["text"]["text"].split("\n")[0] for one in receiver.received]


async def test_the_first_at_once_then_a_digest_with_the_running_count(
    add_destination: AddDestination, receiver: Receiver, sign: Sign, dispatcher: Dispatcher, clock: Clock
) -> None:
    await add_destination(receiver.url, "slack", locale="en")
    await sign(name="First")
    await dispatcher.drain()
    assert said(receiver) == ["First signed"]
    assert receiver.received[0].json["blocks"][1]["elements"][0]["text"] == "1 signature in total"
    for second in range(5):
        clock.advance(1)
        await sign(name=f"Next {second}")
        await dispatcher.drain()
    assert len(receiver.received) == 1
    clock.advance(10)
    await dispatcher.drain()
    assert said(receiver)[1:] == ["5 people signed:"]
    assert receiver.received[1].json["blocks"][1]["elements"][0]["text"] == "6 signatures in total"


async def test_organizations_go_one_by_one_at_slacks_pace(
    add_destination: AddDestination, receiver: Receiver, sign: Sign, dispatcher: Dispatcher, clock: Clock
) -> None:
    await add_destination(receiver.url, "slack", locale="en")
    for name in ("One", "Two", "Three"):
        await sign(kind="organization", organization=name, listing="awaiting_review")
    for expected in (1, 2, 3, 3):
        await dispatcher.drain()
        await dispatcher.drain()
        assert len(receiver.received) == expected
        clock.advance(1.2)
    assert said(receiver) == [f"An organization signed: {name}" for name in ("One", "Two", "Three")]
    assert "awaiting review" in receiver.received[0].json["blocks"][0]["text"]["text"]


async def test_no_personal_detail_reaches_a_channel(
    add_destination: AddDestination, receiver: Receiver, sign: Sign, dispatcher: Dispatcher, clock: Clock
) -> None:
    await add_destination(receiver.url, "slack", events=("signature.created", "signature.confirmed"))
    await sign(email="zoe@example.org", contact_opt_in=True, partner_opt_in=True)
    await sign(name="Hidden Name", organization="Hidden Employer", public=False, contact_opt_in=True)
    await sign(kind="organization", organization="Café", name="Representative", contact_opt_in=True)
    for _ in range(10):
        await dispatcher.drain()
        clock.advance(20)
    heard = b"".join(one.body for one in receiver.received).decode()
    for secret in ("zoe@example.org", "H2X", "For my neighbours", "Hidden", "Representative", "Montréal"):
        assert secret not in heard
    assert "Café" in heard


async def test_who_withdrew_before_the_digest_is_not_in_it(
    db: Db,
    letter: Letter,
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    await add_destination(receiver.url, "slack", locale="en")
    await sign(name="First")
    await dispatcher.drain()
    gone = await sign(name="Gone")
    await sign(name="Stays")
    async with db.write() as writer:
        await writer.execute(update(signatures).where(signatures.c.id == gone).values(status="withdrawn"))
    clock.advance(20)
    await dispatcher.drain()
    assert said(receiver)[1:] == ["Stays signed"]
    (cancelled,) = await deliveries_of(db, letter.id, status="cancelled")
    assert cancelled.last_error is not None
    assert cancelled.last_error.startswith("signature_ended")


async def test_somebody_trying_the_embed_is_told_at_most_once_a_minute(
    add_destination: AddDestination, receiver: Receiver, sign: Sign, dispatcher: Dispatcher, clock: Clock
) -> None:
    await add_destination(f"{receiver.url}/slack", "slack", locale="en")
    await add_destination(f"{receiver.url}/webhook")

    def heard(kind: str) -> list[Any]:
        return [one.json for one in receiver.received if one.path.endswith(kind)]

    for _ in range(3):
        await sign(test=True, name="Typed", status="pending", confirmed_at=None)
        await dispatcher.drain()
        clock.advance(10)
    assert [m["blocks"][0]["text"]["text"] for m in heard("slack")] == ["Test signature via Maple House"]
    assert [body["test"] for body in heard("webhook") if body["type"].startswith("signature")] == [True] * 3
    clock.advance(40)
    await sign(test=True, name="Typed")
    await dispatcher.drain()
    assert len(heard("slack")) == 2


async def test_what_failed_together_is_tried_again_together(
    db: Db,
    letter: Letter,
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    id_ = await add_destination(receiver.url, "slack", locale="en")
    receiver.answers = [Answer(500, body=b"rollup_error")]
    await sign(name="A")
    await sign(name="B")
    await dispatcher.drain()
    clock.advance(5)
    await dispatcher.drain()
    assert said(receiver) == ["2 people signed:"] * 2
    assert {row.status for row in await deliveries_of(db, letter.id)} == {"delivered"}
    row = await find_destination(db, id_)
    assert row is not None
    assert row.health.last_sent_at == clock()


async def test_a_webhook_that_slack_no_longer_knows_is_switched_off(
    db: Db, add_destination: AddDestination, receiver: Receiver, sign: Sign, dispatcher: Dispatcher
) -> None:
    id_ = await add_destination(receiver.url, "slack")
    receiver.always = lambda _: Answer(404, body=b"no_service")
    await sign()
    await dispatcher.drain()
    row = await find_destination(db, id_)
    assert row is not None
    assert (row.health.status, row.health.reason) == ("disabled", "http_404: no_service")


async def test_what_is_held_back_is_neither_read_nor_rendered_every_second(
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    dispatcher: Dispatcher,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rendered: list[str] = []
    render = Routes.render

    async def counted(self: Routes, route: Route, facts: LetterFacts, work: Work) -> Event:
        rendered.append(work.id)
        return await render(self, route, facts, work)

    monkeypatch.setattr(Routes, "render", counted)
    await add_destination(receiver.url, "slack", locale="en", digest_seconds="60")
    crew = dispatcher._crew(patient=False)

    async def look() -> None:
        await fan_out(dispatcher._db, dispatcher._kinds, clock())
        for id_ in await due(dispatcher._db, clock()):
            await Lane(crew, id_).run()
        clock.advance(2)

    await sign(name="First")
    await look()
    rendered.clear()
    for name in ("Second", "Third"):
        await sign(name=name)
    for _ in range(20):
        await look()
    assert (len(receiver.received), len(rendered)) == (1, 2), "once each, while they are held back"
    await sign(name="Fourth")
    await look()
    assert len(rendered) == 5, "once more when another one has come"
    clock.advance(30)
    await look()
    assert "Fourth" in receiver.received[1].json["text"]
