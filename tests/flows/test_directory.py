"""Letters, partners and counts from memory: at most half a second old, at the cost of few questions."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.conftest import Clock
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.tokens import Seals
from widget_server.flows import directory as module
from widget_server.flows.directory import Directory
from widget_server.flows.letter_status import change_letter_status
from widget_server.store.db import Db


class Counted(Db):
    """Counts the questions that reach the database."""

    asked = 0

    async def all(self, query: Any) -> list[dict[str, Any]]:
        self.asked += 1
        return await super().all(query)

    async def value(self, query: Any) -> Any:
        self.asked += 1
        return await super().value(query)


async def test_a_crowd_shares_one_question(
    database_url: str,
    seals: Seals,
    letter: Letter,
    partner: Partner,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module.time, "monotonic", lambda: 100.0)  # however slow this machine is, no time passes
    db = Counted(database_url)
    await db.connect()
    directory = Directory(db, seals)
    await directory.credit(token)
    first = db.asked
    await asyncio.gather(*(directory.credit(token) for _ in range(1000)))
    await asyncio.gather(*(directory.counts(letter) for _ in range(1000)))
    assert db.asked == first
    await directory.refresh(now_please=True)
    assert db.asked - first == 3  # the revision, the counts, the letters' revisions: no letter is read again
    await db.disconnect()


async def test_another_server_notices(
    db: Db, seals: Seals, letter: Letter, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a command changes is known without anybody telling this server, within the two seconds that are promised."""
    assert module.FRESH_SECONDS < 2
    at = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: at)
    other = Directory(db, seals)
    assert (await other.letter("letter")).status(clock()) == "open"  # type: ignore[union-attr]
    await change_letter_status(db, "letter", "close", now=clock(), actor="test")
    assert (await other.letter("letter")).status(clock()) == "open"  # type: ignore[union-attr]
    at += module.FRESH_SECONDS
    assert (await other.letter("letter")).status(clock()) == "closed"  # type: ignore[union-attr]
