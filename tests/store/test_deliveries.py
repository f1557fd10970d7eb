"""Claims and leases, on both engines."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.conftest import Clock
from tests.outbox.conftest import AddDestination, Sign
from widget_server.domain.deliveries import Bearing, Outcome, Verdict
from widget_server.domain.ids import new_id
from widget_server.domain.letters import Letter
from widget_server.flows.announce import announce
from widget_server.flows.directory import Directory
from widget_server.flows.fan_out import fan_out
from widget_server.flows.settle import settle
from widget_server.outbox.registry import Registry
from widget_server.store.db import Db
from widget_server.store.deliveries import Settlement, claim, claim_these, due_ids, let_go, work
from widget_server.store.delivery_log import attempts_at, deliveries_of, numbers_by_status
from widget_server.store.destinations import due, take_turn
from widget_server.store.pulse import pulse

OK = Verdict(Outcome.DELIVERED, "delivered", 1, 0, None, Bearing.WELL, status_code=200)
FAILED = Verdict(Outcome.RETRY, "pending", 1, 0, None, Bearing.ILL, error="http_500")


@pytest.fixture
async def destination(
    db: Db,
    directory: Directory,
    letter: Letter,
    add_destination: AddDestination,
    sign: Sign,
    clock: Clock,
) -> str:
    """A destination with five deliveries due."""
    await announce(db, directory, clock())
    id_ = await add_destination("https://hooks.example.org/", events=("signature.confirmed",))
    for _ in range(5):
        await sign()
    told = await fan_out(db, Registry(), clock())
    assert (told.events, told.destinations, told.more) == (11, frozenset({id_}), False)
    return id_


async def claimed(db: Db, destination: str, clock: Clock, *, limit: int = 10, lease: str | None = None) -> list[str]:
    async with db.write() as writer:
        return await claim(
            writer,
            destination,
            limit=limit,
            lease=lease or new_id(),
            now=clock(),
            until=clock() + timedelta(seconds=25),
        )


def ended(delivery: str, destination: str, lease: str, verdict: Verdict, clock: Clock) -> Settlement:
    return Settlement(new_id(), delivery, destination, lease, clock(), 0.1, verdict)


async def test_fan_out_is_done_once(db: Db, destination: str, letter: Letter, clock: Clock) -> None:
    assert (await fan_out(db, Registry(), clock())).events == 0
    assert len(await deliveries_of(db, letter.id)) == 5


async def test_two_who_claim_at_once_share(db: Db, destination: str, clock: Clock, database_url: str) -> None:
    other = Db(database_url)
    await other.connect()
    one, two = await asyncio.gather(
        claimed(db, destination, clock, limit=3), claimed(other, destination, clock, limit=3)
    )
    await other.disconnect()
    rest = await claimed(db, destination, clock)
    assert not set(one) & set(two)
    assert len({*one, *two, *rest}) == 5


async def test_a_lease_holds_for_its_time_and_no_longer(db: Db, destination: str, clock: Clock) -> None:
    assert len(await claimed(db, destination, clock)) == 5
    assert await due(db, clock()) == []
    clock.advance(24)
    assert await claimed(db, destination, clock) == []
    clock.advance(1)
    assert await due(db, clock()) == [destination]
    assert len(await claimed(db, destination, clock)) == 5


async def test_what_is_let_go_is_due_again(db: Db, destination: str, clock: Clock) -> None:
    lease = new_id()
    ids = await claimed(db, destination, clock, lease=lease)
    async with db.write() as writer:
        await let_go(writer, ids[:2], lease)
        await let_go(writer, ids[2:], new_id())  # somebody else's lease lets nothing go
    assert set(await claimed(db, destination, clock)) == set(ids[:2])


async def test_work_comes_with_what_it_speaks_of(db: Db, destination: str, clock: Clock) -> None:
    async with db.write() as writer:
        first, *_ = await due_ids(writer, destination, limit=10, now=clock())
        (found,) = await work(writer, [first])
        mine = await claim_these(writer, [first], lease=new_id(), now=clock(), until=clock())
    assert found.id == first
    assert mine == {first}
    assert found.facts is not None
    assert (found.facts.name, found.facts.public, found.facts.created_at) == ("Zoë Gagné", True, clock())
    assert (found.event.type, found.event.occurred_at) == ("signature.confirmed", clock())


async def test_a_failure_counts_only_for_who_holds_the_lease_and_a_success_for_anybody(
    db: Db, letter: Letter, destination: str, clock: Clock
) -> None:
    old, new = new_id(), new_id()
    ids = await claimed(db, destination, clock, lease=old)
    clock.advance(26)
    await claimed(db, destination, clock, lease=new)
    later = replace(FAILED, next_attempt_at=clock() + timedelta(seconds=5))
    async with db.write() as writer:
        await settle(
            writer,
            [ended(ids[0], destination, old, later, clock), ended(ids[1], destination, old, OK, clock)],
            clock(),
        )
    rows = {row.id: row for row in await deliveries_of(db, letter.id)}
    assert (rows[ids[0]].attempts, rows[ids[1]].status) == (0, "delivered")
    assert len(await attempts_at(db, ids[0])) == len(await attempts_at(db, ids[1])) == 1, "every attempt is in the log"
    async with db.write() as writer:
        await settle(writer, [ended(ids[1], destination, new, later, clock)], clock())
    assert await numbers_by_status(db, destination) == {"pending": 4, "delivered": 1}


async def test_what_is_no_longer_there_is_left_alone(db: Db, destination: str, clock: Clock) -> None:
    async with db.write() as writer:
        gone = ended(new_id(), destination, new_id(), OK, clock)
        assert await settle(writer, [gone, ended(new_id(), new_id(), new_id(), OK, clock)], clock()) == 0


async def test_only_one_process_gets_a_turn_within_the_pace(
    db: Db, destination: str, clock: Clock, database_url: str
) -> None:
    other = Db(database_url)
    await other.connect()

    async def turn(through: Db) -> bool:
        async with through.write() as writer:
            return await take_turn(writer, destination, clock(), 1.2)

    assert sorted(await asyncio.gather(turn(db), turn(other))) == [False, True]
    clock.advance(1.2)
    assert await turn(other)
    await other.disconnect()


async def test_the_pulse_tells_idle_from_busy(
    db: Db,
    directory: Directory,
    letter: Letter,
    destination: str,
    clock: Clock,
    sign: Sign,
) -> None:
    seen = await pulse(db, clock())
    assert (seen.waiting, seen.due) == (False, True)
    await claimed(db, destination, clock)
    assert not (await pulse(db, clock())).due
    await sign()
    assert (await pulse(db, clock())).waiting
