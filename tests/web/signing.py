"""What the tests of the signer's pages share: a letter that confirms by mail, a server on a clock, links as mails
carry them, and every row there is, to see that nothing has changed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from tests.conftest import KEY, Clock, Live, free_socket, served
from tests.outbox.conftest import sign_many
from tests.web.reading import PAGE, Elements
from widget_server.app import create_app
from widget_server.domain.letters import Letter
from widget_server.domain.links import LinkPurpose, link_url
from widget_server.domain.partners import Partner
from widget_server.domain.signatures import Signature
from widget_server.settings import Settings
from widget_server.store.db import Db
from widget_server.store.signatures import find_signature
from widget_server.store.tables import metadata, signature_counts

PENDING: dict[str, Any] = {"status": "pending", "confirmed_at": None, "locale": "en"}

MakeSignature = Callable[..., Awaitable[str]]
LinkTo = Callable[..., str]


@pytest.fixture
def letter_folder(letter_folder: Path) -> Path:
    """The letter confirms by mail, and asks for a city and a comment."""
    settings = letter_folder / "letter.toml"
    text = settings.read_text("utf-8").replace('confirmation = "none"', 'confirmation = "email"')
    settings.write_text(f'{text}\n[fields]\ncity = "optional"\ncomment = "optional"\n', "utf-8")
    return letter_folder


@pytest.fixture
async def live(database_url: str, letter: Letter, partner: Partner, clock: Clock) -> AsyncIterator[Live]:
    """The server on a clock that stands still; it delivers nothing."""
    bound = free_socket()
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        database_url=database_url,
        secret_keys=(KEY,),
        public_url=f"http://127.0.0.1:{bound.getsockname()[1]}",
        rate_limit="off",
    )
    app = create_app(settings, dispatch=False, now=clock)
    async with served(app, bound) as url:
        yield Live(url, settings, app.state.site)


@pytest.fixture
async def http(live: Live) -> AsyncIterator[httpx.AsyncClient]:
    """A browser of somebody who reads German first: the language of a page is the signature's, not theirs."""
    async with httpx.AsyncClient(base_url=live.url, headers=PAGE | {"accept-language": "de"}) as client:
        yield client


@pytest.fixture
def signed(db: Db, letter: Letter, partner: Partner, clock: Clock) -> MakeSignature:
    """A signature that waits for its confirmation, through `maple`, in English; gives its id."""

    async def make(**changes: Any) -> str:
        (id_,) = await sign_many(db, letter, partner, clock, [PENDING | changes])
        return id_

    return make


@pytest.fixture
def confirmed(http: httpx.AsyncClient, signed: MakeSignature, link: LinkTo) -> MakeSignature:
    """The same, confirmed by its link."""

    async def make(**changes: Any) -> str:
        id_ = await signed(**changes)
        assert (await http.post(link("confirm", id_))).status_code == 200
        return id_

    return make


@pytest.fixture
def link(live: Live, letter: Letter, clock: Clock) -> LinkTo:
    """The path of a link as a mail has it: `link("confirm", id)`, sealed `at` (now)."""

    def path(purpose: LinkPurpose, id_: str, rest: str = "", at: datetime | None = None) -> str:
        return link_url("", live.site.seals, purpose, id_, at or clock(), letter.id) + rest

    return path


async def every_row(db: Db) -> dict[str, list[Any]]:
    """All tables, but for what no reader can see: the wordings of consent boxes are kept as soon as they are drawn."""
    tables = [table for table in metadata.sorted_tables if table.name != "consent_wordings"]
    return {table.name: sorted(map(repr, await db.all(select(table)))) for table in tables}


async def stored(db: Db, id_: str) -> Signature:
    found = await find_signature(db, id_)
    assert found is not None
    return found


async def total(db: Db) -> int:
    return sum(row["number"] for row in await db.all(select(signature_counts.c.number)))


def without_tokens(text: str) -> str:
    """A page with its sealed parts blanked out, to compare it with another's."""
    return re.sub(r"[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{43}", "SEAL", text)


def links_of(page: str) -> list[str]:
    return [a["href"] for a in Elements(page).all("a")]


def facts_of(page: str) -> list[tuple[str, str]]:
    """Every line of what is kept: its name and its value."""
    found = re.findall(r"<dt>(.*?)</dt><dd[^>]*>(.*?)</dd>", page, re.DOTALL)
    return [(unescape(name), unescape(value).strip()) for name, value in found]


def said(page: str) -> str:
    """What a page says, in one line."""
    return " ".join(Elements(page).text.split())
