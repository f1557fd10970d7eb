"""What a running server looks after by itself, without anybody's command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select

from tests.conftest import KEY
from tests.store.test_ingest import signature
from widget_server.app import open_dispatcher
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.outbox import rounds as these
from widget_server.outbox.rounds import Round, go
from widget_server.settings import Settings
from widget_server.store.db import Db
from widget_server.store.tables import audit, events, signatures


async def until(fact: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(60):
        while not await fact():
            await asyncio.sleep(0.02)  # a row of another task's: there is nothing else to wait for


@pytest.fixture
async def delivering(database_url: str, letter: Letter, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """The delivery loop as a process has it, looking every few moments instead of every few minutes."""
    monkeypatch.setattr(these, "RETENTION_SECONDS", 0.05)
    monkeypatch.setattr(these, "SPIKES_SECONDS", 0.05)
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        database_url=database_url,
        secret_keys=(KEY,),
        public_url="http://127.0.0.1:8000",
    )
    async with open_dispatcher(settings):
        yield


async def test_what_is_kept_no_longer_goes_and_a_spike_is_told(
    db: Db, letter: Letter, partner: Partner, delivering: None
) -> None:
    now = datetime.now(UTC)
    crowd = [
        signature(
            letter.id, partner.id, f"s{nth}", email=f"s{nth}@d{nth}.example", client="c" * 22,
            created_at=now - timedelta(seconds=60 - nth), confirmed_at=now,
        )
        for nth in range(40)
    ]  # fmt: skip
    old = now - timedelta(days=31)
    forgotten = signature(
        letter.id, partner.id, "old", email="old@example.org", status="pending", created_at=old, confirmed_at=None
    )
    async with db.write() as writer:
        await writer.execute(insert(signatures).values([row._asdict() for row in [forgotten, *crowd]]))

    async def erased() -> bool:
        return await db.value(select(signatures.c.id).where(signatures.c.id == forgotten.id)) is None

    async def told() -> bool:
        return await db.value(select(events.c.id).where(events.c.type == "abuse.spike")) is not None

    async def recorded() -> bool:
        return await db.value(select(audit.c.actor).where(audit.c.action == "retention")) == "retention"

    await until(told)
    if not await erased():  # its turn had come before the row was there: the next hour's comes
        async with db.write() as writer:
            await writer.raw("DELETE FROM revisions WHERE name = 'retention'", ())
    await until(erased)
    await until(recorded)


async def test_a_round_that_fails_comes_again_and_holds_up_no_other() -> None:
    broken, fine, enough = 0, 0, asyncio.Event()

    async def breaks() -> None:
        nonlocal broken
        broken += 1
        raise RuntimeError("a bug")

    async def works() -> None:
        nonlocal fine
        fine += 1
        if broken > 2 and fine > 2:
            enough.set()

    task = asyncio.create_task(go([Round("breaks", 0.01, breaks), Round("works", 0.01, works)]))
    async with asyncio.timeout(30):
        await enough.wait()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
