"""The schema has one history, equal to the tables, and it is safe to run by several at once."""

from __future__ import annotations

import asyncio

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from widget_server.store import migrate as migrations
from widget_server.store.db import Db
from widget_server.store.tables import metadata


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
