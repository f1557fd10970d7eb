"""The widget for the keyboard alone, and in forced colours. Every state of it: test_widget_states.py."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import Host, violations
from tests.conftest import Live
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.snippet import snippet

pytestmark = pytest.mark.browser

WORDS = {
    "en": {"sign": "Sign the letter", "read": "Read the letter"},
    "fr": {"sign": "Signer la lettre", "read": "Lire la lettre"},
}


FOCUSED = """(() => {
    const focused = document.activeElement.shadowRoot?.activeElement;
    return focused ? focused.name || focused.textContent : "";
})()"""


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
