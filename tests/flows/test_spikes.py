"""Spikes: who is told of what, how often, and what looking for them costs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ClauseElement, Executable

from tests.conftest import Clock
from tests.outbox.conftest import AddDestination, dispatcher, make_dispatcher, receiver
from tests.outbox.receiver import Receiver
from tests.store.test_ingest import signature
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.flows.directory import Directory
from widget_server.flows.partners import add_partner
from widget_server.flows.spikes import tell_of_spikes
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.store import spikes as spike_store
from widget_server.store.db import Db
from widget_server.store.tables import events, signatures, spikes

__all__ = ["dispatcher", "make_dispatcher", "receiver"]

Arrive = Callable[..., Awaitable[None]]
CLIENT = "Ab3_-x9Q_rest_of_a_hash"[:22]


@pytest.fixture
def arrive(db: Db, letter: Letter, partner: Partner, clock: Clock) -> Arrive:
    """So many signatures arrive, evenly within the last `seconds`, oldest first; rows alone, as they are stored."""
    numbers = iter(range(10_000_000))

    async def arrive(number: int, *, seconds: float = 300, ago: float = 0, domain: str = "", **changes: Any) -> None:
        rows = []
        for nth in range(number):
            who = next(numbers)
            at = clock() - timedelta(seconds=ago + seconds * (1 - (nth + 1) / number))
            email = f"a{who}@{domain or f'd{who}.example'}"
            row = signature(letter.id, partner.id, f"s{who}", email=email, client=None, created_at=at, confirmed_at=at)
            rows.append({**row._asdict(), **changes})
        async with db.write() as writer:
            for start in range(0, number, 200):
                await writer.execute(insert(signatures).values(rows[start : start + 200]))

    return arrive


async def told(db: Db) -> list[dict[str, Any]]:
    rows = await db.all(select(events.c.data).where(events.c.type == "abuse.spike").order_by(events.c.seq))
    return [row["data"] for row in rows]


async def look(db: Db, directory: Directory, clock: Clock) -> list[dict[str, Any]]:
    """What is told now."""
    before = await told(db)
    number = await tell_of_spikes(db, directory, clock())
    after = (await told(db))[len(before) :]
    assert number == len(after)
    return after


async def test_one_client(db: Db, directory: Directory, clock: Clock, arrive: Arrive) -> None:
    assert await look(db, directory, clock) == []
    await arrive(20, client=CLIENT, seconds=30, ago=601)
    await arrive(29, client=CLIENT)
    assert await look(db, directory, clock) == []
    await arrive(1, client=CLIENT)
    assert await look(db, directory, clock) == [{"of": "client", "client": CLIENT[:8], "number": 30, "minutes": 10}]


async def test_one_mail_domain_but_no_free_mail(db: Db, directory: Directory, clock: Clock, arrive: Arrive) -> None:
    async def domains() -> list[dict[str, Any]]:
        return [one for one in await look(db, directory, clock) if one["of"] == "domain"]

    await arrive(60, domain="gmail.com")
    await arrive(60, domain="sympatico.ca")
    await arrive(49, domain="union.example")
    assert await domains() == []
    await arrive(1, email='"quoted@local"@union.example')
    assert await domains() == [{"of": "domain", "domain": "union.example", "number": 50, "minutes": 10}]


async def test_a_partner_that_is_five_times_as_busy_as_usual(
    db: Db, directory: Directory, clock: Clock, arrive: Arrive
) -> None:
    await arrive(144 * 20 + 200, seconds=86_400, ago=601)  # some twenty in ten minutes, all day long
    await arrive(100, seconds=500)
    assert await look(db, directory, clock) == []
    await arrive(20, seconds=60)
    assert await look(db, directory, clock) == [{"of": "partner", "partner": "maple", "number": 120, "minutes": 10}]


async def test_a_partner_that_never_was_busy(db: Db, directory: Directory, clock: Clock, arrive: Arrive) -> None:
    await arrive(99)
    assert await look(db, directory, clock) == []
    await arrive(1)
    assert [one["of"] for one in await look(db, directory, clock)] == ["partner"]


async def test_what_was_rejected_or_set_aside_counts_and_tests_do_not(
    db: Db, directory: Directory, clock: Clock, arrive: Arrive
) -> None:
    await arrive(10, client=CLIENT, status="rejected")
    await arrive(10, client=CLIENT, status="pending", quarantine="blocked")
    await arrive(9, client=CLIENT)
    await arrive(200, client=CLIENT, domain="trial.example", test=True)
    assert await look(db, directory, clock) == []
    await arrive(1, client=CLIENT)
    assert [one["number"] for one in await look(db, directory, clock)] == [30]


async def test_a_list_that_is_imported_is_no_spike(db: Db, directory: Directory, clock: Clock, arrive: Arrive) -> None:
    await arrive(30, client=CLIENT)
    for number in range(120):  # gathered on paper long ago, or today: their times say nothing
        await arrive(1, ago=86_400 * (number % 2), domain="union.example", import_key=str(number))
    assert [one["of"] for one in await look(db, directory, clock)] == ["client"]


async def test_each_is_told_once_an_hour(db: Db, directory: Directory, clock: Clock, arrive: Arrive) -> None:
    await arrive(30, client=CLIENT)
    assert len(await look(db, directory, clock)) == 1
    await arrive(30, client="another client's hash.")
    assert [one["client"] for one in await look(db, directory, clock)] == ["another "]
    assert await look(db, directory, clock) == []
    clock.advance(3599)
    await arrive(40, client=CLIENT)
    assert await look(db, directory, clock) == []
    clock.advance(1)
    assert [one["number"] for one in await look(db, directory, clock)] == [40]


async def test_of_many_servers_one_tells(
    db: Db, database_url: str, directory: Directory, clock: Clock, arrive: Arrive
) -> None:
    await arrive(120, client=CLIENT, domain="spam.example")
    others = [Db(database_url) for _ in range(3)]
    for other in others:
        await other.connect()
    written = await asyncio.gather(*(tell_of_spikes(one, directory, clock()) for one in [db, *others] * 3))
    for other in others:
        await other.disconnect()
    assert sum(written) == 3
    assert sorted(one["of"] for one in await told(db)) == ["client", "domain", "partner"]
    assert len(await db.all(select(spikes))) == 3


async def test_letters_are_counted_apart(
    db: Db, directory: Directory, clock: Clock, arrive: Arrive, letter: Letter
) -> None:
    await arrive(20, client=CLIENT)
    async with db.write() as writer:
        await writer.raw(
            "INSERT INTO letters (slug, state, settings, outcome, version, signer_key, revision, announced, milestone,"
            " created_at) SELECT 'other', state, settings, outcome, version, signer_key, revision, announced,"
            " milestone, created_at FROM letters WHERE id = ?",
            (letter.id,),
        )
        ((other,),) = await writer.raw("SELECT id FROM letters WHERE slug = 'other'")
    await arrive(20, client=CLIENT, letter_id=other)
    assert await look(db, directory, clock) == []


async def test_coordinators_are_told_and_partners_are_not(
    db: Db,
    directory: Directory,
    letter: Letter,
    partner: Partner,
    clock: Clock,
    arrive: Arrive,
    add_destination: AddDestination,
    dispatcher: Dispatcher,
    receiver: Receiver,
) -> None:
    await add_destination(receiver.url)
    await add_destination(receiver.url + "/partner", partner=partner)
    other = await add_partner(db, letter, "oak", name="Oak", origins=["https://oak.example"], now=clock(), actor="test")
    await add_destination(receiver.url + "/other", partner=other, events=("abuse.spike",))
    await arrive(100, client=CLIENT, domain="spam.example")
    assert len(await look(db, directory, clock)) == 3
    await dispatcher.drain()
    spiked = [one for one in receiver.received if one.json["type"] == "abuse.spike"]
    assert {one.path for one in spiked} == {"/hook"}
    assert [one.json["data"] for one in spiked] == [
        {"letter": "letter", "of": "client", "client": CLIENT[:8], "number": 100, "minutes": 10},
        {"letter": "letter", "of": "domain", "domain": "spam.example", "number": 100, "minutes": 10},
        {"letter": "letter", "of": "partner", "partner": "maple", "number": 100, "minutes": 10},
    ]


class Explain(Executable, ClauseElement):
    inherit_cache = False

    def __init__(self, statement: ClauseElement) -> None:
        self.statement = statement


@compiles(Explain, "postgresql")
def _explain_postgresql(element: Explain, compiler: Any, **options: Any) -> str:
    return f"EXPLAIN {compiler.process(element.statement, **options)}"


@compiles(Explain, "sqlite")
def _explain_sqlite(element: Explain, compiler: Any, **options: Any) -> str:
    return f"EXPLAIN QUERY PLAN {compiler.process(element.statement, **options)}"


@contextmanager
def watched(db: Db, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[ClauseElement]]:
    """The queries that are asked meanwhile."""
    asked: list[ClauseElement] = []
    with monkeypatch.context() as patch:
        for name in ("all", "one"):
            real = getattr(db, name)

            def watch(query: ClauseElement, real: Any = real) -> Any:
                asked.append(query)
                return real(query)

            patch.setattr(db, name, watch)
        yield asked


async def plan(db: Db, query: ClauseElement) -> str:
    rows = await db._database.fetch_all(Explain(query))
    return "\n".join(str(tuple(row._mapping.values())) for row in rows)


async def test_only_what_has_just_arrived_is_read(
    db: Db, directory: Directory, clock: Clock, arrive: Arrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spike_store, "_SAMPLE", 100)  # in proportion to a table that a test can fill
    await arrive(6_000, seconds=40_000, ago=700)
    with watched(db, monkeypatch) as asked:
        await look(db, directory, clock)
    assert len([query for query in asked if "signatures" in str(query)]) == 1, "on a quiet day, one question"
    await arrive(400, client=CLIENT, domain="spam.example")
    async with db.write() as writer:
        await writer.raw("ANALYZE")
    with watched(db, monkeypatch) as asked:
        assert len(await look(db, directory, clock)) == 3
    about = [query for query in asked if "signatures" in str(query)]
    assert len(about) <= 40
    for query in about:
        said = await plan(db, query)
        newest_first = "ORDER BY signatures.seq DESC" in str(query)  # walks the key from its end, for one row
        assert "SCAN signatures" not in said or newest_first, said
        assert "Seq Scan on signatures" not in said, said


async def test_a_time_is_found_wherever_it_lies(db: Db, clock: Clock, arrive: Arrive) -> None:
    start = clock()
    await arrive(1_500, seconds=15_000)
    seqs: list[tuple[int, datetime]] = [
        (row["seq"], row["created_at"]) for row in await db.all(select(signatures.c.seq, signatures.c.created_at))
    ]
    for ago in (0, 9, 100, 640, 3_000, 14_990, 15_001):
        since = start - timedelta(seconds=ago)
        found = await spike_store.last_before(db, since)
        first = next((seq for seq, at in seqs if at >= since), None)
        assert first is not None
        assert found is not None
        assert 0 < first - found <= 65
    assert await spike_store.last_before(db, start + timedelta(seconds=1)) is None
