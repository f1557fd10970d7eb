"""Work in a real browser: under every policy that a partner's page may have, and without the page noticing."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from playwright.async_api import Browser, Page, Request, expect

from tests.browser.conftest import Host
from tests.conftest import Live
from tests.web.abuse import Serve, serve
from tests.web.test_sign import rows
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.snippet import snippet
from widget_server.domain.tokens import Attribution, seal_attribution
from widget_server.store.db import Db

__all__ = ["serve"]
pytestmark = pytest.mark.browser

Embed = Callable[[Live], str]


@pytest.fixture
def embed(letter: Letter, partner: Partner, token: str) -> Embed:
    """The snippet, without the inline style that a strict policy refuses."""
    return lambda live: re.sub(r' style="[^"]*"', "", snippet(live.url, letter, partner, token, "en"))


class Watched:
    """A page, what it asked the server for, and what its console said."""

    def __init__(self, page: Page, server: str) -> None:
        self.page = page
        self.asked: list[Request] = []
        self.said: list[str] = []
        page.on("request", lambda request: self.asked.append(request) if request.url.startswith(server) else None)
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))

    @property
    def posts(self) -> list[dict[str, list[str]]]:
        return [parse_qs(request.post_data or "") for request in self.asked if request.method == "POST"]

    @property
    def solvers(self) -> list[str]:
        return [request.url for request in self.asked if "/pow." in request.url]


async def opened(browser: Browser, live: Live, url: str) -> Watched:
    page = await (await browser.new_context()).new_page()
    watched = Watched(page, live.url)
    await page.goto(url)
    return watched


async def sign(place: Any, name: str = "Ada") -> None:
    await place.get_by_label("Country").select_option("CA")
    await place.get_by_label("Your name").fill(name)
    await place.get_by_label("E-mail").fill(f"{name.lower()}@example.org")
    await place.get_by_role("button", name="Sign the letter").click()


def refusals(watched: Watched) -> list[str]:
    """What the console said, but for the answer 429, which browsers report by themselves."""
    return [one for one in watched.said if "429" not in one]


async def test_it_works_and_says_so_and_sends_the_same_signature(
    browser: Browser, host: Host, serve: Serve, embed: Embed, db: Db
) -> None:
    live = await serve(proof_of_work="always")
    watched = await opened(browser, live, host.page(embed(live)))
    page = watched.page
    await page.evaluate(
        """() => { window.seen = []; const root = document.querySelector("undersigned-letter").shadowRoot;
        new MutationObserver(() => { const said = root.querySelector(".status").textContent;
        if (said && seen.at(-1) != said) seen.push(said) }).observe(root, { subtree: true, childList: true }) }"""
    )
    assert watched.solvers == [], "nobody pays for what is not asked for"
    await sign(page)
    await expect(page.get_by_role("heading", name="Thank you")).to_be_focused()
    assert await page.evaluate("seen") == ["Sending…", "One moment: your browser is doing a short sum."]
    first, second = watched.posts
    assert first["id"] == second["id"]
    assert "pow" not in first
    (row,) = await rows(db)
    assert (row["id"], row["quarantine"]) == (first["id"][0], None)
    assert len(watched.solvers) == 1
    assert refusals(watched) == []


async def test_a_client_over_its_window_works_instead_of_waiting(
    browser: Browser, host: Host, serve: Serve, embed: Embed, db: Db, token: str
) -> None:
    live = await serve(rate_limit="1/minute")
    async with httpx.AsyncClient(base_url=live.url) as client:
        form = {"token": token, "kind": "individual", "name": "Zoë", "email": "zoe@example.org", "country": "CA"}
        assert (await client.post("/v1/signatures", data=form)).status_code == 201
    watched = await opened(browser, live, host.page(embed(live)))
    await sign(watched.page)
    await expect(watched.page.get_by_role("heading", name="Thank you")).to_be_visible()
    assert [row["name"] for row in await rows(db)] == ["Zoë", "Ada"]


STRICT = "default-src 'none'; script-src {url}; connect-src {url}; style-src 'none'; img-src data:"
POLICIES = {
    "strict": STRICT,
    "trusted types": STRICT + "; require-trusted-types-for 'script'; trusted-types 'none'",
    "nonce": "script-src 'nonce-abc' 'strict-dynamic'; connect-src {url}; require-trusted-types-for 'script'",
    "sandbox": "sandbox allow-scripts; " + STRICT,
}


@pytest.mark.parametrize("policy", POLICIES)
async def test_policies_are_no_hindrance(
    browser: Browser, host: Host, serve: Serve, embed: Embed, db: Db, policy: str
) -> None:
    live = await serve(proof_of_work="always")
    body = embed(live).replace("<script ", '<script nonce="abc" ')
    headers = {"content-security-policy": POLICIES[policy].format(url=live.url)}
    watched = await opened(browser, live, host.page(body, headers=headers))
    await sign(watched.page)
    await expect(watched.page.get_by_role("heading", name="Thank you")).to_be_visible()
    (row,) = await rows(db)
    assert row["origin"] == (None if policy == "sandbox" else host.url)
    assert refusals(watched) == []


async def test_a_frame_that_may_only_run_scripts(
    browser: Browser, host: Host, serve: Serve, embed: Embed, db: Db
) -> None:
    live = await serve(proof_of_work="always")
    host.page(embed(live), path="/inner")
    frame = '<iframe src="/inner" sandbox="allow-scripts" title="Letter" width=700 height=1400></iframe>'
    watched = await opened(browser, live, host.page(frame))
    inner = watched.page.frame_locator("iframe")
    await sign(inner)
    await expect(inner.get_by_role("heading", name="Thank you")).to_be_visible()
    assert [row["origin"] for row in await rows(db)] == [None]


async def test_where_the_solver_cannot_be_had_there_is_the_letters_own_page(
    browser: Browser, host: Host, serve: Serve, embed: Embed, db: Db, token: str
) -> None:
    live = await serve(proof_of_work="always")
    watched = await opened(browser, live, host.page(embed(live)))
    page = watched.page
    await page.route("**/pow.*.js", lambda route: route.abort())
    await sign(page)
    errors = page.locator(".errors")
    await expect(errors).to_be_focused()
    await expect(errors).to_contain_text("your browser has a short sum to do")
    way = errors.get_by_role("link")
    await expect(way).to_have_attribute("href", f"{live.url}/letters/letter?via={token}")
    await expect(page.get_by_label("Your name")).to_have_value("Ada")
    assert await rows(db) == []
    await page.unroute("**/pow.*.js")
    await errors.get_by_role("button", name="Try again").click()
    await expect(page.get_by_role("heading", name="Thank you")).to_be_visible()


async def test_the_letters_own_page_asks_for_none_without_scripts(browser: Browser, serve: Serve, db: Db) -> None:
    live = await serve(proof_of_work="always")
    page = await (await browser.new_context(java_script_enabled=False)).new_page()
    await page.goto(f"{live.url}/letters/letter?locale=en")
    await sign(page)
    await expect(page.get_by_text("Thank you").first).to_be_visible()
    assert len(await rows(db)) == 1


MEASURE = """async ([url, challenge]) => {
  const { solve } = await import(url);
  let turns = 0, going = true;
  const channel = new MessageChannel();
  channel.port1.onmessage = () => {
    turns++;
    if (going) channel.port2.postMessage(0);
  };
  channel.port2.postMessage(0);
  const pow = await solve(challenge);
  going = false;
  return { pow, turns };
}"""


@pytest.mark.parametrize("slower", [1, 6])
async def test_the_page_gets_its_turns_while_it_works(
    browser: Browser, host: Host, serve: Serve, letter: Letter, slower: int
) -> None:
    """An old phone is some six times slower. What else the page has to do comes in between, again and again."""
    live = await serve(proof_of_work="always")
    watched = await opened(browser, live, host.page("<p>Nothing.</p>"))
    devtools = await watched.page.context.new_cdp_session(watched.page)
    await devtools.send("Emulation.setCPUThrottlingRate", {"rate": slower})
    work = live.site.signing.gate.work
    async with httpx.AsyncClient(base_url=live.url) as client:
        name = (await client.get("/v1/challenge", params={"token": _token(live, letter)})).json()["solver"]
    measured = await watched.page.evaluate(MEASURE, [f"{live.url}/{name}", work.challenge(letter)])
    assert work.verified(measured["pow"], letter) is not None
    assert measured["turns"] > 5


def _token(live: Live, letter: Letter) -> str:

    return seal_attribution(live.site.seals, Attribution(letter.slug, "house", 1))
