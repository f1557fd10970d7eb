"""The demo as a newcomer uses it: sign on the partner's page in French, see it arrive in the inbox."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import violations
from tests.test_demo import Demo, running

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running(tmp_path_factory.mktemp("demo")) as one:
        yield one


async def opened(browser: Browser, url: str, complaints: list[str], *, width: int = 1280) -> Page:
    context = await browser.new_context(
        viewport={"width": width, "height": 900}, locale="fr-CA", reduced_motion="reduce"
    )
    page = await context.new_page()
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(url)
    return page


async def test_signing_in_french_on_the_partners_page_arrives_live_in_the_inbox(browser: Browser, demo: Demo) -> None:
    complaints: list[str] = []
    inbox = await opened(browser, f"http://127.0.0.1:{demo.port + 2}/", complaints)
    await expect(inbox.get_by_text("En direct")).to_be_visible()

    page = await opened(browser, f"http://localhost:{demo.port + 1}/accueil-boreal", complaints)
    form = page.locator("undersigned-letter")
    await form.locator("[name=kind][value=organization]").check()
    await form.locator("[name=country]").select_option("CA")
    await form.locator("[name=organization]").fill("Boulangerie <b>Le Levain</b> & fils")
    await form.locator("[name=email]").fill("pain@example.org")
    await form.locator("[name=authorized]").check()
    await page.get_by_role("button", name=re.compile("^Signer")).click()
    await expect(page.get_by_text("pain@example.org")).to_be_visible()

    mail = inbox.locator("#mail-list li").first
    await expect(mail).to_contain_text("pain@example.org")
    async with inbox.context.expect_page() as opening:
        await mail.frame_locator("iframe").get_by_role("link", name=re.compile("Confirmer")).first.click()
    confirming = await opening.value
    await confirming.get_by_role("button", name=re.compile("Confirmer")).click()
    await expect(confirming.get_by_role("heading", name=re.compile("Merci"))).to_be_visible()

    slack = inbox.locator("#slack-list li").first
    await expect(slack).to_contain_text("Boulangerie <b>Le Levain</b> & fils")
    webhook = inbox.locator("#webhook-list li").first
    await expect(webhook).to_contain_text("signature.confirmed")
    await expect(webhook).to_contain_text("Signature vérifiée")
    await expect(webhook.locator(".review code")).to_contain_text("var/demo/undersigned signatures approve ask-here")
    assert (
        await inbox.locator("li b", has_text="Le Levain").count() == await inbox.locator("li b", has_text="<b>").count()
    ), "what was typed is text"
    assert complaints == []
    assert await violations(inbox) == []


@pytest.mark.parametrize("path", ["northern-lights", "accueil-boreal"])
async def test_the_partners_pages_are_sound_at_both_widths(browser: Browser, demo: Demo, path: str) -> None:
    for width in (360, 1280):
        complaints: list[str] = []
        page = await opened(browser, f"http://localhost:{demo.port + 1}/{path}", complaints, width=width)
        await expect(page.locator("undersigned-letter")).to_contain_text(re.compile("signatures"))
        assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert complaints == []
        assert await violations(page) == []
        await page.context.close()
