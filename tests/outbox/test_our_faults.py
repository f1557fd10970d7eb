"""Mistakes in an integration, and credentials that no longer work: the work is kept, and others go on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.conftest import Clock
from tests.outbox.conftest import AddDestination, MakeDispatcher, Sign
from tests.outbox.looking import CONFIRMED, found, only
from tests.outbox.receiver import Receiver
from widget_server.contract import Destination, Event, Integration, NotAuthorized, Response, Tools
from widget_server.domain.letters import Letter
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.store.db import Db
from widget_server.store.delivery_log import attempts_at


class Broken(Integration):
    """An integration with a mistake in it."""

    kind = "broken"
    summary = "raises"

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
    assert (row.attempts, row.next_attempt_at) == (0, clock() + timedelta(seconds=5))
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


class Endless(Broken):
    kind = "endless"

    async def send(self, events: Sequence[Event], destination: Destination, tools: Tools) -> Response:
        await asyncio.get_running_loop().create_future()
        raise AssertionError("nothing ever comes")


async def test_an_attempt_that_takes_too_long_as_a_whole_is_no_bug_and_may_have_arrived(
    db: Db,
    letter: Letter,
    kinds: dict[str, Any],
    add_destination: AddDestination,
    sign: Sign,
    make_dispatcher: MakeDispatcher,
) -> None:
    kinds["endless"] = Endless()
    await add_destination("https://example.org", "endless", events=CONFIRMED)
    await sign()
    with capture_logs() as lines:
        await make_dispatcher(deadline_seconds=-0.9).drain()  # and a second's margin
    assert [line for line in lines if line["event"] == "integration.bug"] == []
    row = await only(db, letter)
    assert (row.status, row.attempts) == ("pending", 1)
    assert row.last_error == "timeout: the attempt took too long as a whole"
    (attempt,) = await attempts_at(db, row.id)
    assert attempt.outcome == "unknown"
