"""The webmaster's page in a browser: copying by keyboard, colours that reach the preview and the snippets, and what it
keeps to itself."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Literal

import pytest
from playwright.async_api import Browser, Page, Request, expect
from sqlalchemy import select

from tests.browser.conftest import Host, violations
from tests.browser.engines import INSECURE
from tests.conftest import Live
from tests.outbox.conftest import sign_many
from widget_server.domain.install_pages import install_url
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.store.db import Db
from widget_server.store.tables import signatures

pytestmark = pytest.mark.browser


@pytest.fixture
def address(live: Live, letter: Letter, partner: Partner) -> str:
    return install_url(live.url, live.site.seals, letter, partner)


async def opened(browser: Browser, url: str, *, width: int = 1280, **context: object) -> tuple[Page, list[str]]:
    """A page, and what its console says."""
    page = await (await browser.new_context(viewport={"width": width, "height": 900}, **context)).new_page()  # type: ignore[arg-type]
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    await page.goto(url)
    return page, said


async def pasted(page: Page) -> str:
    """What the clipboard holds, as a field that is pasted into has it."""
    await page.evaluate("document.body.append(Object.assign(document.createElement('textarea'), {id: 'pasted'}))")
    await page.locator("#pasted").focus()
    await page.keyboard.press("Control+V")
    return await page.locator("#pasted").input_value()


@pytest.mark.parametrize("secure", [True, False])
async def test_copying_works_by_keyboard_on_https_and_http(browser: Browser, address: str, secure: bool) -> None:
    """On a page that is no secure context there is no clipboard but the old one."""
    url = address if secure else address.replace("127.0.0.1", INSECURE)
    page, _ = await opened(browser, url)
    assert await page.evaluate("isSecureContext") is secure
    button = page.get_by_role("button", name="Copy The snippet")
    snippet = await page.get_by_label("The snippet", exact=True).input_value()
    await button.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").filter(has_text="Copied.")).to_be_visible()
    await expect(page.get_by_role("button", name="Copied. The snippet")).to_be_focused()
    assert await pasted(page) == snippet


async def test_colours_reach_the_preview_and_every_snippet(browser: Browser, address: str) -> None:
    page, said = await opened(browser, address)
    preview = page.frame_locator(".install-preview")
    await page.locator(".install-preview").scroll_into_view_if_needed()
    button = preview.get_by_role("button", name="Sign the letter")
    await expect(button).to_be_visible()
    await page.get_by_label("Button, links, progress").fill("#145a32")
    await page.get_by_label("Rounded corners").fill("2")
    assert await button.evaluate("b => getComputedStyle(b).backgroundColor") == "rgb(20, 90, 50)"
    chosen = "--undersigned-accent:#145a32;--undersigned-radius:2px"
    boxes = {
        id_: await page.locator(f"#{id_}").input_value()
        for id_ in ("snippet", "pinned", "wordpress-block", "rule", "list", "frame", "wix", "google", "link")
    }
    for id_ in ("snippet", "pinned", "wordpress-block"):
        assert re.search(rf'style="min-height:\d+px;{chosen}"', boxes[id_]), id_
    assert f'data-view="list" style="{chosen}"' in boxes["list"]
    assert "\n  --undersigned-accent: #145a32;\n  --undersigned-radius: 2px;\n}" in boxes["rule"]
    for id_ in ("frame", "wix", "google"):
        assert re.search(r"/embed/[\w.-]+\?accent=145a32&radius=2", boxes[id_]), id_
    assert "accent" not in boxes["link"]
    await page.get_by_role("button", name="Back to the usual colours").click()
    await expect(page.locator("#snippet")).not_to_have_value(re.compile("accent"))
    await page.get_by_label("Your page is").select_option("dark")
    await expect(page.locator("#snippet")).to_have_value(re.compile('^<div data-theme="dark" data-undersigned='))
    await expect(page.locator("#classed")).to_have_value(re.compile('^<div data-theme="dark" data-undersigned='))
    await expect(page.locator("#wix")).to_have_value(re.compile(r"\?theme=dark$"))
    box = preview.locator("undersigned-letter .box")
    around = "box => document.documentElement.clientWidth - box.getBoundingClientRect().width"
    assert await box.evaluate(around) == 2, "the frame is as wide as the form"
    await expect(box).to_have_css("background-color", "rgb(24, 27, 32)")
    assert said == []


async def test_the_colours_in_a_frames_address_are_its_colours(browser: Browser, address: str) -> None:
    page, _ = await opened(browser, address)
    await page.get_by_label("Button, links, progress").fill("#145a32")
    framed, _ = await opened(browser, await page.locator("#wix").input_value())
    await expect(framed.get_by_role("button", name="Sign the letter")).to_have_css(
        "background-color", "rgb(20, 90, 50)"
    )


async def test_contrast_is_measured_as_wcag_has_it(browser: Browser, address: str) -> None:
    page, _ = await opened(browser, address)
    button = page.locator(".install-contrast li").filter(has_text="Text on the button")
    verdict = page.locator(".install-verdict")
    await expect(verdict).to_have_text("Every contrast is high enough (WCAG 2.2, level AA).")
    await page.get_by_label("Text on the button").fill("#ffffff")
    measured = {
        "#000000": "21 : 1, enough",
        "#767676": "4.5 : 1, enough",
        "#777777": "4.4 : 1, too low: at least 4.5 : 1",
    }
    for accent, said in measured.items():
        await page.get_by_label("Button, links, progress").fill(accent)
        await expect(button.get_by_role("status")).to_have_text(said)
    await expect(verdict).to_have_text("Some contrasts are too low: people will not be able to read that.")


async def test_text_on_a_button_follows_its_colour_until_it_is_chosen(browser: Browser, address: str) -> None:
    page, _ = await opened(browser, address)
    accent, ink = page.get_by_label("Button, links, progress"), page.get_by_label("Text on the button")
    for colour, text in (("#ffcc00", "#000000"), ("#145a32", "#ffffff")):
        await accent.fill(colour)
        await expect(ink).to_have_value(text)
    await ink.fill("#fffff0")
    await accent.fill("#ffcc00")
    await expect(ink).to_have_value("#fffff0")
    await expect(page.locator("#snippet")).to_have_value(re.compile("accent:#ffcc00;--undersigned-accent-text:#fffff0"))


async def test_a_test_in_the_preview_counts_nowhere_and_tells_nobody_the_address(
    browser: Browser, live: Live, db: Db, address: str
) -> None:
    page, _ = await opened(browser, address)
    sealed = address.rpartition("/")[2]
    told: list[str] = []

    async def hear(request: Request) -> None:
        headers = await request.all_headers()
        if request.frame != page.main_frame:
            told.append(f"{request.url} {headers.get('referer', '')} {request.post_data or ''}")

    page.on("request", hear)
    await page.reload()
    preview = page.frame_locator(".install-preview")
    await page.locator(".install-preview").scroll_into_view_if_needed()
    await preview.get_by_label("Country").select_option("CA")
    await preview.get_by_label("Your name").fill("Ada")
    await preview.get_by_label("E-mail").fill("ada@example.org")
    await preview.get_by_role("button", name="Sign the letter").click()
    await expect(preview.get_by_role("heading", name="Thank you")).to_be_visible()
    row = await db.one(select(signatures))
    assert row is not None
    assert row["test"]
    assert not row["origin_flagged"]
    assert sealed not in str(row)
    assert len(told) >= 3
    assert not [one for one in told if sealed in one]
    await page.goto(f"{address}?locale=en")
    await expect(page.locator(".install-facts").first).to_contain_text("Last test signature")
    assert "none yet" in await page.locator(".install-facts dd").first.inner_text()
    assert "none yet" not in await page.locator(".install-facts dd").nth(1).inner_text()


async def test_without_a_script_every_snippet_can_be_read(browser: Browser, address: str) -> None:
    page, _ = await opened(browser, address, java_script_enabled=False)
    await expect(page.get_by_label("The snippet", exact=True)).to_have_value(re.compile("^<div data-undersigned="))
    await expect(page.get_by_role("button")).to_have_count(0)
    await expect(page.get_by_text("Choosing colours needs JavaScript.")).to_be_visible()
    await page.get_by_text("Wix").click()
    await expect(page.locator("#wix")).to_be_visible()


async def test_a_link_opens_what_it_leads_to(browser: Browser, address: str) -> None:
    page, _ = await opened(browser, address)
    await page.get_by_text("Squarespace").click()
    await page.locator("a[href='#frame']").click()
    await expect(page.locator("#frame")).to_be_visible()


@pytest.mark.engines("chromium", "firefox")
@pytest.mark.parametrize("lang", ["en", "fr"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_at_any_width(
    browser: Browser, live: Live, db: Db, letter: Letter, partner: Partner, address: str, lang: str,
    scheme: Literal["light", "dark"],
) -> None:  # fmt: skip
    now = datetime.now(UTC)
    await sign_many(db, letter, partner, lambda: now, [{"page": f"https://maple.example/{'long' * 40}"}])
    for origin in ("https://maple.example", f"https://{'long-name-' * 6}.maple.example"):
        live.site.sightings.saw(partner, origin)
    await live.site.sightings.write()
    for width in (320, 1280):
        page, said = await opened(browser, f"{address}?locale={lang}", width=width, color_scheme=scheme)
        await page.locator(".install-preview").scroll_into_view_if_needed()
        await expect(page.frame_locator(".install-preview").locator("form")).to_be_visible()
        await page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
        assert await violations(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        assert said == []


async def test_the_pinned_snippet_signs_and_one_byte_more_would_not(
    browser: Browser, host: Host, address: str, db: Db
) -> None:
    page, _ = await opened(browser, address)
    await page.get_by_text("With integrity").click()
    pinned = await page.locator("#pinned").input_value()
    partner_page, said = await opened(browser, host.page(pinned))
    await expect(partner_page.get_by_role("button", name="Sign the letter")).to_be_visible()
    assert said == []
    wrong = re.sub(r"sha384-.", lambda found: "sha384-A" if found[0][-1] != "A" else "sha384-B", pinned)
    partner_page, said = await opened(browser, host.page(wrong, path="/wrong"))
    await expect(partner_page.get_by_role("link", name="Sign:")).to_be_visible()
    assert any("integrity" in line for line in said)
