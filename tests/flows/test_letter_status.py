"""Opening, pausing and closing a letter, on both engines."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select

from tests.conftest import Clock
from widget_server.domain.refusals import Problems
from widget_server.flows.directory import Directory
from widget_server.flows.letter_status import Changed, Verb, change_letter_status
from widget_server.flows.load_letter import load_letter
from widget_server.store.db import Db
from widget_server.store.letters import directory_revision
from widget_server.store.tables import audit, events


async def change(db: Db, verb: Verb, clock: Clock) -> Changed:
    return await change_letter_status(db, "letter", verb, now=clock(), actor="test")


async def test_a_letter_opens_pauses_opens_and_closes(
    db: Db, directory: Directory, letter_folder: Path, clock: Clock
) -> None:
    loaded = await load_letter(db, letter_folder, now=clock(), actor="test")
    before = (loaded.letter.revision, await directory_revision(db))
    verbs: tuple[tuple[Verb, str], ...] = (
        ("open", "open"), ("pause", "paused"), ("open", "open"), ("close", "closed"), ("open", "open"),
    )  # fmt: skip
    for verb, state in verbs:
        done = await change(db, verb, clock)
        assert done.changed
        assert done.letter.state == state
        await directory.refresh(now_please=True)
        found = await directory.letter("letter")
        assert found is not None
        assert found.state == state
        after = (found.revision, await directory_revision(db))
        assert after[0] > before[0]
        assert after[1] > before[1]
        before = after
    actions = [row["action"] for row in await db.all(select(audit.c.action).order_by(audit.c.seq))]
    assert actions == [
        "letter.create", "letter.open", "letter.pause", "letter.open", "letter.close", "letter.open",
    ]  # fmt: skip
    assert await db.value(select(func.count()).select_from(events)) == 0


async def test_repeating_changes_nothing(db: Db, letter_folder: Path, clock: Clock) -> None:
    await load_letter(db, letter_folder, now=clock(), actor="test")
    await change(db, "open", clock)
    revision = await directory_revision(db)
    again = await change(db, "open", clock)
    assert not again.changed
    assert await directory_revision(db) == revision


@pytest.mark.parametrize("verb", ["pause", "close"])
async def test_a_draft_can_only_be_opened(db: Db, letter_folder: Path, clock: Clock, verb: Verb) -> None:
    await load_letter(db, letter_folder, now=clock(), actor="test")
    with pytest.raises(Problems, match="draft"):
        await change(db, verb, clock)


async def test_a_closed_letter_is_not_paused(db: Db, letter_folder: Path, clock: Clock) -> None:
    await load_letter(db, letter_folder, now=clock(), actor="test")
    await change(db, "open", clock)
    await change(db, "close", clock)
    with pytest.raises(Problems, match="closed"):
        await change(db, "pause", clock)


async def test_an_unknown_letter(db: Db, clock: Clock) -> None:
    with pytest.raises(Problems, match="no letter"):
        await change(db, "open", clock)
