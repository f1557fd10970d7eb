"""Brings the database to this version: one history for both engines, in one transaction, one process at a time.

One thing must stay true: a migration that fails leaves the database as it was.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, event, text
from sqlalchemy.engine import make_url

from widget_server.store.db import DRIVER_ERRORS, Db

# Alembic and SQLAlchemy's engines are needed once in a version's life: imported then, not at every command's start.
if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy.ext.asyncio import AsyncEngine

HEAD = "0006"
"""The newest version: when the database has it, Alembic need not be asked. A test holds it equal."""

_LOCK = 0x756E6465  # any number of our own: an advisory lock, so that two servers starting together take turns


async def version(db: Db) -> str | None:
    """The version that the database has, or None for an empty one."""
    try:
        found = await db.value(text("SELECT version_num FROM alembic_version"))
    except DRIVER_ERRORS:
        return None
    return None if found is None else str(found)


async def migrate(db: Db) -> None:
    """Safe to call at every start, by several processes at once."""
    if await version(db) != HEAD:
        engine = _engine(db)
        try:
            async with engine.begin() as connection:
                if db.engine == "postgresql":
                    await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
                await connection.run_sync(upgrade)
        finally:
            await engine.dispose()


def upgrade(connection: Connection) -> None:
    from alembic import command

    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def alembic_config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _engine(db: Db) -> AsyncEngine:
    from sqlalchemy.ext.asyncio import create_async_engine

    if db.engine == "postgresql":
        return create_async_engine(make_url(db.url).set(drivername="postgresql+asyncpg"))
    engine = create_async_engine(f"sqlite+aiosqlite:///{db.path}")

    @event.listens_for(engine.sync_engine, "connect")
    def _hands_off(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # else the driver commits before DDL
        connection.execute("PRAGMA busy_timeout=10000")
        connection.execute("PRAGMA journal_mode=WAL")

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
