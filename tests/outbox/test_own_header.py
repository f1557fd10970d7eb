"""A webhook's own header: it arrives with each request, and its value stays in no log."""

from __future__ import annotations

from sqlalchemy import select

from tests.outbox.conftest import AddDestination, Sign
from tests.outbox.receiver import Answer, Receiver
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.store.db import Db
from widget_server.store.tables import attempts

TOKEN = "a long token that nobody guesses"


async def test_it_arrives_beside_ours_and_an_answer_that_quotes_it_does_not_keep_it(
    db: Db, add_destination: AddDestination, sign: Sign, receiver: Receiver, dispatcher: Dispatcher
) -> None:
    receiver.answers = [
        Answer(200, body=f"thanks for {TOKEN}".encode()),
        Answer(500, body=f"no room for {TOKEN}, {TOKEN}".encode()),
    ]
    await add_destination(receiver.url, header_name="X-Api-Token", header_value=TOKEN)
    await sign()
    await dispatcher.drain()
    for one in receiver.received:
        headers = {name.lower(): value for name, value in one.headers.items()}
        assert headers["x-api-token"] == TOKEN
        assert headers["content-type"] == "application/json"
        assert headers["webhook-signature"].startswith("v1,")
        assert headers["user-agent"].startswith("Undersigned/")
    assert len(receiver.received) == 2
    rows = await db.all(select(attempts.c.response))
    assert {row["response"] for row in rows} == {"thanks for …", "no room for …, …"}
