"""The widget for everybody: axe finds nothing in any state, and nothing overflows a narrow screen."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import Host, violations
from tests.conftest import Clock, Live
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.snippet import snippet
from widget_server.flows.letter_status import change_letter_status
from widget_server.store.db import Db

pytestmark = pytest.mark.browser

WORDS = {
    "en": {"sign": "Sign the letter", "read": "Read the letter", "name": "Your name", "email": "E-mail",
           "country": "Country", "thanks": "Thank you", "organization": "for an organization"},
    "fr": {"sign": "Signer la lettre", "read": "Lire la lettre", "name": "Votre nom", "email": "Courriel",
           "country": "Pays", "thanks": "Merci", "organization": "au nom d'une organisation"},
}  # fmt: skip


FOCUSED = """(() => {
    const focused = document.activeElement.shadowRoot?.activeElement;
    return focused ? focused.name || focused.textContent : "";
})()"""


async def fits(page: Page) -> bool:
    return bool(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize("locale", ["en", "fr"])
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_every_state_in_every_language(
    browser: Browser, host: Host, live: Live, db: Db, letter: Letter, partner: Partner, token: str,
    clock: Clock,
    locale: str, theme: str,
) -> None:  # fmt: skip
    words = WORDS[locale]
    style = "<style>body{background:#111;color:#eee}</style>" if theme == "dark" else ""
    embed = style + snippet(live.url, letter, partner, token, locale)
    context = await browser.new_context(viewport={"width": 320, "height": 800})
    page = await context.new_page()
    await page.goto(host.page(embed, lang=locale))
    sign = page.get_by_role("button", name=words["sign"])
    await expect(sign).to_be_visible()
    assert await violations(page) == []
    assert await fits(page)

    await page.get_by_label(words["organization"]).check()
    await page.get_by_role("button", name=words["read"]).click()
    await sign.click()
    await expect(page.locator(".errors")).to_be_focused()
    await expect(page.locator(".letter strong")).to_be_visible()
    assert await violations(page) == []
    assert await fits(page)

    await page.locator("input[name=kind]").first.check()
    await page.get_by_label(words["country"]).select_option("CA")
    await page.get_by_label(words["name"]).fill("Ada")
    await page.get_by_label(words["email"]).fill("ada@example.org")
    await sign.click()
    await expect(page.get_by_role("heading", name=words["thanks"])).to_be_focused()
    assert await violations(page) == []
    assert await fits(page)

    await change_letter_status(db, "letter", "close", now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    # The first context holds the file in its cache.
    fresh = await browser.new_context(viewport={"width": 320, "height": 800})
    page = await fresh.new_page()
    await page.goto(host.page(embed, lang=locale, path="/closed"))
    await expect(page.locator(".closed")).to_be_visible()
    assert await violations(page) == []
    assert await fits(page)


@pytest.mark.parametrize("locale", ["en", "fr"])
async def test_it_is_a_form_for_the_keyboard_alone(
    browser: Browser, host: Host, live: Live, letter: Letter, partner: Partner, token: str, locale: str
) -> None:
    words = WORDS[locale]
    page = await (await browser.new_context()).new_page()
    await page.goto(host.page(snippet(live.url, letter, partner, token, locale), lang=locale))
    await expect(page.get_by_role("button", name=words["sign"])).to_be_visible()
    order: list[str] = []
    for _ in range(9):
        await page.keyboard.press("Tab")
        order.append(await page.evaluate(FOCUSED))
    assert order == [
        words["read"], "kind", "country", "name", "email", "organization", "role", "public", "contact_opt_in",
    ]  # fmt: skip
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name=words["sign"])).to_be_focused()
    for control in await page.locator("input:not([tabindex]):visible, select:visible, button:visible").all():
        box = await control.bounding_box()
        assert box is not None
        label = await control.evaluate("c => c.closest('label')?.getBoundingClientRect().height || 0")
        assert max(box["height"], label) >= 44


async def test_forced_colours_keep_every_edge(
    browser: Browser, host: Host, live: Live, letter: Letter, partner: Partner, token: str
) -> None:
    context = await browser.new_context(forced_colors="active", reduced_motion="reduce")
    page = await context.new_page()
    await page.goto(host.page(snippet(live.url, letter, partner, token, "en")))
    for name in ("Sign the letter", "Read the letter"):
        assert (
            await page.get_by_role("button", name=name).evaluate("b => parseFloat(getComputedStyle(b).borderTopWidth)")
            >= 1
        )
    assert await violations(page) == []
