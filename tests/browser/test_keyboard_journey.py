"""A visitor who reads French, has no mouse and a slow, small phone, signs on a partner's page.

Nothing is held to a clock here: what takes a person's time is the number of keys, and that is counted.
"""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect
from sqlalchemy import select

from tests.browser.conftest import Host
from tests.browser.visitor import fits
from tests.conftest import Live
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.snippet import snippet
from widget_server.store.db import Db
from widget_server.store.tables import signatures

pytestmark = pytest.mark.browser

# What has the focus, whether it is whole on the screen with nothing over it, and whether it shows.
FOCUS = """() => {
    let node = document.activeElement;
    while (node.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
    const { left, top, right, bottom } = node.getBoundingClientRect();
    const style = getComputedStyle(node);
    return {
        name: node.name || node.textContent.trim(),
        seen: left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight,
        ring: style.outlineStyle != "none" && parseFloat(style.outlineWidth) >= 2,
    };
}"""


class Keys:
    """A keyboard, and how often it was pressed."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.pressed = 0

    async def press(self, key: str) -> None:
        self.pressed += 1
        await self.page.keyboard.press(key)

    async def write(self, text: str) -> None:
        self.pressed += len(text)
        await self.page.keyboard.type(text)

    async def tab_to(self, name: str) -> None:
        """Goes on until `name` has the focus. On the way, nothing has it unseen."""
        for _ in range(20):
            await self.press("Tab")
            focus = await self.page.evaluate(FOCUS)
            assert focus["seen"], focus
            assert focus["ring"], focus
            if focus["name"] == name:
                return
        raise AssertionError(f"{name} is not to be reached")


async def test_signing_in_french_by_keyboard_on_a_slow_phone(
    browser: Browser, host: Host, live: Live, letter: Letter, partner: Partner, token: str, db: Db
) -> None:
    context = await browser.new_context(viewport={"width": 320, "height": 568}, locale="fr-CA", reduced_motion="reduce")
    page = await context.new_page()
    devtools = await context.new_cdp_session(page)
    await devtools.send("Emulation.setCPUThrottlingRate", {"rate": 6})
    await page.goto(host.page(snippet(live.url, letter, partner, token, "fr"), lang="fr-CA"))
    await expect(page.get_by_role("button", name="Signer")).to_be_visible()
    keys = Keys(page)

    await keys.tab_to("Lire la lettre")
    await keys.press("Enter")
    await expect(page.get_by_text("sécurité")).to_be_visible()
    await keys.press("Enter")
    await keys.tab_to("country")
    await keys.write("can")
    await expect(page.get_by_text("Nous, soussignés établis au Canada")).to_be_visible()
    await keys.tab_to("name")
    await keys.write("Zoé Gagné")
    await keys.tab_to("email")
    await keys.write("zoe@exemple")
    await keys.press("Enter")

    # The address was not whole: the summary has the focus, and its link leads to the field.
    await expect(page.locator(".errors")).to_be_focused()
    await keys.press("Tab")
    await keys.press("Enter")
    await expect(page.get_by_label("Courriel")).to_be_focused()
    await keys.press("End")
    await keys.write(".org")
    await keys.tab_to("Signer la lettre")
    await keys.press("Space")

    thanks = page.get_by_role("heading", name="Merci")
    await expect(thanks).to_be_focused()
    await expect(thanks).to_be_in_viewport()
    await keys.tab_to("Copier le lien")
    await keys.press("Enter")
    await expect(page.get_by_role("status")).to_have_text("Lien copié")
    assert await fits(page)
    (row,) = await db.all(select(signatures))
    assert (row["name"], row["email"], row["locale"]) == ("Zoé Gagné", "zoe@exemple.org", "fr")
    assert keys.pressed < 90
