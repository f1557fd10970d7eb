"""Networks that come and go, servers that were there a moment ago, clocks that are wrong: nothing typed is lost, and
whoever tries again signs once."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route, expect
from sqlalchemy import select

from tests.browser.conftest import Host
from tests.browser.visitor import Watched, fill, send, sign
from tests.conftest import KEY, Live, served
from tests.web.abuse import Serve, serve
from widget_server.app import create_app
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.snippet import snippet
from widget_server.settings import Settings
from widget_server.store.db import Db
from widget_server.store.tables import signatures

__all__ = ["serve"]
pytestmark = pytest.mark.browser

Embed = Callable[[str], str]


@pytest.fixture
def embed(letter: Letter, partner: Partner, token: str) -> Embed:
    return lambda url: snippet(url, letter, partner, token, "en")


async def opened(browser: Browser, url: str, script: str = "") -> Page:
    page = await (await browser.new_context()).new_page()
    if script:
        await page.add_init_script(script)
    await page.goto(url)
    await expect(send(page)).to_be_visible()
    return page


def at_port(port: int) -> socket.socket:
    """A socket at a port that another one may have been at a moment ago."""
    bound = socket.socket(proto=socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


async def told_and_nothing_lost(page: Page) -> None:
    await expect(page.locator(".errors")).to_be_focused(timeout=20_000)
    await expect(page.locator(".errors a")).to_be_visible()
    await expect(page.locator("[name=name]")).to_have_value("Zoé Tremblay-O'Neil")
    await expect(page.locator("[name=country]")).to_have_value("CA")


async def signed_once(page: Page, db: Db) -> None:
    await page.locator(".errors button").click()
    await expect(page.locator(".thanks .landing")).to_be_focused()
    assert len(await db.all(select(signatures))) == 1


async def test_offline_and_back(browser: Browser, host: Host, live: Live, embed: Embed, db: Db) -> None:
    page = await opened(browser, host.page(embed(live.url)))
    await fill(page)
    await page.context.set_offline(True)
    await send(page).click()
    await told_and_nothing_lost(page)
    await page.context.set_offline(False)
    await signed_once(page, db)


@pytest.mark.engines("chromium", "firefox")
async def test_a_server_that_went_and_came_back(
    browser: Browser, host: Host, embed: Embed, db: Db, database_url: str, tmp_path: Path
) -> None:
    bound = at_port(0)
    port = bound.getsockname()[1]
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        database_url=database_url, secret_keys=(KEY,), public_url=f"http://127.0.0.1:{port}", rate_limit="off",
    )  # fmt: skip
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(served(create_app(settings, mail_folder=tmp_path / "mail"), bound))
        page = await opened(browser, host.page(embed(url)))
        await fill(page)
    bound.close()
    await send(page).click()
    await told_and_nothing_lost(page)
    async with served(create_app(settings, mail_folder=tmp_path / "mail"), at_port(port)):
        await signed_once(page, db)


async def test_an_answer_that_got_lost_on_its_way(
    browser: Browser, host: Host, live: Live, embed: Embed, db: Db
) -> None:
    """The server has stored it, the visitor has not heard: by its id the same signature is known again."""
    page = await opened(browser, host.page(embed(live.url)))
    lost = False

    async def lose(route: Route) -> None:
        nonlocal lost
        if not lost:
            await route.fetch()
            lost = True
            await route.abort()
        else:
            await route.continue_()

    await page.route("**/v1/signatures", lose)
    await sign(page)
    assert lost
    assert len(await db.all(select(signatures))) == 1


@pytest.mark.parametrize("answer", ["<h1>Log in to our Wi-Fi</h1>", "", '{"id": 1', "null", "[]", '"id"'])
async def test_somebody_else_answers(
    browser: Browser, host: Host, live: Live, embed: Embed, db: Db, answer: str
) -> None:
    watched = Watched(await opened(browser, host.page(embed(live.url))))
    page = watched.page

    async def portal(route: Route) -> None:
        await route.fulfill(status=200, headers={"access-control-allow-origin": "*"}, body=answer)

    await page.route("**/v1/signatures", portal)
    await fill(page)
    await send(page).click()
    await told_and_nothing_lost(page)
    await page.unroute("**/v1/signatures")
    await signed_once(page, db)
    assert watched.said == []


async def test_somebody_else_answers_for_the_script(browser: Browser, host: Host, live: Live, embed: Embed) -> None:
    page = await (await browser.new_context()).new_page()
    await page.route("**/w/*.js", lambda route: route.fulfill(content_type="text/html", body="<h1>Log in</h1>"))
    await page.goto(host.page(embed(live.url)))
    await expect(page.locator("[data-undersigned] > a")).to_be_visible()


# A clock that is wrong by so many hours, for dates of every kind.
CLOCK = """{ const Real = Date, off = %d * 3600000;
window.Date = class extends Real {
    constructor(...given) { given.length ? super(...given) : super(Real.now() + off); }
    static now() { return Real.now() + off; }
}; }"""


@pytest.mark.parametrize("hours", [-25, 25, 24 * 400])
async def test_a_wrong_clock(browser: Browser, host: Host, serve: Serve, embed: Embed, db: Db, hours: int) -> None:
    live = await serve(proof_of_work="always")
    page = await opened(browser, host.page(embed(live.url)), CLOCK % hours)
    await sign(page)
    (row,) = await db.all(select(signatures))
    assert row["quarantine"] is None
    assert 0 < row["elapsed"] < 600_000


AUTOFILL = {
    "NAME_FULL": "Zoé Tremblay", "EMAIL_ADDRESS": "zoe@example.org", "COMPANY_NAME": "Café",
    "ADDRESS_HOME_COUNTRY": "CA",
}  # fmt: skip


async def test_browsers_fill_it_by_themselves(browser: Browser, host: Host, live: Live, embed: Embed) -> None:
    page = await opened(browser, host.page(embed(live.url)))
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("DOM.enable")
    await devtools.send("Autofill.enable")
    await page.locator("[name=name]").focus()
    handle = await devtools.send(
        "Runtime.evaluate",
        {"expression": "document.querySelector('undersigned-letter').shadowRoot.querySelector('[name=name]')"},
    )
    node = await devtools.send("DOM.describeNode", {"objectId": handle["result"]["objectId"]})
    fields = [{"name": name, "value": value} for name, value in AUTOFILL.items()]
    await devtools.send("Autofill.trigger", {"fieldId": node["node"]["backendNodeId"], "address": {"fields": fields}})
    await expect(page.locator("[name=name]")).to_have_value("Zoé Tremblay")
    await expect(page.locator("[name=email]")).to_have_value("zoe@example.org")
    await expect(page.locator("[name=organization]")).to_have_value("Café")
    await expect(page.locator("[name=country]")).to_have_value("CA")
    await expect(page.locator(".statement")).to_contain_text("based in Canada")
    await expect(page.locator("[name=hp_contact_2]")).to_have_value("")
