"""The views `list` and `count`: names page by page, found by a part, and how they follow along."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.async_api import Browser, Page, Request, expect

from tests.browser.conftest import Host
from tests.conftest import Live
from tests.store.listed import sign
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.snippet import snippet

pytestmark = pytest.mark.browser

PACE = 36_000
"""Milliseconds: the longest between two looks."""


class Watched:
    """A page, and the conditional and other requests to the API that it made."""

    def __init__(self, page: Page, live: Live) -> None:
        self.page = page
        self.asked: list[Request] = []
        page.on("request", lambda request: self.asked.append(request) if request.url.startswith(live.url) else None)

    def paths(self) -> list[str]:
        """What was asked for since the last time, without the letter's address in front."""
        asked, self.asked = self.asked, []
        return [request.url.partition("/v1/letters/letter")[2].partition("&")[0] for request in asked]

    async def later(self, milliseconds: int = PACE) -> None:
        await self.page.clock.fast_forward(milliseconds)


async def opened(browser: Browser, live: Live, url: str) -> Watched:
    page = await (await browser.new_context(viewport={"width": 700, "height": 900})).new_page()
    await page.clock.install()
    watched = Watched(page, live)
    await page.goto(url)
    return watched


@pytest.fixture
def embed(live: Live, letter: Letter, partner: Partner, token: str) -> str:
    return snippet(live.url, letter, partner, token, "en").replace("<div ", '<div data-view="VIEW" ')


async def put(live: Live, letter: Letter, *names: str, statement: str = "ca") -> None:
    """Straight into the tables, past the counts."""
    await sign(live.site.db, letter.id, *({"name": name, "statement": statement} for name in names))
    await live.site.directory.refresh(now_please=True)


async def signs(live: Live, token: str, name: str) -> None:
    form = {"token": token, "kind": "individual", "name": name, "email": f"{name}@example.org", "country": "CA"}
    async with httpx.AsyncClient(base_url=live.url) as client:
        assert (await client.post("/v1/signatures", data=form)).status_code == 201
    await live.site.directory.refresh(now_please=True)


async def test_names_come_page_by_page_and_are_found(
    browser: Browser, host: Host, live: Live, letter: Letter, embed: str
) -> None:
    await put(live, letter, *(f"Person {number:02}" for number in range(60)), "Éloïse Bélanger")
    await put(live, letter, "Zoë", statement="us")
    page = (await opened(browser, live, host.page(embed.replace("VIEW", "list")))).page
    canada, states = (page.locator("section").nth(number) for number in range(2))
    await expect(canada.get_by_role("listitem")).to_have_count(50)
    await expect(states.get_by_role("listitem")).to_have_text(["Zoë"])
    await expect(states.get_by_role("button")).to_have_count(0)

    await page.get_by_role("button", name="Show more names").press("Enter")
    await expect(canada.get_by_role("listitem")).to_have_count(61)
    await expect(canada.get_by_role("listitem").nth(50)).to_be_focused()
    await expect(page.get_by_role("button", name="Show more names")).to_have_count(0)

    search = page.get_by_label("Find a name")
    await search.fill("belang")
    await page.clock.fast_forward(400)
    await expect(canada.get_by_role("listitem")).to_have_text(["Éloïse Bélanger"])
    await expect(states.get_by_role("status")).to_have_text("No such name here.")
    await search.fill("")
    await page.clock.fast_forward(400)
    await expect(canada.get_by_role("listitem")).to_have_count(50)
    await expect(states.get_by_role("status")).to_have_text("")


async def test_the_initiators_are_marked(browser: Browser, host: Host, live: Live, letter: Letter, embed: str) -> None:
    harbour = {"kind": "organization", "organization": "The Harbour Coalition", "initiator_rank": 0}
    await sign(live.site.db, letter.id, {"name": "Ada"}, harbour)
    await live.site.directory.refresh(now_please=True)
    page = (await opened(browser, live, host.page(embed.replace("VIEW", "list")))).page
    names = page.locator("section").first.get_by_role("listitem")
    await expect(names).to_have_text([re.compile("^The Harbour Coalition.*author of the letter$"), "Ada"])
    page = (await opened(browser, live, host.page(embed.replace("VIEW", "list"), lang="fr"))).page
    await expect(page.get_by_role("listitem").first).to_contain_text("à l’origine de la lettre")


async def test_what_changed_is_shown_and_what_is_open_stays_open(
    browser: Browser, host: Host, live: Live, letter: Letter, embed: str, token: str
) -> None:
    await put(live, letter, *(f"Person {number:02}" for number in range(55)))
    watched = await opened(browser, live, host.page(embed.replace("VIEW", "list")))
    page = watched.page
    names = page.locator("section").first.get_by_role("listitem")
    await page.get_by_role("button", name="Show more names").click()
    await expect(names).to_have_count(55)
    watched.paths()

    async with page.expect_request(lambda request: "?locale=en" in request.url) as asked:
        await watched.later()
    assert "if-none-match" in await (await asked.value).all_headers()
    await expect(names).to_have_count(55)
    assert not [path for path in watched.paths() if path.startswith("/signatories")], "nothing changed: no name is read"

    await signs(live, token, "Newest")
    await watched.later()
    await expect(names).to_have_count(56)
    await expect(names.last).to_have_text("Newest")
    await expect(page.locator(".counter")).to_contain_text("1 signature")


async def test_nobody_is_asked_for_what_nobody_looks_at(
    browser: Browser, host: Host, live: Live, letter: Letter, embed: str, token: str
) -> None:
    far = "<div style='height:3000px'></div>"
    watched = await opened(browser, live, host.page(far + embed.replace("VIEW", "count")))
    page = watched.page
    await expect(page.locator(".counter")).to_contain_text("0 signatures")
    await expect(page.locator(".list")).to_be_attached()
    await page.wait_for_load_state("networkidle")
    watched.paths()
    await signs(live, token, "Ada")
    await watched.later(10 * PACE)
    await page.wait_for_load_state("networkidle")
    assert watched.paths() == []

    await page.locator(".box").scroll_into_view_if_needed()
    await expect(page.locator(".counter")).to_contain_text("1 signature")
    assert watched.paths() == ["?locale=en"]

    await signs(live, token, "Grace")
    await watched.later(PACE // 2)
    assert watched.paths() == [], "at most every half minute"
    await hide(page, hidden=True)
    await watched.later(10 * PACE)
    assert watched.paths() == []
    await hide(page, hidden=False)
    await expect(page.locator(".counter")).to_contain_text("2 signatures")

    watched.paths()
    await page.evaluate("document.querySelector('[data-undersigned]').remove()")
    await watched.later(10 * PACE)
    assert watched.paths() == []


async def hide(page: Page, *, hidden: bool) -> None:
    """As if another tab were in front: no browser without a head does that by itself."""
    await page.evaluate(
        """hidden => { Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange")) }""",
        hidden,
    )


async def test_a_server_that_is_away_leaves_what_is_shown(
    browser: Browser, host: Host, live: Live, letter: Letter, embed: str, token: str
) -> None:
    await signs(live, token, "Ada")
    watched = await opened(browser, live, host.page(embed.replace("VIEW", "list")))
    page = watched.page
    await expect(page.get_by_role("listitem")).to_have_text(["Ada"])
    await page.route("**/v1/letters/**", lambda route: route.abort())
    async with page.expect_event("requestfailed"):
        await watched.later()
    await expect(page.get_by_role("listitem")).to_have_text(["Ada"])
    await page.unroute("**/v1/letters/**")
    await signs(live, token, "Grace")
    await watched.later()
    await expect(page.get_by_role("listitem")).to_have_text(["Ada", "Grace"])
