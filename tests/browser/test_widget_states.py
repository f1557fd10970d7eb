"""Every state that a visitor can meet, in both languages: axe finds nothing, nothing overflows a small phone, and what
assistive technology is told is what stands in tests/golden/widget/.

The states that matter most are also shown dark and in forced colours. With UNDERSIGNED_TEST_PICTURES=1, pictures go to
test-results/.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.browser import golden
from tests.browser.conftest import Host, violations
from tests.browser.visitor import fill, fits, send, shot, sign, write
from tests.conftest import Clock, Live
from tests.store import listed
from tests.web.abuse import Serve, serve
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.snippet import snippet
from widget_server.flows.letter_status import change_letter_status
from widget_server.flows.load_letter import load_letter
from widget_server.flows.partners import revoke_partner
from widget_server.store.db import Db

__all__ = ["serve"]
pytestmark = pytest.mark.browser

SOMETHING = re.compile(r"\S")
LOCALES = pytest.mark.parametrize("locale", ["en", "fr"])

Embed = Callable[[Live, str], str]
Open = Callable[..., Awaitable[Page]]


@pytest.fixture
def embed(letter: Letter, partner: Partner, token: str) -> Embed:
    return lambda live, locale: snippet(live.url, letter, partner, token, locale)


@pytest.fixture
def opened(browser: Browser, host: Host) -> Open:
    """Opens a partner's page on a small phone, in a browser that has not been there before."""

    async def at(body: str, locale: str, *, before: Callable[[Page], Awaitable[None]] | None = None) -> Page:
        context = await browser.new_context(viewport={"width": 320, "height": 700})
        page = await context.new_page()
        if before:
            await before(page)
        await page.goto(host.page(body, lang=locale))
        return page

    return at


async def look(page: Page, state: str, locale: str, *, every_way: bool = False) -> None:
    """Nothing is wrong with what is shown now."""
    widget = page.locator("undersigned-letter").first
    golden.compare(f"{state}.{locale}.yml", await golden.outline(widget))
    assert await fits(page), state
    assert await violations(page) == [], state
    await shot(page, f"state-{state}-{locale}")
    if not every_way:
        return
    await page.evaluate("document.body.style.cssText = 'background: #111; color: #eee'")
    await expect(page.locator(".box.dark")).to_be_visible()
    assert await violations(page) == [], f"{state}, dark"
    await shot(page, f"state-{state}-{locale}-dark")
    await page.evaluate("document.body.style.cssText = ''")
    await page.emulate_media(forced_colors="active")
    assert await violations(page) == [], f"{state}, forced colours"
    await shot(page, f"state-{state}-{locale}-forced")
    await page.emulate_media(forced_colors="none")


async def refreshed(live: Live) -> None:
    """What is answered may be half a second old."""
    await live.site.directory.refresh(now_please=True)


async def sign_over_http(live: Live, token: str) -> None:
    async with httpx.AsyncClient(base_url=live.url) as client:
        form = {"token": token, "kind": "individual", "name": "Ada", "email": "ada@example.org", "country": "CA"}
        assert (await client.post("/v1/signatures", data=form)).status_code == 201


@pytest.mark.parametrize(
    ("browser", "locale"), [("chromium", "en"), ("chromium", "fr"), ("firefox", "fr")], indirect=["browser"]
)
async def test_the_way_through_the_form(opened: Open, browser: Browser, live: Live, embed: Embed, locale: str) -> None:
    every_way = browser.browser_type.name == "chromium"
    page = await opened(embed(live, locale), locale)
    await expect(send(page)).to_be_visible()
    await look(page, "person", locale, every_way=every_way)

    read = page.locator(".reading button")
    await read.click()
    await expect(page.locator(".letter strong")).to_be_visible()
    await look(page, "letter-opened", locale)
    await read.click()

    await page.locator("[name=kind][value=organization]").check()
    await look(page, "organization", locale, every_way=every_way)
    await page.locator("[name=kind][value=individual]").check()

    country = page.locator("[name=country]")
    await country.select_option("FR")
    await expect(page.locator("#country-error")).not_to_be_empty()
    await look(page, "uncovered-country", locale)
    await country.select_option("")

    await write(page.locator("[name=email]"), "zoe@@example")
    await send(page).click()
    await expect(page.locator(".errors")).to_be_focused()
    await look(page, "errors", locale, every_way=every_way)

    held: asyncio.Future[Route] = asyncio.get_running_loop().create_future()
    await page.route("**/v1/signatures", lambda route: held.set_result(route))
    await fill(page)
    await send(page).click()
    route = await held
    await expect(page.locator(".status")).not_to_be_empty()
    await look(page, "sending", locale)
    await route.continue_()
    await expect(page.locator(".thanks .landing")).to_be_focused()
    await expect(page.locator(".share")).to_be_visible()
    await look(page, "thanks", locale, every_way=every_way)


@LOCALES
async def test_an_organization_is_thanked(opened: Open, live: Live, embed: Embed, locale: str) -> None:
    page = await opened(embed(live, locale), locale)
    await page.locator("[name=kind][value=organization]").check()
    await page.locator("[name=country]").select_option("US")
    await page.locator("[name=organization]").fill("Harbour & Sons (Local 49)")
    await page.locator("[name=email]").fill("office@harbour.example")
    await page.locator("[name=authorized]").check()
    await look(page, "organization-filled", locale)
    await send(page).click()
    await expect(page.locator(".share")).to_be_visible()
    await look(page, "thanks-organization", locale)


@LOCALES
async def test_check_your_mail_and_mend_the_address(
    opened: Open, live: Live, embed: Embed, db: Db, letter_folder: Path, clock: Clock, locale: str
) -> None:
    toml = letter_folder / "letter.toml"
    toml.write_text(toml.read_text("utf-8").replace('confirmation = "none"', 'confirmation = "email"'), "utf-8")
    await load_letter(db, letter_folder, now=clock(), actor="test")
    await refreshed(live)
    page = await opened(embed(live, locale), locale)
    await fill(page)
    await send(page).click()
    await expect(page.locator(".confirm .landing")).to_be_focused()
    await expect(page.locator(".share")).to_be_visible()
    await look(page, "check-your-mail", locale, every_way=True)
    await page.locator(".confirm button").first.click()
    await expect(page.locator("[name=email]")).to_be_focused()
    await look(page, "mend", locale)


@LOCALES
async def test_while_the_browser_works(opened: Open, serve: Serve, embed: Embed, locale: str) -> None:
    live = await serve(proof_of_work="always")
    asked = asyncio.Event()

    async def endless(route: Route) -> None:
        headers = {"access-control-allow-origin": "*", "content-type": "text/javascript"}
        await route.fulfill(headers=headers, body="export const solve = () => new Promise(() => {});")
        asked.set()

    page = await opened(embed(live, locale), locale, before=lambda page: page.route("**/pow.*.js", endless))
    await fill(page)
    await send(page).click()
    await asked.wait()
    detail = live.site.texts("widget.work.detail", locale)
    await expect(page.locator(".status")).to_have_text(detail)
    await look(page, "proof-of-work", locale)


@LOCALES
async def test_where_there_is_no_form(
    opened: Open, live: Live, embed: Embed, db: Db, letter: Letter, partner: Partner, letter_folder: Path, clock: Clock,
    locale: str,
) -> None:  # fmt: skip
    async def seen(state: str, *, every_way: bool = False) -> None:
        await refreshed(live)
        page = await opened(embed(live, locale), locale)
        await expect(page.locator(".closed")).to_be_visible()
        await expect(send(page)).to_have_count(0)
        focused = "document.activeElement == document.body"
        assert await page.evaluate(focused), "nothing takes the focus that nobody gave"
        await look(page, state, locale, every_way=every_way)

    await change_letter_status(db, letter.slug, "pause", now=clock(), actor="test")
    await seen("paused")
    await change_letter_status(db, letter.slug, "open", now=clock(), actor="test")
    await change_letter_status(db, letter.slug, "close", now=clock(), actor="test")
    await seen("closed", every_way=True)
    await revoke_partner(db, letter, partner.slug, now=clock(), actor="test")
    await change_letter_status(db, letter.slug, "open", now=clock(), actor="test")
    await seen("revoked")


@LOCALES
async def test_not_open_yet(
    opened: Open, live: Live, embed: Embed, db: Db, letter_folder: Path, clock: Clock, locale: str
) -> None:
    toml = letter_folder / "letter.toml"
    later = datetime.now(UTC).year + 1
    toml.write_text(f"opens_at = {later}-03-08T14:00:00Z\n" + toml.read_text("utf-8"), "utf-8")
    await load_letter(db, letter_folder, now=clock(), actor="test")
    await refreshed(live)
    page = await opened(embed(live, locale), locale)
    closed = page.locator(".closed")
    await expect(closed).to_contain_text(str(later))
    await closed.locator("p").first.evaluate(
        "(node, year) => node.textContent = node.textContent.replace(year, 2027)", later
    )
    await look(page, "scheduled", locale)


@LOCALES
async def test_it_closed_while_somebody_wrote(
    opened: Open, live: Live, embed: Embed, db: Db, letter: Letter, clock: Clock, locale: str
) -> None:
    page = await opened(embed(live, locale), locale)
    await fill(page)
    await change_letter_status(db, letter.slug, "close", now=clock(), actor="test")
    await refreshed(live)
    await send(page).click()
    await expect(page.locator(".closed .landing")).to_be_focused()
    await look(page, "closed-meanwhile", locale)


@LOCALES
async def test_out_of_reach_and_too_many(opened: Open, serve: Serve, embed: Embed, token: str, locale: str) -> None:
    live = await serve(rate_limit="1/minute", proof_of_work="off")
    page = await opened(embed(live, locale), locale)
    await page.route("**/v1/signatures", lambda route: route.abort())
    await fill(page)
    await send(page).click()
    await expect(page.locator(".errors")).to_be_focused(timeout=15_000)
    await look(page, "unreachable", locale, every_way=True)
    await page.unroute("**/v1/signatures")

    await sign_over_http(live, token)
    await send(page).click()
    again = page.locator(".errors button")
    await expect(again).to_have_attribute("aria-disabled", "true")
    await expect(page.locator(".errors")).to_be_focused()
    await expect(page.locator("[name=name]")).to_have_value("Zoé Tremblay-O'Neil")
    await look(page, "too-many", locale)


@LOCALES
async def test_trying_the_embed(opened: Open, live: Live, embed: Embed, locale: str) -> None:
    page = await opened(embed(live, locale).replace("<div ", "<div data-test "), locale)
    await expect(page.locator(".test")).to_be_visible()
    await look(page, "test-mode", locale)
    await sign(page)
    await expect(page.locator(".share")).to_be_visible()
    await look(page, "test-mode-thanks", locale)


@LOCALES
async def test_the_other_views(
    opened: Open, live: Live, embed: Embed, db: Db, letter: Letter, token: str, locale: str
) -> None:
    def viewing(view: str) -> str:
        return embed(live, locale).replace("<div ", f'<div data-view="{view}" ')

    page = await opened(viewing("list"), locale)
    notes = page.locator(".list section > .hint")
    await expect(notes).to_have_text([SOMETHING, SOMETHING])
    await look(page, "list-empty", locale)
    await listed.sign(
        db, letter.id,
        {"kind": "organization", "organization": "The Harbour Coalition", "initiator_rank": 0},
        {"name": "Zoé Tremblay-O'Neil", "organization": "Café", "role": "Cook"},
        *({"name": f"Person {number}"} for number in range(60)),
    )  # fmt: skip
    await refreshed(live)
    page = await opened(viewing("list"), locale)
    await expect(page.locator(".list li")).to_have_count(50)
    await expect(page.locator(".list section > .hint")).to_have_text(["", SOMETHING])
    # One name stands for all the others.
    await page.locator(".list ul").first.evaluate("list => list.replaceChildren(...[...list.children].slice(0, 3))")
    await look(page, "list", locale, every_way=True)
    await sign_over_http(live, token)
    await refreshed(live)
    page = await opened(viewing("count"), locale)
    await expect(page.locator(".counter")).to_contain_text("1 ")
    await look(page, "count", locale)


@LOCALES
async def test_before_there_is_anything(opened: Open, live: Live, embed: Embed, locale: str) -> None:
    async def kept_away(page: Page) -> None:
        await page.route("**/w/*.js", lambda route: route.abort())

    page = await opened(embed(live, locale), locale, before=kept_away)
    golden.compare(f"before.{locale}.yml", await golden.outline(page.locator("[data-undersigned]")))
    assert await violations(page) == []
    assert await fits(page)


@LOCALES
async def test_what_a_screen_reader_says(opened: Open, live: Live, embed: Embed, locale: str) -> None:
    page = await opened(embed(live, locale), locale)
    await expect(send(page)).to_be_visible()
    golden.compare(f"spoken-person.{locale}.txt", await golden.spoken(page))
    await page.locator("[name=kind][value=organization]").check()
    await page.locator("[name=country]").select_option("FR")
    await send(page).click()
    await expect(page.locator(".errors")).to_be_focused()
    golden.compare(f"spoken-errors-organization.{locale}.txt", await golden.spoken(page))
