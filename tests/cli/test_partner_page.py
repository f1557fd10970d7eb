"""`undersigned partner show`: the address of the webmaster's page, and the pinned snippet, as a server answers them."""

from __future__ import annotations

import asyncio
import json
import re
from base64 import b64encode
from hashlib import sha384
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from tests.conftest import KEY, Live
from widget_server.__main__ import app
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner


@pytest.fixture
def show(live: Live, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    """A command line with the settings of the server that runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNDERSIGNED_DATABASE_URL", live.settings.database_url)
    monkeypatch.setenv("UNDERSIGNED_SECRET_KEYS", KEY)
    monkeypatch.setenv("UNDERSIGNED_PUBLIC_URL", live.url)
    return CliRunner()


async def invoked(runner: CliRunner, *arguments: str) -> str:
    """What a command prints; it has an event loop of its own, so it runs in a thread."""

    result = await asyncio.to_thread(runner.invoke, app, list(arguments))
    assert result.exit_code == 0, (result.stderr, result.exception)
    return result.stdout


async def test_the_address_and_the_pinned_snippet_hold(
    live: Live, show: CliRunner, letter: Letter, partner: Partner
) -> None:
    shown = json.loads(await invoked(show, "partner", "show", letter.slug, partner.slug, "--json"))
    async with httpx.AsyncClient() as client:
        page = await client.get(shown["install_url"])
        assert page.status_code == 200
        assert partner.name in page.text
        pinned = re.search(r'src="([^"]+)" integrity="([^"]+)"', shown["pinned_snippet"])
        assert pinned is not None
        script = await client.get(pinned[1])
    assert pinned[2] == f"sha384-{b64encode(sha384(script.content).digest()).decode()}"
    assert "immutable" in script.headers["cache-control"]


async def test_people_read_the_address_until_the_partner_is_revoked(
    live: Live, show: CliRunner, letter: Letter, partner: Partner
) -> None:
    said = await invoked(show, "partner", "show", letter.slug, partner.slug)
    assert re.search(rf"^{live.url}/install/\S+$", said, re.MULTILINE)
    assert "integrity" not in said
    await invoked(show, "partner", "revoke", letter.slug, partner.slug)
    assert "/install/" not in await invoked(show, "partner", "show", letter.slug, partner.slug)


async def test_a_partner_is_added_with_its_page(live: Live, show: CliRunner, letter: Letter) -> None:
    said = await invoked(
        show, "partner", "add", letter.slug, "oak", "--name", "Oak House", "--origin", "https://oak.example"
    )
    assert re.search(rf"^{live.url}/install/\S+$", said, re.MULTILINE)
