"""Tokens that expire: renewed by one at a time, stored before they are used, sealed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.conftest import Clock
from tests.outbox.conftest import AddDestination, MakeDispatcher, sign_many
from tests.outbox.looking import CONFIRMED
from widget_server.contract import Destination, Event, Integration, Kept, Response, Temporary, Tools
from widget_server.domain.ids import new_id
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.vault import Vault
from widget_server.outbox.renewal import LEASE_SECONDS, Renewal
from widget_server.store.db import Db
from widget_server.store.delivery_log import deliveries_of
from widget_server.store.renewals import take_renewal
from widget_server.store.tables import destinations


class Tokens(Integration):
    """A target whose refresh tokens can be used once each, as NationBuilder's."""

    kind = "tokens"
    summary = "single-use refresh tokens"

    def __init__(self) -> None:
        self.valid = "refresh 0"
        self.renewals = 0
        self.reused = 0

    async def renewed(self, kept: Kept) -> Kept:
        token = kept.get("refresh", "refresh 0")
        await asyncio.sleep(0)  # somebody else may come in between, as on a network
        if token != self.valid:
            self.reused += 1
            raise Temporary("token_reused")
        self.renewals += 1
        self.valid = f"refresh {self.renewals}"
        return {"refresh": self.valid, "access": f"access {self.renewals}"}

    async def send(self, events: Sequence[Event], destination: Destination, tools: Tools) -> Response:
        kept = destination.kept
        if kept.get("access") != f"access {self.renewals}" or not self.renewals:
            kept = await tools.renew(kept, self.renewed)
        assert kept["access"] == f"access {self.renewals}"
        return Response(200, {}, b"")


async def test_many_who_find_it_expired_renew_it_once(
    db: Db,
    letter: Letter,
    partner: Partner,
    kinds: dict[str, Integration],
    add_destination: AddDestination,
    make_dispatcher: MakeDispatcher,
    clock: Clock,
) -> None:
    kinds["tokens"] = tokens = Tokens()
    await add_destination("https://example.org", "tokens", events=CONFIRMED)
    await sign_many(db, letter, partner, clock, [{} for _ in range(20)])
    await asyncio.gather(make_dispatcher().drain(), make_dispatcher().drain())
    assert {row.status for row in await deliveries_of(db, letter.id)} == {"delivered"}
    assert (tokens.renewals, tokens.reused) == (1, 0)
    sealed = await db.value(select(destinations.c.kept))
    assert "refresh" not in sealed


@pytest.fixture
async def renewal(db: Db, vault: Vault, clock: Clock, add_destination: AddDestination) -> Renewal:
    return Renewal(db, vault, await add_destination("https://example.org"), clock)


async def test_what_was_renewed_by_somebody_else_is_taken(renewal: Renewal) -> None:
    async def first(_: Kept) -> Kept:
        return {"token": "1"}

    async def never(_: Kept) -> Kept:
        raise AssertionError("it was fresh")

    assert await renewal({}, first) == {"token": "1"}
    assert await renewal({}, never) == {"token": "1"}
    assert await renewal({"token": "0"}, never) == {"token": "1"}


async def test_a_renewal_that_fails_lets_the_next_one_in_and_keeps_what_was_there(renewal: Renewal) -> None:
    async def fails(_: Kept) -> Kept:
        raise Temporary("http_503")

    async def works(kept: Kept) -> Kept:
        return {**kept, "token": "2"}

    await renewal({}, works)
    with pytest.raises(Temporary):
        await renewal({"token": "2"}, fails)
    assert (await renewal({}, fails)) == {"token": "2"}


async def test_what_the_target_gave_is_stored_even_where_the_attempt_is_ended_then(renewal: Renewal) -> None:
    given = asyncio.Event()

    async def slow(_: Kept) -> Kept:
        given.set()
        return {"token": "3"}

    task = asyncio.create_task(renewal({}, slow))
    await given.wait()
    task.cancel()
    await asyncio.wait([task])

    async def never(_: Kept) -> Kept:
        raise AssertionError("it was stored")

    assert await renewal({}, never) == {"token": "3"}


async def test_a_process_that_ends_in_the_middle_holds_it_up_for_a_moment_only(
    renewal: Renewal, db: Db, clock: Clock
) -> None:

    async with db.write() as writer:
        until = clock() + timedelta(seconds=LEASE_SECONDS)
        assert await take_renewal(writer, renewal.destination_id, new_id(), now=clock(), until=until)
    clock.advance(LEASE_SECONDS)

    async def works(_: Kept) -> Kept:
        return {"token": "4"}

    assert await renewal({}, works) == {"token": "4"}
