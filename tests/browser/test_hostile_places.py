"""Pages that are no ordinary website: files, plain http, forms, blocked storage, several letters on one page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect
from sqlalchemy import select

from tests.browser.conftest import Host
from tests.browser.engines import INSECURE
from tests.browser.visitor import Watched, fill, left_behind, send, sign
from tests.conftest import Clock, Live
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.snippet import snippet
from widget_server.flows.letter_status import change_letter_status
from widget_server.flows.load_letter import load_letter
from widget_server.flows.partners import add_partner, token_of
from widget_server.store.db import Db
from widget_server.store.tables import signatures

pytestmark = [pytest.mark.browser, pytest.mark.engines("chromium", "firefox")]


@pytest.fixture
def embed(live: Live, letter: Letter, partner: Partner, token: str) -> str:
    return snippet(live.url, letter, partner, token, "en")


async def opened(browser: Browser, url: str, script: str = "") -> Watched:
    page = await (await browser.new_context()).new_page()
    if script:
        await page.add_init_script(script)
    watched = Watched(page)
    await page.goto(url)
    return watched


async def test_a_file(browser: Browser, embed: str, tmp_path: Path, db: Db) -> None:
    file = tmp_path / "index.html"
    file.write_text(
        f"<!doctype html><meta charset=utf-8><title>A file</title><main><h1>A file</h1>{embed}</main>", "utf-8"
    )
    watched = await opened(browser, file.as_uri())
    await sign(watched.page)
    await expect(watched.page.locator(".share")).to_be_visible()
    (row,) = await db.all(select(signatures))
    assert (row["origin"], row["origin_flagged"]) == (None, True)
    assert "index.html" not in str(row["page"]), "where somebody keeps their files is nobody's business"
    assert watched.said == []


async def test_plain_http(browser: Browser, host: Host, embed: str, db: Db) -> None:
    watched = await opened(browser, host.page(embed).replace("localhost", INSECURE))
    page = watched.page
    assert not await page.evaluate("isSecureContext")
    await sign(page)
    await page.locator(".share button").first.click()
    await expect(page.locator(".status")).not_to_be_empty()
    (row,) = await db.all(select(signatures))
    assert row["origin"] == host.url.replace("localhost", INSECURE)
    assert len(row["id"]) == 36
    assert watched.said == []


async def test_inside_somebody_elses_form(browser: Browser, host: Host, embed: str, db: Db) -> None:
    around = f"<form action=/lost><input name=theirs aria-label=Theirs>{embed}<button>Theirs</button></form>"
    watched = await opened(browser, host.page(around))
    page = watched.page
    heard = "window.heard = []; addEventListener('keydown', event => heard.push(event.key))"
    await fill(page)
    await page.evaluate(heard)
    assert await page.evaluate("[...new FormData(document.forms[0]).keys()]") == ["theirs"]
    await page.locator("[name=name]").press("End")
    await page.keyboard.type("!k")
    assert await page.evaluate("heard") == ["End"], "the page's shortcuts do not hear what is typed"
    await page.locator("[name=email]").press("Enter")
    await expect(page.locator(".thanks .landing")).to_be_focused()
    assert page.url == host.url + "/"
    (row,) = await db.all(select(signatures))
    assert row["name"] == "Zoé Tremblay-O'Neil!k"


BLOCKED = """for (const name of ["localStorage", "sessionStorage", "indexedDB", "caches", "cookieStore"])
    Object.defineProperty(window, name, { get() { throw new DOMException("blocked", "SecurityError") } });
Object.defineProperty(Document.prototype, "cookie", { get() { throw new DOMException("blocked", "SecurityError") } });
Object.defineProperty(Navigator.prototype, "serviceWorker", { get() { throw new DOMException("blocked") } });"""


async def test_where_storage_is_blocked(browser: Browser, host: Host, embed: str) -> None:
    watched = await opened(browser, host.page(embed), BLOCKED)
    await sign(watched.page)
    await expect(watched.page.locator(".share")).to_be_visible()
    assert watched.said == []


@pytest.fixture
async def other(live: Live, db: Db, letter_folder: Path, partner: Partner, clock: Clock) -> Callable[[str], str]:
    """The snippet of another letter, for the same page."""
    toml = letter_folder / "letter.toml"
    toml.write_text(toml.read_text("utf-8").replace('slug = "letter"', 'slug = "other"'), "utf-8")
    await load_letter(db, letter_folder, now=clock(), actor="test")
    await change_letter_status(db, "other", "open", now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    letter = await live.site.directory.letter("other")
    assert letter is not None
    second = await add_partner(
        db, letter, "maple", name="Maple House", origins=["https://maple.example"], now=clock(), actor="test"
    )
    await live.site.directory.refresh(now_please=True)
    text = snippet(live.url, letter, second, token_of(live.site.seals, letter, second), "en")
    return lambda attributes: text.replace("<div ", f"<div {attributes} ")


async def test_several_letters_and_views_on_one_page(
    browser: Browser, host: Host, live: Live, embed: str, other: Callable[[str], str], db: Db
) -> None:
    page_of = embed + other("id=second") + other("data-view=count data-hide=title") + embed.split("<script")[0]
    watched = await opened(browser, host.page(page_of))
    page = watched.page
    widgets = page.locator("undersigned-letter")
    await expect(widgets).to_have_count(4)
    await expect(send(page)).to_have_count(3)
    second = widgets.nth(1)
    await widgets.nth(0).locator("[name=name]").fill("Half typed")
    await sign(second)
    await expect(send(page)).to_have_count(2)
    await expect(widgets.nth(0).locator("[name=name]")).to_have_value("Half typed")
    await expect(widgets.nth(3).locator("[name=name]")).to_have_value("")
    (row,) = await db.all(select(signatures))
    await live.site.directory.refresh(now_please=True)
    letter = await live.site.directory.letter("other")
    assert letter is not None
    assert row["letter_id"] == letter.id
    assert len({url for url in watched.asked if "/w/" in url}) == 2, "one file a letter, however often it is shown"
    assert watched.said == []
    assert await left_behind(page.context, page) == {}


@pytest.mark.engines("chromium")  # Firefox does it as well, but its driver loses sight of a page that comes back
async def test_back_from_another_page(browser: Browser, host: Host, embed: str) -> None:
    watched = await opened(browser, host.page(embed + '<a id=away href="/away">Away</a>'))
    page = watched.page
    host.page("<p>Somewhere else.</p>", path="/away")
    await fill(page)
    await page.locator("[name=kind][value=organization]").check()
    await page.locator("[name=organization]").fill("Harbour & Sons")
    await page.locator("#away").click()
    await expect(page.get_by_text("Somewhere else.")).to_be_visible()
    await page.evaluate("history.back()")
    await expect(page.locator("[name=organization]")).to_have_value("Harbour & Sons")
    await expect(page.locator("[name=email]")).to_have_value("zoe@example.org")
    await expect(page.locator("[name=country]")).to_have_value("CA")
    await page.locator("[name=authorized]").check()
    await send(page).click()
    await expect(page.locator(".thanks .landing")).to_be_focused()
