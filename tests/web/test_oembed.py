"""/oembed over real HTTP, as WordPress and others ask it."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import update

from tests.conftest import Clock, Live
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.snippet import height
from widget_server.flows.letter_status import change_letter_status
from widget_server.flows.partners import revoke_partner, set_partner
from widget_server.store.revisions import bump_directory
from widget_server.store.tables import letters


@pytest.fixture
async def client(live: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=live.url) as client:
        yield client


async def asked(client: httpx.AsyncClient, url: str, **more: str) -> dict[str, object]:
    answer = await client.get("/oembed", params={"url": url, **more})
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert isinstance(document, dict)
    return document


def source(document: dict[str, object]) -> str:
    """The frame's address."""
    found = re.search(r' src="([^"]+)"', str(document["html"]))
    assert found is not None
    return html.unescape(found[1])


async def test_it_is_a_frame_that_credits_the_partner(
    live: Live, client: httpx.AsyncClient, letter: Letter, partner: Partner, token: str
) -> None:
    document = await asked(client, f"{live.url}/letters/letter?via={token}&source=blog", format="json")
    assert {key: document[key] for key in ("version", "type", "provider_name", "provider_url", "title")} == {
        "version": "1.0",
        "type": "rich",
        "provider_name": "Undersigned",
        "provider_url": live.url,
        "title": "An Open Letter on Safe Passage",
    }
    assert (document["width"], document["height"]) == (610, height(letter, partner) + 2)
    assert document["cache_age"] == 3600
    assert source(document) == f"{live.url}/embed/{token}?source=blog"
    assert (await client.get(source(document))).status_code == 200


async def test_what_wordpress_leaves_of_it_is_still_the_frame(live: Live, client: httpx.AsyncClient) -> None:
    """Its `wp_filter_oembed_result` takes the first frame that is closed at once, and these attributes alone."""
    markup = str((await asked(client, f"{live.url}/letters/letter"))["html"])
    frame = re.search(r"(<blockquote>.*?</blockquote>)?.*(<iframe.*?></iframe>)", markup, re.DOTALL)
    assert frame is not None
    assert frame[2] == markup
    assert frame[1] is None
    for name in ("src", "width", "height", "title", "frameborder"):
        assert re.search(rf' {name}="[^"]+"', markup)


@pytest.mark.parametrize(
    ("limits", "size"),
    [
        ({"maxwidth": "320"}, (320, None)),
        ({"maxwidth": "320", "maxheight": "400"}, (320, 400)),
        ({"maxwidth": "5000", "maxheight": "9000"}, (610, None)),
        ({"maxwidth": "wide", "maxheight": "-1"}, (610, None)),
        ({"maxwidth": "0", "maxheight": "९"}, (610, None)),
    ],
)
async def test_it_is_no_larger_than_the_page_allows(
    live: Live, client: httpx.AsyncClient, letter: Letter, limits: dict[str, str], size: tuple[int, int | None]
) -> None:
    document = await asked(client, f"{live.url}/letters/letter", **limits)
    house = await live.site.directory.house(letter)
    width, tall = size[0], size[1] or height(letter, house) + 2
    assert (document["width"], document["height"]) == (width, tall)
    assert f'width="{width}" height="{tall}"' in str(document["html"])


async def test_the_language_is_the_address_s_else_the_partners(
    live: Live, client: httpx.AsyncClient, letter: Letter, partner: Partner, token: str, clock: Clock
) -> None:
    for url in (f"{live.url}/fr/letters/letter/?via={token}", f"{live.url}/letters/letter?locale=fr&via={token}"):
        document = await asked(client, url)
        assert source(document) == f"{live.url}/embed/{token}?lang=fr"
        assert document["title"] == "Lettre ouverte pour un passage sûr"
        assert 'title="Signer «\u00a0Lettre' in str(document["html"])
    await set_partner(live.site.db, letter, partner.slug, {"locale": "fr"}, now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    document = await asked(client, f"{live.url}/letters/letter?via={token}")
    assert document["title"] == "Lettre ouverte pour un passage sûr"
    assert source(document) == f"{live.url}/embed/{token}"


async def test_a_revoked_token_credits_the_house(
    live: Live, client: httpx.AsyncClient, letter: Letter, partner: Partner, token: str, clock: Clock
) -> None:
    await revoke_partner(live.site.db, letter, partner.slug, now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    address = source(await asked(client, f"{live.url}/letters/letter?via={token}"))
    credit = await live.site.directory.credit(urlsplit(address).path.rpartition("/")[2])
    assert credit.partner.is_house


@pytest.mark.parametrize(
    "url",
    [
        "", "nonsense", "{url}", "{url}/", "{url}/letters/other", "{url}/letters/letter/signatories", "{url}/w/x.js",
        "https://elsewhere.example/letters/letter", "//127.0.0.1/letters/letter",
        "{url}@elsewhere.example/letters/letter",
        "{url}.elsewhere.example/letters/letter", "ftp://127.0.0.1/letters/letter", "{url}/de/letters/letter",
        "{url}/letters/letter%00", "http://[::1/letters/letter", "javascript:alert(1)",
    ],
)  # fmt: skip
async def test_strangers_get_nothing(live: Live, client: httpx.AsyncClient, url: str) -> None:
    answer = await client.get("/oembed", params={"url": url.format(url=live.url)})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_without_an_address_there_is_nothing(client: httpx.AsyncClient) -> None:
    assert (await client.get("/oembed")).status_code == 404


async def test_another_format_is_not_provided(live: Live, client: httpx.AsyncClient) -> None:
    answer = await client.get("/oembed", params={"url": f"{live.url}/letters/letter", "format": "xml"})
    assert answer.status_code == 501
    assert answer.json()["code"] == "format_not_provided"


async def test_the_hosted_letter_leads_there(live: Live, client: httpx.AsyncClient, token: str) -> None:
    async def discovered(path: str) -> str:
        page = (await client.get(path)).text
        found = re.search(r'<link rel="alternate" type="application/json\+oembed" href="([^"]+)"', page)
        assert found is not None
        return html.unescape(found[1])

    link = await discovered(f"/letters/letter?via={token}&source=blog")
    assert parse_qs(urlsplit(link).query)["url"] == [f"{live.url}/letters/letter?via={token}&source=blog"]
    assert source((await client.get(link)).json()) == f"{live.url}/embed/{token}?source=blog"
    french = source((await client.get(await discovered(f"/fr/letters/letter?via={token}"))).json())
    assert french == f"{live.url}/embed/{token}?lang=fr"
    asked_for = source((await client.get(await discovered(f"/letters/letter?locale=fr&via={token}"))).json())
    assert asked_for == french


async def test_a_closed_letter_is_still_shown_and_a_draft_never(
    live: Live, client: httpx.AsyncClient, token: str, clock: Clock
) -> None:
    await change_letter_status(live.site.db, "letter", "close", now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    assert (await client.get("/oembed", params={"url": f"{live.url}/letters/letter"})).status_code == 200

    async with live.site.db.write() as writer:
        await writer.execute(update(letters).values(state="draft"))
        await bump_directory(writer)
    await live.site.directory.refresh(now_please=True)
    assert (await client.get("/oembed", params={"url": f"{live.url}/letters/letter"})).status_code == 404
