"""Somebody leaves in the very moment in which a dispatcher is about to send their address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from tests.conftest import Clock
from tests.integrations.targets.base import Target, running
from tests.integrations.targets.people import TARGETS
from tests.integrations.twelve import Hook
from tests.outbox.conftest import AddDestination, MakeDispatcher, Sign
from widget_server.domain.letters import Letter
from widget_server.domain.vault import Vault
from widget_server.flows import turn
from widget_server.flows.fan_out import fan_out
from widget_server.flows.turn import Turns
from widget_server.flows.withdraw import withdraw
from widget_server.outbox import convoys
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.store.db import Db
from widget_server.store.delivery_log import deliveries_of


@pytest.fixture(params=["mailchimp", "hubspot"])
async def target(request: pytest.FixtureRequest) -> AsyncIterator[Target]:
    """One that takes people one by one, and one that takes them in batches."""
    async with running({**TARGETS, "webhook": Hook}[request.param]()) as one:
        yield one


async def test_whoever_left_while_they_were_rendered_is_not_sent(
    db: Db,
    letter: Letter,
    vault: Vault,
    clock: Clock,
    target: Target,
    add_destination: AddDestination,
    sign: Sign,
    dispatcher: Dispatcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await add_destination(target.url, target.kind, **target.options())
    id_ = await sign(email="zoe@example.org", contact_opt_in=True)
    await sign(email="stays@example.org", contact_opt_in=True)
    render, turns = convoys.render, Turns(db, vault, clock)

    async def rendered_and_left(*args: Any) -> Any:
        found = await render(*args)
        await withdraw(turns, letter, id_)
        return found

    monkeypatch.setattr(convoys, "render", rendered_and_left)
    for _ in range(4):
        await dispatcher.drain()
        clock.advance(2)
    assert target.mailable() == ["stays@example.org"]
    assert "zoe@example.org" not in target.all_sent().replace("%40", "@")
    assert {row.status for row in await deliveries_of(db, letter.id)} == {"delivered", "cancelled"}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("target", ["mailchimp", "webhook"], indirect=True)
async def test_whoever_is_leaving_while_they_are_claimed_is_waited_for(
    db: Db,
    database_url: str,
    kinds: dict[str, Any],
    letter: Letter,
    vault: Vault,
    clock: Clock,
    target: Target,
    add_destination: AddDestination,
    sign: Sign,
    make_dispatcher: MakeDispatcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On SQLite writers take turns anyway."""
    await add_destination(target.url, target.kind, **target.options())
    id_ = await sign(email="zoe@example.org", contact_opt_in=True)
    await fan_out(db, kinds, clock())
    other = Db(database_url)
    await other.connect()
    dispatcher, told_of_address = make_dispatcher(db=other), turn.told_of_address
    under_way: list[asyncio.Task[None]] = []

    async def waits_for_us() -> bool:
        ours = "datname = current_database() AND wait_event_type = 'Lock'"
        return bool(await db.value(text(f"SELECT count(*) FROM pg_stat_activity WHERE {ours}")))

    async def asked_while_it_is_claimed(*args: Any) -> Any:
        found = await told_of_address(*args)
        under_way.append(asyncio.create_task(dispatcher.drain()))
        while not target.asked and not await waits_for_us():
            await asyncio.sleep(0.01)  # one or the other comes; there is nothing else to wait for
        return found

    monkeypatch.setattr(turn, "told_of_address", asked_while_it_is_claimed)
    assert await withdraw(Turns(db, vault, clock), letter, id_)
    await asyncio.gather(*under_way)
    assert under_way
    assert "zoe@example.org" not in target.all_sent().replace("%40", "@")
    await dispatcher.aclose()
    await other.disconnect()
