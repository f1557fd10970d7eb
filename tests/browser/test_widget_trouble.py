"""What goes wrong between a visitor and the server: nothing typed is lost, and nobody signs twice."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from playwright.async_api import Browser, Page, Route, expect
from sqlalchemy import select

from tests.browser.conftest import Host
from tests.browser.visitor import fill, send
from tests.conftest import Live
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.snippet import snippet
from widget_server.store.db import Db
from widget_server.store.tables import signatures

pytestmark = pytest.mark.browser

POSTS = "**/v1/signatures"


@pytest.fixture
def embed(live: Live, letter: Letter, partner: Partner, token: str) -> str:
    return snippet(live.url, letter, partner, token, "en")


async def opened(browser: Browser, url: str, *, clock: bool = False, before: str = "") -> Page:
    page = await (await browser.new_context()).new_page()
    if clock:
        await page.clock.install()
    if before:
        await page.add_init_script(before)
    await page.goto(url)
    return page


async def thanked(page: Page) -> None:
    await expect(page.get_by_role("heading", name="Thank you")).to_be_focused()


async def rows(db: Db) -> list[dict[str, Any]]:
    return await db.all(select(signatures).order_by(signatures.c.seq))


def id_of(route: Route) -> str:
    return parse_qs(route.request.post_data or "")["id"][0]


async def test_no_answer_in_time_is_asked_for_again(browser: Browser, host: Host, embed: str, db: Db) -> None:
    page = await opened(browser, host.page(embed), clock=True)
    sent: list[str] = []

    async def lose_the_first_answer(route: Route) -> None:
        sent.append(id_of(route))
        if len(sent) > 1:
            await route.continue_()
            return
        await route.fetch()  # it arrives, and is stored; but nobody hears of it

    await page.route(POSTS, lose_the_first_answer)
    await fill(page)
    async with page.expect_request(POSTS):
        await send(page).click()
    status = page.locator(".status")
    await expect(status).to_have_text("Sending…")
    await page.clock.fast_forward(5_000)
    await expect(status).to_have_text("Still sending…")
    async with page.expect_event("requestfailed"):
        await page.clock.fast_forward(10_000)
    await page.clock.fast_forward(1_300)
    await thanked(page)
    assert len(sent) == 2
    assert [row["id"] for row in await rows(db)] == [sent[0]] == [sent[1]]


async def test_too_many_says_how_long_and_then_it_goes(browser: Browser, host: Host, embed: str, db: Db) -> None:
    page = await opened(browser, host.page(embed), clock=True)
    answer = {
        "status": 429,
        "headers": {
            "access-control-allow-origin": "*",
            "access-control-expose-headers": "Retry-After",
            "retry-after": "75",
        },
        "json": {"title": "Please wait a moment.", "status": 429},
    }
    await page.route(POSTS, lambda route: route.fulfill(**answer))
    await fill(page)
    await send(page).click()
    errors = page.locator(".errors")
    await expect(errors).to_be_focused()
    await expect(errors).to_contain_text("Please wait a moment.")
    again = errors.get_by_role("button")
    await expect(again).to_have_text("Try again (1:15)")
    await expect(again).to_be_disabled()
    assert await again.evaluate(
        """button => { const said = document.createRange(); said.selectNode(button.previousSibling);
        return said.getBoundingClientRect().bottom <= button.getBoundingClientRect().top }"""
    ), "on a line of its own, however short the sentence"
    await page.unroute(POSTS)
    await again.click(force=True)
    await page.clock.run_for(15_000)
    await expect(again).to_have_text("Try again (1:00)")
    assert await rows(db) == []
    await page.clock.run_for(60_000)
    await expect(again).to_have_text("Try again")
    await again.click()
    await thanked(page)


async def test_without_the_second_script_one_still_signs(browser: Browser, host: Host, embed: str, db: Db) -> None:
    page = await opened(browser, host.page(embed))
    await page.route("**/more.*.js*", lambda route: route.abort())
    await page.get_by_role("button", name="Read the letter").click()
    await expect(page.locator(".letter").get_by_role("link", name="own page")).to_be_visible()
    await page.get_by_label("Country").select_option("FR")
    await fill(page)
    await send(page).click()
    await thanked(page)
    assert len(await rows(db)) == 1


async def test_what_failed_to_load_is_asked_for_again(browser: Browser, host: Host, embed: str) -> None:
    page = await opened(browser, host.page(embed))
    await page.route("**/more.*.js*", lambda route: route.abort())
    read = page.get_by_role("button", name="Read the letter")
    await read.click()
    await expect(page.locator(".letter").get_by_role("link")).to_be_visible()
    await page.unroute("**/more.*.js*")
    await read.click()
    await read.click()
    await expect(page.locator(".letter strong")).to_have_text("safety")
    await expect(page.locator(".letter").get_by_role("link", name="own page")).to_have_count(0)


async def test_the_servers_own_words_for_a_page_that_is_away(
    browser: Browser, host: Host, embed: str, live: Live, token: str
) -> None:
    page = await opened(browser, host.page(embed))
    posted: list[str] = []

    async def gone(route: Route) -> None:
        posted.append(id_of(route))
        await route.abort("connectionrefused")

    await page.route(POSTS, gone)
    await fill(page)
    await send(page).click()
    errors = page.locator(".errors")
    await expect(errors).to_be_focused(timeout=10_000)
    await expect(errors).to_have_accessible_name("There is a problem")
    await expect(errors.get_by_role("link")).to_have_attribute("href", f"{live.url}/letters/letter?via={token}")
    assert len(posted) == 2
    assert posted[0] == posted[1]


PREFILLED = "undersigned.name=Zo%C3%A9+O%27Neil&undersigned.email=zoe%40example.org&undersigned.country=US"


@pytest.mark.parametrize(
    ("fragment", "left"),
    [
        (PREFILLED, ""),
        (f"part-2&{PREFILLED}", "#part-2"),
        (f"{PREFILLED}&undersigned.postal-code=%ZZ&/route", "#/route"),
    ],
)
async def test_prefilled_by_a_fragment_that_is_gone_at_once(
    browser: Browser, host: Host, embed: str, fragment: str, left: str
) -> None:
    page = await opened(browser, f"{host.page(embed)}?a=b#{fragment}")
    name = page.get_by_label("Your name")
    await expect(name).to_have_value("Zoé O'Neil")
    await expect(page.get_by_label("E-mail")).to_have_value("zoe@example.org")
    await expect(page.get_by_text("based in the United States")).to_be_visible()
    assert page.url == f"{host.url}/?a=b{left}"
    await name.fill("Zoé")
    await page.evaluate("document.documentElement.lang = 'fr'")
    await expect(page.get_by_label("Votre nom")).to_have_value("Zoé")


async def test_a_query_fills_in_nothing(browser: Browser, host: Host, embed: str) -> None:
    query = "undersigned.name=Ada&prefill-name=Ada&name=Ada"
    page = await opened(browser, f"{host.page(embed)}?{query}#undersigned.email=a@example.org")
    await expect(page.get_by_label("E-mail")).to_have_value("a@example.org")
    await expect(page.get_by_label("Your name")).to_have_value("")
    assert page.url.endswith(f"?{query}")


async def test_a_prefilled_country_far_down_the_list(browser: Browser, host: Host, embed: str) -> None:
    page = await opened(browser, host.page(embed.replace("<div ", '<div data-prefill-country="ZW" ')))
    country = page.get_by_label("Country")
    await expect(country).to_have_value("ZW")
    await expect(country).to_have_accessible_description("This letter is for people and organizations in other "
                                                         "countries. It has no statement for Zimbabwe.")  # fmt: skip


async def test_a_page_that_turns_dark_takes_the_widget_along(browser: Browser, host: Host, embed: str) -> None:
    style = "<style>.night { background: #111; color: #eee } :root { color-scheme: light dark }</style>"
    page = await opened(browser, host.page(style + embed))
    await page.get_by_label("Your name").fill("Ada")
    box = page.locator(".box")
    await expect(box).to_have_css("color-scheme", "light")
    await page.evaluate("document.body.className = 'night'")
    await expect(box).to_have_css("color-scheme", "dark")
    await expect(page.get_by_label("Your name")).to_have_value("Ada")
    await expect(page.get_by_label("Your name")).to_be_focused()
    await page.evaluate("document.body.className = ''")
    await expect(box).to_have_css("color-scheme", "light")
    await page.emulate_media(color_scheme="dark")
    await expect(box).to_have_css("color-scheme", "dark")


async def test_each_way_of_sharing_has_a_source_of_its_own(
    browser: Browser, host: Host, embed: str, live: Live, token: str
) -> None:
    share = "Object.defineProperty(navigator, 'share', { value: async (what) => void (window.shared = what) })"
    page = await opened(browser, host.page(embed), before=share)
    await fill(page)
    await send(page).click()
    await thanked(page)
    link = f"{live.url}/letters/letter?via={token}&source="
    box = page.locator(".share")
    await expect(box.get_by_role("textbox")).to_have_value(f"{link}copy")
    await box.get_by_role("button", name="Share…").click()
    assert await page.evaluate("window.shared") == {
        "title": "An Open Letter on Safe Passage",
        "text": "I have signed this letter. Will you?",
        "url": f"{link}native",
    }
    mail = await box.get_by_role("link").get_attribute("href")
    assert mail is not None
    said = parse_qs(mail.partition("?")[2])
    assert said["subject"] == ["An Open Letter on Safe Passage"]
    assert said["body"] == [f"I have signed this letter. Will you?\n\n{link}mail"]
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{link}copy")).status_code == 200
