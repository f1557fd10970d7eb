"""The schema has one history, equal to the tables, and it is safe to run by several at once."""

from __future__ import annotations

import asyncio

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select

from tests.flows.staff import STAFF, turns
from tests.flows.test_merge import for_
from tests.outbox.conftest import Sign
from widget_server.domain.letters import Letter
from widget_server.flows.merge import merge
from widget_server.flows.turn import Turns
from widget_server.store import migrate as migrations
from widget_server.store.db import Db
from widget_server.store.tables import metadata, signers

__all__ = ["turns"]


async def test_history_and_tables_agree(empty_database_url: str) -> None:
    db = Db(empty_database_url)
    await db.connect()
    await migrations.migrate(db)

    def difference(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))

    engine = migrations._engine(db)
    async with engine.begin() as connection:
        found = await connection.run_sync(difference)
    await engine.dispose()
    await db.disconnect()
    assert found == []


def test_head_is_the_newest_version() -> None:
    script = ScriptDirectory.from_config(migrations.alembic_config())
    assert script.get_current_head() == migrations.HEAD


async def test_two_at_once_are_safe(empty_database_url: str) -> None:
    both = [Db(empty_database_url), Db(empty_database_url)]
    for db in both:
        await db.connect()
    await asyncio.gather(*(migrations.migrate(db) for db in both))
    assert [await migrations.version(db) for db in both] == [migrations.HEAD] * 2
    for db in both:
        await db.disconnect()


async def test_places_go_back_to_those_who_took_them(db: Db, letter: Letter, sign: Sign, turns: Turns) -> None:
    """Before, the one that others were merged into had theirs."""
    keep, other = await sign(**for_(letter, "Aid", "a")), await sign(**for_(letter, "The Aid Inc.", "b"))
    await merge(turns, letter, keep, [other], STAFF)

    async def places() -> list[tuple[str, bool]]:
        rows = await db.all(select(signers.c.signature_id, signers.c.alias))
        return sorted((row["signature_id"], bool(row["alias"])) for row in rows)

    def back(connection: Connection) -> None:
        config = migrations.alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0005")

    after = await places()
    engine = migrations._engine(db)
    async with engine.begin() as connection:
        await connection.run_sync(back)
    await engine.dispose()
    assert await places() == [(keep, False), (keep, True)]
    await migrations.migrate(db)
    assert await places() == after == [(keep, False), (other, False)]
