"""A transaction as a generator: it yields statements, is sent their answers, and returns its result.

Written once, it runs on both engines. One thing must stay true: on SQLite a whole plan runs in the connection's own
thread, without returning to the event loop between two statements, which under load costs a turn each.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Sequence, Sized
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar, cast

from widget_server.store.tables import instant_text

T = TypeVar("T")

Engine = Literal["sqlite", "postgresql"]


@dataclass(frozen=True, slots=True)
class Do:
    """A step of a plan: a statement that answers with the number of rows it touched."""

    sql: str
    values: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """A step of a plan: a statement that answers with its rows, as tuples."""

    sql: str
    values: Sequence[Any] = ()


Plan = Generator[Do | Ask, Any, T]
"""A transaction as a generator: it yields steps, is sent their answers, and returns its result. Written once, it
runs on SQLite without returning to the event loop between two statements, which under load costs a turn each."""


def instant(engine: Engine, value: datetime) -> Any:
    """A time as the driver of this engine takes it in prepared text."""
    return value if engine == "postgresql" else instant_text(value)


def marks(values: Sized) -> str:
    """A question mark for each value."""
    return ", ".join("?" * len(values))


def carry_out(connection: sqlite3.Connection, plan: Plan[T]) -> T:
    """A whole plan in the connection's own thread: BEGIN IMMEDIATE, its steps, COMMIT."""
    connection.execute("BEGIN")
    try:
        answer: Any = None
        while True:
            step = plan.send(answer)
            cursor = connection.execute(step.sql, step.values)
            answer = cursor.fetchall() if isinstance(step, Ask) else cursor.rowcount
    except StopIteration as end:
        try:
            connection.execute("COMMIT")
        except sqlite3.Error:
            _rollback(connection)
            raise
        return cast(T, end.value)
    except BaseException:
        _rollback(connection)
        raise


def _rollback(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # some errors, a full disk among them, have rolled back already
        connection.execute("ROLLBACK")


_numbered: dict[str, str] = {}


def numbered(sql: str) -> str:
    """`?` becomes `$1`, `$2`, …, as PostgreSQL wants it. The text must hold no other question mark."""
    found = _numbered.get(sql)
    if found is None:
        first, *rest = sql.split("?")
        found = first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))
        if len(_numbered) < 2000:
            _numbered[sql] = found
    return found
