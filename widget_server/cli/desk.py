"""What every command gets: the settings, a database at this version, and one way to answer and to fail.

One thing must stay true: results go to standard output, problems to standard error, one line each.
"""

from __future__ import annotations

import asyncio
import functools
import getpass
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ParamSpec

import typer

from widget_server.domain.names import has_forbidden_characters
from widget_server.domain.refusals import Invalid, Problems, Refusal
from widget_server.domain.tokens import Seals
from widget_server.domain.vault import Vault
from widget_server.flows.directory import Directory
from widget_server.flows.turn import Turns
from widget_server.i18n import Texts
from widget_server.logs import configure_logs
from widget_server.settings import Settings, read_settings
from widget_server.store.db import DRIVER_ERRORS, Db
from widget_server.store.migrate import migrate

P = ParamSpec("P")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value and nothing else.")]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Desk:
    """`actor` is who gives the command, for the audit log."""

    settings: Settings
    db: Db
    seals: Seals
    texts: Texts
    directory: Directory
    now: Callable[[], datetime]
    actor: str

    @property
    def turns(self) -> Turns:
        """For changes to signatures. A running server notices the events by itself."""
        return Turns(self.db, Vault(self.settings.secret_keys), self.now)


@asynccontextmanager
async def desk() -> AsyncIterator[Desk]:
    """A desk for one command. Raises `Problems` where the settings are wrong or the database is out of reach."""
    settings = read_settings()
    db = Db(settings.database_url)
    try:
        await db.connect()
        await migrate(db)
    except DRIVER_ERRORS as error:
        raise Problems([f"the database of UNDERSIGNED_DATABASE_URL cannot be used: {error}"]) from error
    try:
        seals = Seals(settings.secret_keys)
        yield Desk(settings, db, seals, Texts(), Directory(db, seals), utc_now, _actor())
    finally:
        await db.disconnect()


def _actor() -> str:
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # no such user in this container
        return "cli"


def command(function: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Runs an async command. What is wrong goes to standard error, one line a problem, exit status 1."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        configure_logs()
        if problems := _no_text(kwargs):
            fail(problems)
        try:
            asyncio.run(_awaited(function(*args, **kwargs)))
        except Problems as error:
            fail(error.problems)
        except Refusal as refusal:
            fail(_sentences(refusal))
        except KeyboardInterrupt:
            raise typer.Exit(130) from None

    return run


def _no_text(given: Mapping[str, Any]) -> list[str]:
    """Arguments that no database takes. Paths may be any bytes."""
    return [
        f"{name.strip('_')}: this has control characters in it, or is not UTF-8"
        for name, value in given.items()
        if any(
            isinstance(one, str) and has_forbidden_characters(one)
            for one in (value if isinstance(value, list) else [value])
        )
    ]


async def _awaited(awaitable: Awaitable[None]) -> None:
    await awaitable


def _sentences(refusal: Refusal) -> list[str]:
    if isinstance(refusal, Invalid):
        return [f"{error.field}: {error.code}" for error in refusal.errors]
    return [Texts()(f"refusal.{refusal.code}", "en", **refusal.values)]


def fail(problems: Iterable[str]) -> None:
    for problem in problems:
        print(problem, file=sys.stderr)
    raise typer.Exit(1)


def say(value: Any, as_json: bool, human: str | Iterable[str]) -> None:
    """Prints the result: as one JSON value, or for a person."""
    if as_json:
        print(json.dumps(value, ensure_ascii=False))
    else:
        for line in [human] if isinstance(human, str) else human:
            print(line)
