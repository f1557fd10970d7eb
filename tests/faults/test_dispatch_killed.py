"""kill -9 at every step between fan-out and commit: nothing is lost, ids stay, and what may repeat is said to."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.conftest import KEY, Clock
from tests.faults.dies import STEPS
from tests.outbox.conftest import (
    PUBLIC_URL,
    AddDestination,
    MakeDispatcher,
    add_destination,
    kinds,
    make_dispatcher,
    office,
    sign_many,
    vault,
)
from tests.outbox.receiver import Receiver, receiving
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.store.db import Db
from widget_server.store.delivery_log import deliveries_of
from widget_server.store.tables import deliveries

__all__ = ["add_destination", "kinds", "make_dispatcher", "office", "vault"]

ROOT = Path(__file__).parents[2]
NUMBER = 12


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one


async def killed_at(step: str, database_url: str, clock: Clock) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.dies", database_url, KEY, clock().isoformat(), PUBLIC_URL, step, cwd=ROOT
    )
    assert await process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", ["webhook", "slack"])
async def test_nothing_is_lost_and_at_most_what_was_under_way_is_repeated(
    db: Db,
    database_url: str,
    letter: Letter,
    partner: Partner,
    add_destination: AddDestination,
    make_dispatcher: MakeDispatcher,
    receiver: Receiver,
    clock: Clock,
    kind: str,
    step: str,
) -> None:
    await add_destination(receiver.url, kind, events=("signature.confirmed",))
    organizations = [{"kind": "organization", "organization": f"Club {number}"} for number in range(NUMBER)]
    await sign_many(db, letter, partner, clock, organizations)
    await killed_at(step, database_url, clock)
    before = {row.event_id for row in await deliveries_of(db, letter.id)}
    arrived = len(receiver.received)
    clock.advance(26)  # the contract: taken up again within 30 s
    dispatcher = make_dispatcher()
    for _ in range(NUMBER + 1):
        await dispatcher.drain()
        clock.advance(1.3)  # Slack's pace
    rows = await deliveries_of(db, letter.id)
    assert {row.status for row in rows} == {"delivered"}
    assert len(rows) == NUMBER
    assert before in (set(), {row.event_id for row in rows})
    texts = [one.json["text"] if kind == "slack" else one.headers["webhook-id"] for one in receiver.received]
    told = Counter(name for text in texts for name in (re.findall(r"Club \d+", text) if kind == "slack" else [text]))
    assert len(told) == NUMBER
    repeated = len(texts) - len(set(texts))
    assert repeated <= arrived
    if step in ("fanned out", "claimed"):
        assert arrived == 0
    if step == "settled":
        assert repeated <= 10, "what was settled is not sent again; what was under way then may be"


@pytest.mark.parametrize("step", ["claimed", "answered"])
async def test_what_was_under_way_is_taken_up_as_doubtful(
    db: Db,
    database_url: str,
    letter: Letter,
    partner: Partner,
    add_destination: AddDestination,
    make_dispatcher: MakeDispatcher,
    receiver: Receiver,
    clock: Clock,
    step: str,
) -> None:
    await add_destination(receiver.url, events=("signature.confirmed",))
    await sign_many(db, letter, partner, clock, [{}])
    await killed_at(step, database_url, clock)
    clock.advance(26)
    await make_dispatcher().drain()
    (row,) = await db.all(select(deliveries.c.doubtful, deliveries.c.status))
    assert (row["doubtful"], row["status"]) == (True, "delivered")
