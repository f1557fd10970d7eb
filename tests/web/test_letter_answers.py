"""What a form without script is answered: thanks, or the form again with everything that was typed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Clock, Live
from tests.web.reading import EVIL, PAGE, Elements, drawn, fresh, status
from widget_server.domain.letters import Letter
from widget_server.domain.refusals import TooMany
from widget_server.domain.tokens import open_attribution
from widget_server.flows.partners import revoke_partner


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """A page tells nothing about engines: one is enough here."""
    return f"sqlite:///{tmp_path}/undersigned.db"


@pytest.fixture
async def http(live: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=live.url, headers=PAGE) as client:
        yield client


async def test_a_person_signs_without_script(http: httpx.AsyncClient, live: Live) -> None:
    fields = await drawn(http) | {
        "name": EVIL.replace("'x'", "X"),
        "email": "zoe@example.org",
        "country": "CA",
    }
    answer = await http.post("/v1/signatures", data=fields)
    assert answer.status_code == 201
    page = Elements(answer.text)
    assert page.all("html", lang="fr")
    assert "Merci. Votre signature compte." in page.text
    assert "Votre signature est la première." in page.text
    assert "Votre nom paraîtra dans la liste publique" in page.text
    assert page.all("input", readonly="", value=f"{live.url}/fr/letters/letter")
    assert answer.headers["cache-control"] == "no-store"
    again = await http.post("/v1/signatures", data=fields)
    assert again.status_code == 200
    assert "Vous avez signé cette lettre." in Elements(again.text).text
    await fresh(live)
    listed = await http.get("/fr/letters/letter")
    assert "1 signature" in Elements(listed.text).text
    assert EVIL.replace("'x'", "X") in Elements(listed.text).text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"kind": "individual", "name": "Ana", "public": "false"}, "your name is not shown"),
        (
            {"kind": "organization", "organization": "Harbour", "authorized": "true"},
            "once the authors of the letter have",
        ),
    ],
)
async def test_where_the_name_appears(http: httpx.AsyncClient, more: dict[str, str], said: str) -> None:
    fields = await drawn(http, "/en/letters/letter") | {"email": "a@example.org", "country": "US"} | more
    answer = await http.post("/v1/signatures", data=fields)
    assert answer.status_code == 201
    assert said in Elements(answer.text).text


async def test_errors_keep_what_was_typed(http: httpx.AsyncClient) -> None:
    sent = await drawn(http, "/fr/letters/letter?source=abc") | {
        "kind": "organization",
        "organization": EVIL,
        "email": "not an address",
        "country": "US",
        "organization_website": "ftp://x",
        "contact_opt_in": "true",
    }
    answer = await http.post("/v1/signatures", data=sent)
    assert answer.status_code == 422
    page = Elements(answer.text)
    assert page.all("html", lang="fr")
    assert "Erreur – Lettre ouverte" in unescape(re.findall("<title>(.*?)</title>", answer.text)[0])
    summary = answer.text.partition('id="errors"')[2].partition("</ul>")[0]
    assert re.findall(r'href="#(\w+)"', summary) == ["organization_website", "email", "authorized"]
    for field in ("organization_website", "email", "authorized"):
        (control,) = page.all("input", id=field)
        assert control["aria-invalid"] == "true"
        assert f"{field}-error" in control["aria-describedby"].split()
        assert [a for _, a in page.tags if a.get("id") == f"{field}-error"]
    assert page.field("organization") == EVIL
    assert page.field("email") == "not an address"
    assert page.all("option", value="US", selected="")
    assert page.all("input", value="organization", checked="")
    assert page.all("input", id="contact_opt_in", checked="")
    assert not page.all("input", id="public", checked="")
    for name in ("token", "id", "source", "page", "locale"):
        assert page.field(name) == sent[name]
    assert not page.all("script")


async def test_a_revoked_partners_form_comes_back_for_the_house(
    http: httpx.AsyncClient, live: Live, letter: Letter, token: str, clock: Clock
) -> None:
    fields = await drawn(http, f"/fr/letters/letter?via={token}")
    fields |= {"name": "Zoé", "email": "zoe@example.org", "country": "CA"}
    await revoke_partner(live.site.db, letter, "maple", now=clock(), actor="test")
    await fresh(live)
    answer = await http.post("/v1/signatures", data=fields)
    assert answer.status_code == 403
    page = Elements(answer.text)
    assert page.field("name") == "Zoé"
    assert open_attribution(live.site.seals, page.field("token")).partner == "house"
    assert (await http.post("/v1/signatures", data=fields | {"token": page.field("token")})).status_code == 201


async def test_a_forged_token_is_told_in_the_readers_language(http: httpx.AsyncClient) -> None:
    fields = {"token": "forged", "locale": "fr"}
    answer = await http.post("/v1/signatures", data=fields)
    assert answer.status_code == 403
    assert "jeton d’attribution" in Elements(answer.text).text


async def test_paused_and_closed_answers(http: httpx.AsyncClient, live: Live, clock: Clock) -> None:
    fields = await drawn(http) | {"name": "Zoé", "email": "zoe@example.org", "country": "CA"}
    await status(live, clock, "pause")
    paused = await http.post("/v1/signatures", data=fields)
    assert paused.status_code == 409
    assert Elements(paused.text).field("name") == "Zoé"
    await status(live, clock, "close")
    closed = await http.post("/v1/signatures", data=fields)
    assert closed.status_code == 409
    assert not Elements(closed.text).all("form")
    assert "La lettre est close." in Elements(closed.text).text


async def test_too_many_and_unavailable_keep_what_was_typed(
    http: httpx.AsyncClient, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = await drawn(http) | {"name": "Zoé", "email": "zoe@example.org", "country": "CA"}

    def over(*_: Any, **__: Any) -> None:
        raise TooMany("too_many", retry_after_seconds=7)

    with monkeypatch.context() as patch:
        patch.setattr(type(live.site.signing.gate), "admit", over)
        limited = await http.post("/v1/signatures", data=fields)
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    assert Elements(limited.text).field("name") == "Zoé"
    await live.site.ingest.stop()
    unavailable = await http.post("/v1/signatures", data=fields)
    assert unavailable.status_code == 503
    assert unavailable.headers["retry-after"]
    assert Elements(unavailable.text).field("id") == fields["id"]
    assert "Votre signature n’est pas encore enregistrée." in Elements(unavailable.text).text
    await live.site.ingest.start()
    assert (await http.post("/v1/signatures", data=fields)).status_code == 201
