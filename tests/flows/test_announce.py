"""Letters that open, close and pass milestones, by command or by time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from tests.conftest import LETTER_TOML, Clock
from widget_server.domain.letters import Letter
from widget_server.flows.announce import announce, reached
from widget_server.flows.directory import Directory
from widget_server.flows.letter_status import change_letter_status
from widget_server.flows.load_letter import load_letter
from widget_server.store.db import Db
from widget_server.store.tables import events, signature_counts


async def told(db: Db) -> list[tuple[str, Any]]:
    rows = await db.all(select(events.c.type, events.c.data).order_by(events.c.seq))
    return [(row["type"], row["data"].get("milestone")) for row in rows]


async def count(db: Db, letter: Letter, number: int) -> None:
    counts = signature_counts
    async with db.write() as writer:
        if await writer.one(select(counts)) is None:
            await writer.execute(
                insert(counts).values(letter_id=letter.id, statement="ca", kind="individual", number=number)
            )
        await writer.execute(update(counts).values(number=number))


@pytest.mark.parametrize(
    ("total", "goal", "milestone"),
    [
        (0, None, 0),
        (99, None, 0),
        (100, None, 100),
        (249, None, 100),
        (250, None, 250),
        (999, 700, 700),
        (999, 300, 500),
        (1000, None, 1000),
        (2500, None, 2500),
        (5000, None, 5000),
        (386_698, None, 250_000),
        (50, 50, 50),
    ],
)
def test_the_milestones(total: int, goal: int | None, milestone: int) -> None:
    assert reached(total, goal) == milestone


async def test_opening_and_closing_by_command_is_told_once(
    db: Db, directory: Directory, letter: Letter, clock: Clock
) -> None:
    assert await announce(db, directory, clock()) == 1
    assert await announce(db, directory, clock()) == 0
    await change_letter_status(db, "letter", "pause", now=clock(), actor="test")
    assert await announce(db, directory, clock()) == 0
    await change_letter_status(db, "letter", "open", now=clock(), actor="test")
    assert await announce(db, directory, clock()) == 0
    await change_letter_status(db, "letter", "close", now=clock(), actor="test")
    assert await announce(db, directory, clock()) == 1
    assert await told(db) == [("letter.opened", None), ("letter.closed", None)]


async def test_times_act_by_themselves(db: Db, directory: Directory, letter_folder: Path, clock: Clock) -> None:
    times = "opens_at = 2026-06-20T13:00:00Z\ncloses_at = 2026-06-20T14:00:00Z\n"
    (letter_folder / "letter.toml").write_text(times + LETTER_TOML, "utf-8")
    await load_letter(db, letter_folder, now=clock(), actor="test")
    await change_letter_status(db, "letter", "open", now=clock(), actor="test")
    assert await announce(db, directory, clock()) == 0
    clock.advance(3600)
    assert await announce(db, directory, clock()) == 1
    clock.advance(3600)
    assert await announce(db, directory, clock()) == 1
    assert [type_ for type_, _ in await told(db)] == ["letter.opened", "letter.closed"]


async def test_a_milestone_is_told_once_and_only_the_highest(
    db: Db, directory: Directory, letter: Letter, clock: Clock
) -> None:
    await announce(db, directory, clock())
    await count(db, letter, 99)
    assert await announce(db, directory, clock()) == 0
    await count(db, letter, 100)
    assert await announce(db, directory, clock()) == 1
    await count(db, letter, 600)
    assert await announce(db, directory, clock()) == 1
    await count(db, letter, 90)
    await announce(db, directory, clock())
    await count(db, letter, 501)
    assert await announce(db, directory, clock()) == 0
    assert (await told(db))[1:] == [("letter.milestone", 100), ("letter.milestone", 500)]


async def test_however_many_servers_notice_one_tells(
    db: Db, directory: Directory, letter: Letter, clock: Clock, database_url: str, seals: Any
) -> None:
    other = Db(database_url)
    await other.connect()
    await count(db, letter, 100)
    written = await asyncio.gather(announce(db, directory, clock()), announce(other, Directory(other, seals), clock()))
    await other.disconnect()
    assert sum(written) == 2
    assert sorted(type_ for type_, _ in await told(db)) == ["letter.milestone", "letter.opened"]
