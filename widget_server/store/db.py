"""The database: reads as they come, writes one at a time over one held connection.

One thing must stay true: no row object of a driver leaves the store; reads return plain dicts.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import asyncpg
from databases import Database
from databases.core import Connection
from sqlalchemy.sql import ClauseElement
from typing_extensions import override

from widget_server.domain.refusals import Unavailable
from widget_server.store.plans import Ask, Do, Engine, Plan, T, carry_out, instant, numbered

Row = dict[str, Any]

BUSY_SECONDS = 10
CLOSE_SECONDS = 3

DRIVER_ERRORS = (
    sqlite3.Error,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # asked on a line of which the server has just said that it ends
    OSError,
    TimeoutError,
)
"""What the drivers raise: databases hands them through."""

INTEGRITY_ERRORS = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    OverflowError,
    UnicodeError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.DataError,
)
"""The row's own fault: another row may well pass."""

DEADLOCK_ERRORS = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""Two transactions waited for each other: the same work may well pass a moment later."""
DEADLOCK_TRIES = 5


class _SQLite(sqlite3.Connection):
    """Sets what each connection needs and takes the write lock at BEGIN.

    A deferred BEGIN that turns into a write later fails with "database is locked" whenever somebody wrote meanwhile.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("timeout", BUSY_SECONDS)
        super().__init__(*args, **kwargs)
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "temp_store=MEMORY",
            "secure_delete=ON",
        ):
            super().execute(f"PRAGMA {pragma}")

    @override
    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        return super().execute("BEGIN IMMEDIATE" if sql == "BEGIN" else sql, *args)


class Db:
    """One database, SQLite or PostgreSQL, by its URL."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = url
        self.engine: Engine = "sqlite" if parts.scheme == "sqlite" else "postgresql"
        if self.engine == "sqlite":
            self._database = Database(url, factory=_SQLite)
        else:
            self._database = Database(url, min_size=1, max_size=10)
        self._writer: Connection | None = None
        self._turn = asyncio.Lock()

    @property
    def path(self) -> Path | None:
        """The SQLite file, or None on PostgreSQL."""
        return Path(self._database.url.database) if self.engine == "sqlite" else None

    async def connect(self) -> None:
        """Opens it; a SQLite file and its folder are made, readable by nobody else."""
        path = self.path
        if path is not None and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        await self._database.connect()

    async def disconnect(self) -> None:
        async with self._turn:
            await self._drop_writer()
        if self._database.is_connected:
            try:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._database.disconnect()
            except TimeoutError:
                pass  # a server that does not hang up: asyncpg has dropped the lines when it was interrupted

    async def all(self, query: ClauseElement) -> list[Row]:
        return [_row(record) for record in await self._database.fetch_all(query)]

    async def one(self, query: ClauseElement) -> Row | None:
        record = await self._database.fetch_one(query)
        return None if record is None else _row(record)

    async def value(self, query: ClauseElement) -> Any:
        record = await self._database.fetch_one(query)
        return None if record is None else record[0]

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Writer]:
        """One transaction on the held connection; writers of this process take turns.

        Raises `Unavailable` when the connection cannot be had; other driver errors come as they are and leave
        nothing behind.
        """
        async with self._turn:
            try:
                connection = await self._held()
                transaction = await connection.transaction()
            except DRIVER_ERRORS as error:
                await self._drop_writer()
                raise Unavailable() from error
            except BaseException:  # cancelled in the middle: BEGIN may stand open on the held connection
                await self._drop_writer()
                raise
            try:
                yield Writer(connection, self.engine)
            except BaseException:
                try:
                    await transaction.rollback()
                except DRIVER_ERRORS:
                    await self._drop_writer()
                raise
            try:
                await transaction.commit()
            except DRIVER_ERRORS as error:
                await self._drop_writer()
                raise Unavailable() from error

    async def again(self, work: Callable[[Writer], Awaitable[T]]) -> T:
        """One transaction that does `work`, done anew where PostgreSQL ended it because two of them waited for
        each other. Raises as `write` does."""
        tries = DEADLOCK_TRIES
        while True:
            tries -= 1
            try:
                async with self.write() as writer:
                    return await work(writer)
            except DEADLOCK_ERRORS as error:
                if not tries:
                    raise Unavailable() from error

    async def transact(self, plan: Plan[T]) -> T:
        """Runs a plan as one transaction. Driver errors come as they are and leave nothing behind.

        Raises `Unavailable` when the connection cannot be had.
        """
        if self.engine == "postgresql":
            async with self.write() as writer:
                return await writer.play(plan)
        async with self._turn:
            try:
                raw = (await self._held()).raw_connection
            except DRIVER_ERRORS as error:
                raise Unavailable() from error
            return cast(T, await raw._execute(carry_out, raw._conn, plan))

    async def at_once(self, work: Callable[[Writer], Coroutine[Any, Any, T]]) -> T:
        """One transaction that does `work`, which waits for nothing but the writer, and asks it in prepared text only.
        On SQLite all of it runs in the connection's own thread, without returning to the event loop between two
        statements. Driver errors come as they are and leave nothing behind.

        Raises `Unavailable` when the connection cannot be had.
        """
        if self.engine == "postgresql":
            async with self.write() as writer:
                return await work(writer)
        async with self._turn:
            try:
                connection = await self._held()
            except DRIVER_ERRORS as error:
                raise Unavailable() from error
            raw = connection.raw_connection
            writer = _InThread(connection, self.engine, raw._conn)
            return cast(T, await raw._execute(carry_out, raw._conn, _driven(work(writer))))

    async def _held(self) -> Connection:
        if self._writer is None:
            writer = Connection(self._database, self._database._backend)
            await writer.__aenter__()
            self._writer = writer
        return self._writer

    async def _drop_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                await writer._connection.release()
            except DRIVER_ERRORS:
                pass  # it was broken already, and a new one is opened at the next write


class Writer:
    """A transaction under way. `raw*` take prepared text, with `?` for each value, for the hot path."""

    def __init__(self, connection: Connection, engine: Engine) -> None:
        self._connection = connection
        self._engine: Engine = engine

    @property
    def engine(self) -> Engine:
        return self._engine

    async def all(self, query: ClauseElement) -> list[Row]:
        return [_row(record) for record in await self._connection.fetch_all(query)]

    async def one(self, query: ClauseElement) -> Row | None:
        record = await self._connection.fetch_one(query)
        return None if record is None else _row(record)

    async def value(self, query: ClauseElement) -> Any:
        record = await self._connection.fetch_one(query)
        return None if record is None else record[0]

    async def execute(self, query: ClauseElement) -> None:
        await self._connection.execute(query)

    async def raw(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Runs prepared text and returns its rows as tuples, in the driver's own types."""
        raw = self._connection.raw_connection
        if self._engine == "sqlite":
            return [tuple(row) for row in await raw.execute_fetchall(sql, values)]
        return [tuple(row) for row in await raw.fetch(numbered(sql), *values)]

    async def raw_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        raw = self._connection.raw_connection
        if self._engine == "sqlite":
            await raw.executemany(sql, rows)
        else:
            await raw.executemany(numbered(sql), rows)

    async def play(self, plan: Plan[T]) -> T:
        """Runs a plan within this transaction."""
        answer: Any = None
        try:
            while True:
                step = plan.send(answer)
                answer = await self._answer(step)
        except StopIteration as end:
            return cast(T, end.value)

    async def _answer(self, step: Do | Ask) -> Any:
        raw = self._connection.raw_connection
        if self._engine == "sqlite":
            cursor = await raw.execute(step.sql, step.values)
            answer = await cursor.fetchall() if isinstance(step, Ask) else cursor.rowcount
            await cursor.close()
            return answer
        sql = numbered(step.sql)
        if isinstance(step, Ask):
            return [tuple(row) for row in await raw.fetch(sql, *step.values)]
        tag = (await raw.execute(sql, *step.values)).rpartition(" ")[2]
        return int(tag) if tag.isdigit() else 0

    def instant(self, value: datetime) -> Any:
        """A time as the driver of this engine takes it in prepared text."""
        return instant(self._engine, value)


class _InThread(Writer):
    """The writer within the connection's own thread: nothing is waited for, since nobody else is there."""

    def __init__(self, connection: Connection, engine: Engine, held: sqlite3.Connection) -> None:
        super().__init__(connection, engine)
        self._held = held

    @override
    async def raw(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._held.execute(sql, values).fetchall()

    @override
    async def raw_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        self._held.executemany(sql, rows)

    @override
    async def _answer(self, step: Do | Ask) -> Any:
        cursor = self._held.execute(step.sql, step.values)
        return cursor.fetchall() if isinstance(step, Ask) else cursor.rowcount


def _driven(work: Coroutine[Any, Any, T]) -> Plan[T]:
    """A coroutine that waits for nothing, as a plan without steps of its own."""
    try:
        work.send(None)
    except StopIteration as end:
        return cast(T, end.value)
    work.close()
    raise RuntimeError("it waits for something else than the writer")
    yield  # which makes it a generator: its work is done when it is asked for its first step


def _row(record: Any) -> Row:
    return {key: _plain(record[key]) for key in record.keys()}  # noqa: SIM118  iterating a Record is not the same


def _plain(value: Any) -> Any:
    return str(value) if type(value).__name__ == "UUID" else value
