"""Whatever happens to signatures, in whatever order, on both engines, one server or several: the count is true, who has
withdrawn stays out, and each signer is counted once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.flows.lives import ORGANIZATIONS_COUNT, STEPS, Step, a_world, happens, holds
from widget_server.store.db import Db

SERVERS = 3
EXAMPLES = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    print_blob=True,
)

number = st.integers(0, 12)
likely = st.sampled_from(["sign", "sign", "sign", "confirm", "confirm", "confirm", "merge", "reject", "restore"])
steps = st.lists(st.tuples(likely | st.sampled_from(STEPS), number, number, number), min_size=4, max_size=40)
stories = steps | steps.map(lambda story: [*ORGANIZATIONS_COUNT, *story])
confirmations = st.sampled_from(["email", "email", "none"])
policies = st.sampled_from(["review", "domain", "listed"])


@dataclass(frozen=True)
class Stage:
    """Servers on one database, in a loop that outlives an example."""

    runner: asyncio.Runner
    dbs: list[Db]
    folder: Path


@pytest.fixture
def stage(database_url: str, letter_folder: Path) -> Iterator[Stage]:
    with asyncio.Runner() as runner:
        dbs = [Db(database_url) for _ in range(SERVERS)]
        runner.run(_open(dbs))
        yield Stage(runner, dbs, letter_folder)
        for db in dbs:
            runner.run(db.disconnect())


async def _open(dbs: list[Db]) -> None:
    if dbs[0].engine == "postgresql":
        connection = await asyncpg.connect(dbs[0].url)
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f"ALTER DATABASE {name} SET deadlock_timeout = '20ms'")
        await connection.close()
    for db in dbs:
        await db.connect()


@EXAMPLES
@given(stories, confirmations, policies)
def test_whatever_happens_one_after_the_other(stage: Stage, story: list[Step], confirmation: str, policy: str) -> None:
    async def live() -> None:
        world = await a_world(stage.dbs[:1], stage.folder, confirmation, policy)
        for step in story:
            await happens(world, step)
            await holds(world)

    stage.runner.run(live())


@EXAMPLES
@given(stories, st.lists(steps, min_size=1, max_size=4), confirmations, policies)
def test_whatever_happens_at_once_on_several_servers(
    stage: Stage, before: list[Step], at_once: list[list[Step]], confirmation: str, policy: str
) -> None:
    async def live() -> None:
        world = await a_world(stage.dbs, stage.folder, confirmation, policy)
        for step in before:
            await happens(world, step)
        for many in at_once:
            await asyncio.gather(*(happens(world, step, place % SERVERS) for place, step in enumerate(many)))
            await holds(world)

    stage.runner.run(live())
