"""The widget as a guest: what it does to a partner's page, and what a partner's page may do to it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, expect
from sqlalchemy import select

from tests.browser.conftest import Host
from tests.conftest import Clock, Live
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.snippet import height, snippet
from widget_server.flows.partners import add_partner, revoke_partner, token_of
from widget_server.store.db import Db
from widget_server.store.tables import signatures

pytestmark = pytest.mark.browser

SIGN = "Sign the letter"


@pytest.fixture
def embed(live: Live, letter: Letter, partner: Partner, token: str) -> str:
    return snippet(live.url, letter, partner, token, "en")


async def opened(browser: Browser, url: str, *, width: int = 1280, tall: int = 900) -> Page:
    context = await browser.new_context(viewport={"width": width, "height": tall})
    page = await context.new_page()
    await page.goto(url)
    return page


async def sign(page: Page) -> None:
    await page.get_by_label("Country").select_option("CA")
    await page.get_by_label("Your name").fill("Ada")
    await page.get_by_label("E-mail").fill("ada@example.org")
    await page.get_by_role("button", name=SIGN).click()
    await expect(page.get_by_role("heading", name="Thank you")).to_be_visible()


async def test_one_request_and_nothing_left_behind(browser: Browser, host: Host, live: Live, embed: str) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    url = host.page(embed)
    before = "Object.getOwnPropertyNames(window).sort().join()"
    await page.goto(host.page("<p>Nothing.</p>", path="/empty"))
    names = await page.evaluate(before)
    asked.clear()
    await page.goto(url)
    await expect(page.get_by_role("button", name=SIGN)).to_be_visible()
    assert [one for one in asked if not one.startswith((host.url, "data:"))] == [
        re.search(r'src="([^"]+)"', embed)[1]  # type: ignore[index]
    ]
    assert await page.evaluate(before) == names
    await sign(page)
    assert {urlsplit(one).netloc for one in asked} - {""} == {
        urlsplit(host.url).netloc,
        urlsplit(live.url).netloc,
    }
    assert await context.cookies() == []
    assert await page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    assert await page.evaluate("indexedDB.databases()") == []
    assert said == []


async def test_loaded_twice_it_is_there_once(browser: Browser, host: Host, embed: str) -> None:
    script = embed[embed.index("<script") :]
    page = await opened(browser, host.page(embed + script + script.replace(" async", "")))
    await expect(page.get_by_role("button", name=SIGN)).to_have_count(1)
    await sign(page)
    await page.evaluate(
        "src => { const s = document.createElement('script'); s.src = src; document.body.append(s);"
        " return new Promise(done => s.onload = done) }",
        re.search(r'src="([^"]+)"', script)[1],  # type: ignore[index]
    )
    await expect(page.get_by_role("heading", name="Thank you")).to_have_count(1)


async def test_two_partners_on_one_page_are_each_credited(
    browser: Browser, host: Host, live: Live, db: Db, letter: Letter, embed: str, clock: Clock
) -> None:
    other = await add_partner(
        db, letter, "oak", name="Oak House", origins=["https://oak.example"], now=clock(), actor="test"
    )
    await live.site.directory.refresh(now_please=True)
    second = snippet(live.url, letter, other, token_of(live.site.seals, letter, other), "en")
    page = await opened(browser, host.page(embed + second))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    widgets = page.locator("undersigned-letter")
    await expect(widgets.get_by_role("button", name=SIGN)).to_have_count(2)
    for number in range(2):
        widget = widgets.nth(number)
        await widget.get_by_label("Country").select_option("CA")
        await widget.get_by_label("Your name").fill(f"Ada {number}")
        await widget.get_by_label("E-mail").fill(f"ada{number}@example.org")
        await widget.get_by_role("button", name=SIGN).click()
        await expect(widget.get_by_role("heading", name="Thank you")).to_be_focused()
    assert not [one for one in asked if "/v1/widget/" in one]

    rows = await db.all(select(signatures.c.partner_id).order_by(signatures.c.seq))
    assert [row["partner_id"] for row in rows] == [
        letter_partner.id for letter_partner in (await live.site.directory.partners(letter.id))[1:]
    ]


async def test_a_strict_policy_and_trusted_types_are_no_hindrance(
    browser: Browser, host: Host, live: Live, embed: str
) -> None:
    policy = (
        f"default-src 'none'; script-src {live.url}; connect-src {live.url}; style-src 'none'; "
        "img-src data:; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    said: list[str] = []
    context = await browser.new_context()
    page = await context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    plain = re.sub(r' style="[^"]*"', "", embed)
    await page.goto(host.page(plain, headers={"content-security-policy": policy}))
    button = page.get_by_role("button", name=SIGN)
    await expect(button).to_have_css("background-color", "rgb(29, 79, 145)")
    await page.get_by_role("button", name="Read the letter").click()
    await expect(page.get_by_text("safety")).to_be_visible()
    await sign(page)
    assert said == []


async def test_late_insertion_and_removal(browser: Browser, host: Host, embed: str) -> None:
    place, script = embed.split("<script")
    page = await opened(browser, host.page("<script" + script))
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    insert = "html => document.querySelector('#after').insertAdjacentHTML('beforebegin', html)"
    await page.evaluate(insert, place)
    await expect(page.get_by_role("button", name=SIGN)).to_have_count(1)
    await page.get_by_label("Your name").fill("Ada")
    await page.evaluate("w => document.body.prepend(document.querySelector('[data-undersigned]'))")
    await expect(page.get_by_label("Your name")).to_have_value("Ada")
    await page.evaluate("document.querySelector('[data-undersigned]').remove()")
    await expect(page.get_by_role("button", name=SIGN)).to_have_count(0)
    token = re.search(r'data-undersigned="([^"]+)"', place)[1]  # type: ignore[index]
    await page.evaluate(
        insert, f'<undersigned-letter token="{token}" heading-level="3" hide="counter"></undersigned-letter>'
    )
    await expect(page.get_by_role("heading", level=3, name="An Open Letter on Safe Passage")).to_be_visible()
    await expect(page.locator(".counter")).to_have_count(0)
    assert errors == []


async def test_the_library_alone_draws_the_same(browser: Browser, host: Host, live: Live, embed: str) -> None:
    alone = re.sub(r"/w/[^\"]+\.js", "/widget.js", embed)
    page = await opened(browser, host.page(alone))
    await sign(page)


async def test_without_script_or_with_a_wrong_token_the_link_stays(
    browser: Browser, host: Host, live: Live, embed: str, token: str
) -> None:
    said: list[str] = []
    context = await browser.new_context()
    page = await context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(f"error {error}"))
    await page.goto(host.page(embed.replace(token, token[:-1] + ("A" if token[-1] != "A" else "B"))))
    await expect(page.get_by_role("link", name="Sign: An Open Letter")).to_be_visible()
    await page.wait_for_load_state("load")
    assert len(said) == 1
    assert said[0].startswith("Undersigned: ")
    off = await browser.new_context(java_script_enabled=False)
    page = await off.new_page()
    await page.goto(host.page(embed, path="/off"))
    await expect(page.get_by_role("link", name="Sign: An Open Letter")).to_have_attribute(
        "href", f"{live.url}/letters/letter?via={token}"
    )


async def test_a_revoked_partners_page_leads_to_the_letter(
    browser: Browser,
    host: Host,
    live: Live,
    db: Db,
    letter: Letter,
    partner: Partner,
    embed: str,
    clock: Clock,
) -> None:
    page = await opened(browser, host.page(embed))
    await page.get_by_label("Country").select_option("CA")
    await page.get_by_label("Your name").fill("Ada")
    await page.get_by_label("E-mail").fill("ada@example.org")
    await revoke_partner(db, letter, partner.slug, now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    await page.get_by_role("button", name=SIGN).click()
    await expect(page.locator(".closed")).to_contain_text("no longer collects signatures")
    await expect(page.get_by_role("link", name="own page")).to_have_attribute("href", f"{live.url}/letters/letter")
    page = await opened(browser, host.page(embed, path="/again"))
    await expect(page.get_by_text("This site no longer collects")).to_be_visible()
    await expect(page.get_by_role("link", name="own page")).to_have_attribute("href", f"{live.url}/letters/letter")
    await expect(page.get_by_role("button", name=SIGN)).to_have_count(0)


HOSTILE = """<style>* { color: red !important; padding: 33px !important; letter-spacing: 9px !important }
html { font-size: 62.5% } body { font: italic 30px/3 serif; text-transform: uppercase; text-align: right }
input, select, button { display: none !important }</style>"""


async def test_the_pages_style_stays_outside(browser: Browser, host: Host, embed: str) -> None:
    page = await opened(browser, host.page(HOSTILE + embed))
    title = page.get_by_role("heading", name="An Open Letter on Safe Passage")
    for name, value in {
        "color": "rgb(27, 32, 39)", "font-size": "24px", "letter-spacing": "normal", "text-transform": "none",
        "font-style": "normal", "padding-left": "0px", "font-family": "serif",
    }.items():  # fmt: skip
        await expect(title).to_have_css(name, value)
    await expect(page.get_by_label("E-mail")).to_be_visible()


@pytest.mark.parametrize(
    ("style", "attribute", "dark"),
    [
        ("", "", False),
        ("body { background: #111; color: #eee }", "", True),
        (":root { color-scheme: dark }", "", True),
        ("body { color: oklch(0.95 0.01 250); background: #000 }", "", True),
        ("body { color: oklch(0.2 0.01 250) }", "", False),
        ("body { background: #111; color: #eee }", 'data-theme="light"', False),
        ("", 'data-theme="dark"', True),
    ],
)
async def test_light_and_dark_follow_the_page(
    browser: Browser, host: Host, embed: str, style: str, attribute: str, dark: bool
) -> None:
    page = await opened(browser, host.page(f"<style>{style}</style>" + embed.replace("<div ", f"<div {attribute} ")))
    background = "rgb(24, 27, 32)" if dark else "rgb(255, 255, 255)"
    await expect(page.locator(".box")).to_have_css("background-color", background)


async def test_a_partners_colours_reach_in(browser: Browser, host: Host, embed: str) -> None:
    style = (
        "<style>undersigned-letter { --undersigned-accent: rgb(0, 90, 60); --undersigned-radius: 0px }"
        "undersigned-letter::part(title) { color: rgb(90, 0, 60) }</style>"
    )
    page = await opened(browser, host.page(style + embed))
    button = page.get_by_role("button", name=SIGN)
    await expect(button).to_have_css("background-color", "rgb(0, 90, 60)")
    await expect(button).to_have_css("border-radius", "0px")
    await expect(page.locator(".title")).to_have_css("color", "rgb(90, 0, 60)")


@pytest.mark.parametrize(("width", "tall"), [(1280, 900), (600, 900), (390, 844), (320, 700)])
async def test_nothing_moves_when_the_form_arrives(
    browser: Browser, host: Host, embed: str, letter: Letter, partner: Partner, width: int, tall: int
) -> None:
    context = await browser.new_context(viewport={"width": width, "height": tall})
    page = await context.new_page()
    await page.add_init_script(
        "window.shift = 0; new PerformanceObserver(l => l.getEntries().forEach(e => shift += e.value))"
        ".observe({type: 'layout-shift', buffered: true})"
    )
    await page.goto(host.page(embed))
    await expect(page.get_by_role("button", name=SIGN)).to_be_visible()
    assert (
        await page.evaluate(
            "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(shift))))"
        )
        == 0
    )
    drawn = await page.evaluate("document.querySelector('undersigned-letter').offsetHeight")
    if width >= 600:
        assert height(letter, partner) - 64 <= drawn <= height(letter, partner)


async def test_the_other_views(browser: Browser, host: Host, embed: str, live: Live) -> None:
    page = await opened(browser, host.page(embed))
    await sign(page)
    await live.site.directory.refresh(now_please=True)  # what is answered may be half a second old
    for view in ("list", "count"):
        page = await opened(browser, host.page(embed.replace("<div ", f'<div data-view="{view}" '), path=f"/{view}"))
        await expect(page.locator(".counter")).to_contain_text("1 signature")
        await expect(page.get_by_role("button", name=SIGN)).to_have_count(0)
        await expect(page.get_by_role("listitem").filter(has_text="Ada")).to_have_count(1 if view == "list" else 0)
        if view == "list":
            await expect(page.get_by_role("heading", name="Signed in Canada")).to_be_visible()
