"""/install/SEALED over real HTTP: what a partner's webmaster finds there, and what the page keeps to itself."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from tests.conftest import KEY, Clock, Live, free_socket, served
from tests.outbox.conftest import sign_many
from widget_server.app import create_app
from widget_server.domain.ids import new_id
from widget_server.domain.install_pages import install_url
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.flows.letter_status import Verb, change_letter_status
from widget_server.flows.partners import revoke_partner, rotate_partner, set_partner
from widget_server.flows.sightings import Sightings
from widget_server.settings import Settings
from widget_server.store.db import Db
from widget_server.store.sightings import sightings_of


@pytest.fixture
async def live(database_url: str, letter: Letter, partner: Partner, clock: Clock) -> AsyncIterator[Live]:
    """The server on a clock that stands still; it delivers nothing."""
    bound = free_socket()
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        database_url=database_url,
        secret_keys=(KEY,),
        public_url=f"http://127.0.0.1:{bound.getsockname()[1]}",
    )
    app = create_app(settings, dispatch=False, now=clock)
    async with served(app, bound) as url:
        yield Live(url, settings, app.state.site)


@pytest.fixture
async def client(live: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=live.url) as client:
        yield client


@pytest.fixture
def address(live: Live, letter: Letter, partner: Partner) -> str:
    return install_url(live.url, live.site.seals, letter, partner)


def boxes(page: str) -> dict[str, str]:
    """What can be copied, by its id."""
    return {
        id_: html.unescape(text)
        for id_, text in re.findall(r'<textarea id="([\w-]+)"[^>]*>(.*?)</textarea>', page, re.DOTALL)
    }


def facts(page: str, after: str) -> list[tuple[str, str]]:
    """The rows of the table behind a heading, as text."""
    table = page[page.index(after) :].partition("</table>")[0].partition("<tbody>")[2]
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    cells = [
        [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)]
        for row in rows
    ]
    return [(cell[0], cell[-1]) for cell in cells]


async def test_every_way_credits_the_partner_and_can_be_copied_without_a_script(
    live: Live,
    client: httpx.AsyncClient,
    address: str,
    token: str,
) -> None:
    answer = await client.get(address)
    assert answer.status_code == 200
    found = boxes(answer.text)
    for id_ in ("snippet", "wordpress-paste", "wordpress-script", "wordpress-block", "wix", "google", "frame", "pinned",
                "list", "count", "drupal-link", "link"):  # fmt: skip
        assert token in found[id_], id_
    assert found["frame"].startswith(f'<iframe data-undersigned-frame src="{live.url}/embed/{token}"')
    assert 'data-view="list"' in found["list"]
    library = live.site.scripts["widget"]
    assert f'src="{live.url}/{library.path}" integrity="{library.integrity}" crossorigin="anonymous"' in found["pinned"]
    assert found["policy-script"] == f"script-src {live.url}\nconnect-src {live.url}"
    assert found["policy-frame"] == f"frame-src {live.url}"
    height = re.search(r"min-height:(\d+)px", found["snippet"])
    assert height is not None
    assert found["rule"] == f".undersigned-form {{\n  min-height: {height[1]}px;\n}}"
    assert found["classed"] == found["snippet"].replace(f'style="{height[0]}"', 'class="undersigned-form"')


async def test_it_keeps_its_address_to_itself(client: httpx.AsyncClient, address: str) -> None:
    answer = await client.get(address)
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert 'name="robots" content="noindex' in answer.text
    frame = re.search(r'<iframe class="install-preview"[^>]*>', answer.text)
    assert frame is not None
    assert 'referrerpolicy="no-referrer"' in frame[0]
    assert address.rpartition("/")[2] not in answer.text


async def test_it_speaks_both_languages(client: httpx.AsyncClient, address: str) -> None:
    french = await client.get(address, headers={"accept-language": "fr-CA"})
    assert '<html lang="fr">' in french.text
    assert "Mettre la lettre sur votre site" in french.text
    english = await client.get(f"{address}?locale=en", headers={"accept-language": "fr-CA"})
    assert "Put the letter on your site" in english.text


@pytest.mark.parametrize("sealed", ["nonsense", "{token}", "a.b"])
async def test_only_the_seal_for_it_opens_it(client: httpx.AsyncClient, token: str, sealed: str) -> None:
    answer = await client.get("/install/" + sealed.format(token=token))
    assert answer.status_code == 404
    assert "is not one of ours" in answer.text


async def test_its_seal_signs_nothing(live: Live, client: httpx.AsyncClient, address: str) -> None:
    sealed = address.rpartition("/")[2]
    assert (await client.get(f"/v1/widget/{sealed}")).status_code == 403
    assert (await client.get(f"/embed/{sealed}")).status_code == 403


async def test_it_outlives_a_rotation_and_ends_with_the_partner(
    live: Live,
    client: httpx.AsyncClient,
    letter: Letter,
    partner: Partner,
    address: str,
    token: str,
    clock: Clock,
) -> None:
    await rotate_partner(live.site.db, letter, partner.slug, now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    page = (await client.get(address)).text
    assert token not in page
    await revoke_partner(live.site.db, letter, partner.slug, now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    answer = await client.get(address)
    assert answer.status_code == 410
    assert "no longer takes part" in answer.text


@pytest.mark.parametrize(
    ("verb", "said"), [("pause", "Signing is paused."), ("close", "The letter is closed.")],
)  # fmt: skip
async def test_it_says_how_the_letter_stands(
    live: Live,
    client: httpx.AsyncClient,
    address: str,
    clock: Clock,
    verb: Verb,
    said: str,
) -> None:
    await change_letter_status(live.site.db, "letter", verb, now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    assert said in (await client.get(address)).text


async def test_numbers_by_day_source_and_page_and_nobodys_name(
    live: Live,
    client: httpx.AsyncClient,
    db: Db,
    letter: Letter,
    partner: Partner,
    address: str,
    clock: Clock,
) -> None:
    yesterday = clock() - timedelta(days=1)
    house = await live.site.directory.house(letter)
    one = {"source": "blog", "page": "https://maple.example/a", "created_at": clock(), "confirmed_at": clock()}
    waiting = {**one, "status": "pending", "confirmed_at": None}
    many = [
        *[one] * 3,
        {"source": None, "page": None, "created_at": yesterday, "confirmed_at": yesterday},
        *[waiting] * 2,
        *[{**one, "test": True}] * 4,
        *[{**waiting, "quarantine": "honeypot"}] * 5,
        {**one, "partner_id": house.id},
    ]
    await sign_many(db, letter, partner, clock, many)
    await live.site.directory.refresh(now_please=True)
    page = (await client.get(address)).text
    assert facts(page, "By day") == [("June 20, 2026", "3"), ("June 19, 2026", "1")]
    assert facts(page, "By source") == [("blog", "3"), ("no tag", "1")]
    assert facts(page, "By page") == [("https://maple.example/a", "3"), ("not known", "1")]
    assert re.search(r"<dt>Through you</dt><dd>4</dd>\s*<dt>Not confirmed yet</dt><dd>2</dd>", page)
    assert "<dt>Everywhere</dt><dd>5</dd>" in page
    assert "Gagné" not in page


async def seen(live: Live, client: httpx.AsyncClient, path: str, **headers: str) -> None:
    await client.get(path, headers=headers)
    await live.site.sightings.write()


async def test_where_it_was_seen(
    live: Live,
    client: httpx.AsyncClient,
    partner: Partner,
    address: str,
    token: str,
    clock: Clock,
) -> None:
    assert "It has not been seen yet." in (await client.get(address)).text
    await seen(live, client, f"/w/{token}.js", referer="https://maple.example/secret/path?with=query")
    clock.advance(120)
    await seen(live, client, f"/embed/{token}", referer="https://staging.maple.example/")
    await seen(live, client, f"/v1/widget/{token}", origin="https://maple.example", referer="https://else.example/")
    page = (await client.get(address)).text
    assert "It was last loaded on June 20, 2026, 12:02 UTC" in page or "last loaded on June 20, 2026, 12:02 UTC" in page
    assert {where for where, _ in facts(page, "First seen")} == {
        "https://maple.example",
        "https://staging.maple.example not on your list",
    }
    assert "secret" not in page
    assert boxes(page)["command"] == (
        "undersigned partner set letter maple 'origins=https://maple.example https://staging.maple.example'"
    )


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null"},
        {"referer": "about:blank"},
        {"referer": "http://[::1"},
        {"referer": "javascript:alert(1)"},
    ],
)
async def test_what_says_nothing_is_no_sighting(
    live: Live,
    client: httpx.AsyncClient,
    partner: Partner,
    token: str,
    headers: dict[str, str],
) -> None:
    await seen(live, client, f"/w/{token}.js", **headers)
    await seen(live, client, f"/w/{token}.js", referer=f"{live.url}/embed/{token}")
    assert await sightings_of(live.site.db, partner.id) == []


async def test_an_origin_is_written_once_a_minute(
    live: Live,
    client: httpx.AsyncClient,
    partner: Partner,
    token: str,
    clock: Clock,
) -> None:
    first = clock()
    for seconds, last in ((0, 0), (59, 0), (1, 60)):
        clock.advance(seconds)
        await seen(live, client, f"/w/{token}.js", referer="https://maple.example/")
        found = await sightings_of(live.site.db, partner.id)
        assert [(one.first_seen_at, one.last_seen_at) for one in found] == [(first, first + timedelta(seconds=last))]


async def test_made_up_origins_are_few_and_never_push_out_the_partners_own(
    db: Db, letter: Letter, partner: Partner, clock: Clock
) -> None:
    """On two servers, the second of which knows nothing of what the first has seen."""
    servers = [Sightings(db, "https://letters.example", clock) for _ in range(2)]
    servers[0].saw(partner, "https://maple.example")
    await servers[0].write()
    for name, server in zip("ab", servers, strict=True):
        clock.advance(1)
        for number in range(80):
            server.saw(partner, f"https://{name}{number}.example")
        await server.write()
    kept = {sighting.origin for sighting in await sightings_of(db, partner.id)}
    assert kept == {"https://maple.example", *(f"https://b{number}.example" for number in range(50))}
    clock.advance(3600)
    servers[0].saw(partner, "https://later.example")
    await servers[0].write()
    assert "https://later.example" in {sighting.origin for sighting in await sightings_of(db, partner.id)}


async def test_what_was_seen_is_written_by_itself_and_at_the_end(
    db: Db, letter: Letter, partner: Partner, clock: Clock
) -> None:
    sightings = Sightings(db, None, clock)
    task = asyncio.create_task(sightings.run())
    sightings.saw(partner, "https://maple.example")
    async with asyncio.timeout(20):
        while not await sightings_of(db, partner.id):
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})


async def test_a_strict_partner_reads_that_strangers_are_refused(
    live: Live,
    client: httpx.AsyncClient,
    letter: Letter,
    partner: Partner,
    address: str,
    token: str,
    clock: Clock,
) -> None:
    await set_partner(live.site.db, letter, partner.slug, {"strict_origins": "true"}, now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    await seen(live, client, f"/w/{token}.js", referer="https://stage.example/")
    assert "Signatures from sites that are not on your list are refused." in (await client.get(address)).text


async def test_what_a_partner_wrote_stays_text(
    live: Live,
    client: httpx.AsyncClient,
    letter: Letter,
    partner: Partner,
    address: str,
    clock: Clock,
) -> None:
    name = f"</textarea><script>{new_id()}</script>"
    await set_partner(live.site.db, letter, partner.slug, {"name": name}, now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    page = (await client.get(address)).text
    assert name not in page
    assert html.escape(name) in page
