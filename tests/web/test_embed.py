"""/embed/TOKEN over real HTTP: the widget as a page for a frame, what its address may say, and who may frame it."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import sha256

import brotli
import httpx
import pytest
from sqlalchemy import update

from tests.conftest import Clock, Live
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.flows.letter_status import Verb, change_letter_status
from widget_server.flows.partners import revoke_partner, set_partner
from widget_server.store.revisions import bump_directory
from widget_server.store.tables import letters

BUDGET = 600


@pytest.fixture
async def client(live: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=live.url) as client:
        yield client


def placeholder(page: str) -> str:
    found = re.search(r"<div data-undersigned=[^>]*>", page)
    assert found is not None
    return found[0]


async def test_it_is_the_widget_and_a_link_and_nothing_else(live: Live, client: httpx.AsyncClient, token: str) -> None:
    answer = await client.get(f"/embed/{token}")
    assert answer.status_code == 200
    assert placeholder(answer.text) == f'<div data-undersigned="{token}">'
    assert (
        f'<a href="{live.url}/letters/letter?via={token}" target="_blank">Sign: An Open Letter on Safe Passage</a>'
        in answer.text
    )
    assert f'<script async src="/w/{token}.js"></script>' in answer.text
    assert "noindex" in answer.text
    assert answer.headers["cache-control"] == "public, max-age=300, stale-while-revalidate=300, stale-if-error=86400"


async def test_it_is_small(client: httpx.AsyncClient, token: str) -> None:
    async with client.stream("GET", f"/embed/{token}", headers={"accept-encoding": "br"}) as answer:
        body = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "br"
    assert brotli.decompress(body).startswith(b"<!doctype html>")
    assert len(body) <= BUDGET, len(body)


async def test_any_page_may_frame_it_and_its_policy_names_what_it_runs(
    live: Live, client: httpx.AsyncClient, token: str
) -> None:
    answer = await client.get(f"/embed/{token}?accent=14507a")
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert "frame-ancestors" not in policy
    assert "x-frame-options" not in answer.headers
    assert "unsafe" not in answer.headers["content-security-policy"]
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        found = re.search(rf"<{tag}>(.*?)</{tag}>", answer.text, re.DOTALL)
        assert found is not None
        digest = b64encode(sha256(found[1].encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy[directive]
    assert live.url in policy["script-src"]
    assert live.url in policy["connect-src"]
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["referrer-policy"] == "same-origin"


async def test_a_strict_partner_is_framed_on_its_own_origins_alone(
    live: Live, client: httpx.AsyncClient, letter: Letter, partner: Partner, token: str, clock: Clock
) -> None:
    await set_partner(live.site.db, letter, partner.slug, {"strict_origins": "true"}, now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    policy = (await client.get(f"/embed/{token}")).headers["content-security-policy"]
    assert policy.endswith("frame-ancestors 'self' https://maple.example")


@pytest.mark.parametrize(
    ("query", "attributes"),
    [
        ("source=newsletter-june", ' data-source="newsletter-june"'),
        ("view=list&theme=dark", ' data-view="list" data-theme="dark"'),
        ("hide=title+share+everything", ' data-hide="title share"'),
        ("test", ' data-test=""'),
        ("source=two+words&view=all&theme=pink&hide=x", ""),
        ('source="><script>alert(1)</script>', ""),
        ("prefill-name=Ada&redirect=https://elsewhere.example", ""),
    ],
)
async def test_the_address_says_how_it_is_shown(
    client: httpx.AsyncClient, token: str, query: str, attributes: str
) -> None:
    answer = await client.get(f"/embed/{token}?{query}")
    assert answer.status_code == 200
    assert placeholder(answer.text) == f'<div data-undersigned="{token}"{attributes}>'
    assert "alert(1)" not in answer.text


async def test_its_look_may_be_the_partners(client: httpx.AsyncClient, token: str) -> None:
    page = (await client.get(f"/embed/{token}?accent=%2314507A&field-bg=fff&text=red;}}&radius=8")).text
    assert ":root{--undersigned-accent:#14507a;--undersigned-radius:8px;}</style>" in page


@pytest.mark.parametrize(("theme", "scheme"), [("dark", "dark"), ("", "light"), ("auto", "light dark")])
async def test_the_theme_is_the_frames_own_scheme_too(
    client: httpx.AsyncClient, token: str, theme: str, scheme: str
) -> None:
    assert f'name="color-scheme" content="{scheme}"' in (await client.get(f"/embed/{token}?theme={theme}")).text


async def test_its_language_is_the_address_s_then_the_partners_then_the_letters(
    live: Live, client: httpx.AsyncClient, letter: Letter, partner: Partner, token: str, clock: Clock
) -> None:
    french = await client.get(f"/embed/{token}?lang=fr-CA")
    assert french.text.startswith('<!doctype html>\n<html lang="fr">')
    assert "Signer «\u00a0Lettre ouverte pour un passage sûr\u00a0»" in french.text
    assert '<html lang="en">' in (await client.get(f"/embed/{token}", headers={"accept-language": "fr"})).text
    await set_partner(live.site.db, letter, partner.slug, {"locale": "fr"}, now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    assert '<html lang="fr">' in (await client.get(f"/embed/{token}")).text
    assert '<html lang="en">' in (await client.get(f"/embed/{token}?lang=en")).text


@pytest.mark.parametrize("token_in_path", ["nonsense", "eyJ.x", "{token}x"])
async def test_a_wrong_token_is_told_kindly_wherever_it_is_framed(
    client: httpx.AsyncClient, token: str, token_in_path: str
) -> None:
    answer = await client.get("/embed/" + token_in_path.format(token=token), headers={"accept-language": "fr"})
    assert answer.status_code == 403
    assert "Le formulaire ne peut pas être affiché ici" in answer.text
    assert "frame-ancestors" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("verb", ["pause", "close"])
async def test_that_a_letter_cannot_be_signed_is_the_widgets_to_say(
    live: Live, client: httpx.AsyncClient, token: str, clock: Clock, verb: Verb
) -> None:
    await change_letter_status(live.site.db, "letter", verb, now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    answer = await client.get(f"/embed/{token}")
    assert answer.status_code == 200
    assert placeholder(answer.text) == f'<div data-undersigned="{token}">'


async def test_of_a_draft_nothing_is_shown(live: Live, client: httpx.AsyncClient, letter: Letter, token: str) -> None:

    async with live.site.db.write() as writer:
        await writer.execute(update(letters).values(state="draft"))
        await bump_directory(writer)
    await live.site.directory.refresh(now_please=True)
    answer = await client.get(f"/embed/{token}")
    assert answer.status_code == 404
    assert "The letter is not published yet." in answer.text
    assert "Safe Passage" not in answer.text


async def test_a_revoked_partners_frame_leads_to_the_letter_and_credits_nobody(
    live: Live, client: httpx.AsyncClient, letter: Letter, partner: Partner, token: str, clock: Clock
) -> None:
    await revoke_partner(live.site.db, letter, partner.slug, now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    answer = await client.get(f"/embed/{token}")
    assert answer.status_code == 200
    assert f'<a href="{live.url}/letters/letter" ' in answer.text


async def test_the_script_beside_a_frame_listens_to_us_alone(live: Live, client: httpx.AsyncClient) -> None:
    answer = await client.get("/embed.js")
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"].startswith("public, max-age=300,")
    assert answer.text.endswith(f'("{live.url}");\n')
    pinned = await client.get(f"/{live.site.scripts['embed'].path}")
    assert pinned.content == answer.content
    assert "immutable" in pinned.headers["cache-control"]
