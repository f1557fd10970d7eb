"""A target that keeps people, a destination that sends there, and a dispatcher between them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select

from tests.conftest import Clock
from tests.integrations.targets.base import Target, running
from tests.integrations.targets.people import TARGETS
from tests.outbox.conftest import LOOPBACK, PUBLIC_URL, AddDestination, MakeDispatcher
from widget_server.contract import Problem
from widget_server.domain.letters import Letter
from widget_server.domain.vault import Vault
from widget_server.flows.destinations import Office, Wanted
from widget_server.flows.directory import Directory
from widget_server.flows.turn import Turns
from widget_server.i18n import Texts
from widget_server.outbox.routes import Routes
from widget_server.outbox.sending import Keeping, Sender
from widget_server.store.db import Db
from widget_server.store.destinations import find_destination
from widget_server.store.tables import attempts, deliveries


@dataclass
class Place:
    """A target, a destination that sends there, and what a test needs to see how it goes."""

    db: Db
    letter: Letter
    clock: Clock
    target: Target
    destination_id: str
    turns: Turns
    office: Office
    make: MakeDispatcher
    sender: Sender
    routes: Routes

    async def deliver(self, rounds: int = 4, **changes: Any) -> None:
        """Sends what is due, and goes on as time does; no retry falls into it."""
        dispatcher = self.make(**changes)
        for _ in range(rounds):
            await dispatcher.drain()
            self.clock.advance(1)

    async def rows(self) -> list[dict[str, Any]]:
        found = await self.db.all(select(deliveries).where(deliveries.c.destination_id == self.destination_id))
        return [dict(row) for row in found]

    async def tries(self) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.db.all(select(attempts))]

    async def probed(self, **options: str) -> list[Problem]:
        """What the target says of a destination with other options."""
        wanted = Wanted(self.target.kind, self.target.url, {**self.target.options(), **options}, ())
        added = await self.office.add(self.letter, None, wanted)
        row = await find_destination(self.db, added.id)
        assert row is not None
        return await self.sender.probe(await self.routes.open(row))

    async def enable(self) -> None:
        row = await find_destination(self.db, self.destination_id)
        assert row is not None
        await self.office.enable(row)

    async def status(self) -> tuple[str, str | None]:
        row = await find_destination(self.db, self.destination_id)
        assert row is not None
        return row.health.status, row.health.reason


@pytest.fixture(params=sorted(TARGETS))
async def target(request: pytest.FixtureRequest) -> AsyncIterator[Target]:
    """By kind; a test of one kind may name options of its destination too."""
    kind, options = (request.param, {}) if isinstance(request.param, str) else request.param
    async with running(TARGETS[kind]()) as one:
        one.more = options
        yield one


@pytest.fixture
async def place(
    db: Db,
    letter: Letter,
    clock: Clock,
    vault: Vault,
    office: Office,
    directory: Directory,
    texts: Texts,
    target: Target,
    add_destination: AddDestination,
    make_dispatcher: MakeDispatcher,
) -> AsyncIterator[Place]:
    id_ = await add_destination(target.url, target.kind, **{**target.options(), **target.more})
    sender = Sender(
        texts=texts,
        public_url=PUBLIC_URL,
        version="1",
        egress_allow=LOOPBACK,
        now=clock,
        keeping=Keeping(db, vault),
    )
    routes = Routes(directory=directory, vault=vault, kinds=office.kinds, public_url=PUBLIC_URL)
    yield Place(db, letter, clock, target, id_, Turns(db, vault, clock), office, make_dispatcher, sender, routes)
    await sender.aclose()
