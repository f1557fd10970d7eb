"""The letter's own page in a real Chromium: without script, with the widget, on a phone, for everybody."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.browser.conftest import violations
from tests.browser.visitor import left_behind
from tests.conftest import Live
from tests.store.listed import sign
from widget_server.domain.letters import Letter

pytestmark = pytest.mark.browser

PATHS = ("/letters/letter", "/letters/letter/signatories", "/letters/letter/privacy", "/")


@pytest.fixture
async def noscript(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    yield await context.new_page()
    await context.close()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """With scripts. Whatever the console or a page says that is no plain talk fails the test."""
    context = await browser.new_context(viewport={"width": 390, "height": 844})
    page = await context.new_page()
    trouble: list[str] = []
    page.on(
        "console",
        lambda message: trouble.append(message.text) if message.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: trouble.append(str(error)))
    yield page
    await context.close()
    assert trouble == []


async def test_a_person_signs_in_french_without_script(noscript: Page, live: Live) -> None:
    page = noscript
    await page.goto(f"{live.url}/fr/letters/letter?source=infolettre")
    await page.get_by_role("textbox", name="Votre nom").fill('Zoé <b>Éluard</b> & "fils"')
    await page.get_by_role("textbox", name="Courriel").fill("zoe@@exemple")
    await page.get_by_role("checkbox", name="Ne pas afficher mon nom").focus()
    await page.get_by_role("button", name="Signer").click()

    await expect(page).to_have_title("Erreur – Lettre ouverte pour un passage sûr")
    await expect(page.get_by_role("heading", name="Il y a un problème")).to_be_visible()
    await page.get_by_role("link", name="Choisissez votre pays.").click()
    await expect(page.get_by_role("combobox", name="Pays")).to_have_attribute("aria-invalid", "true")
    await expect(page.get_by_role("textbox", name="Votre nom")).to_have_value('Zoé <b>Éluard</b> & "fils"')
    await page.get_by_role("combobox", name="Pays").select_option("CA")
    await page.get_by_role("textbox", name="Courriel").fill("zoe@exemple.org")
    await page.get_by_role("button", name="Signer").click()

    await expect(page.get_by_role("heading", level=1)).to_have_text("Merci. Votre signature compte.")
    await expect(page.get_by_text("demandons au gouvernement d’agir")).to_be_visible()
    await live.site.directory.refresh(now_please=True)
    await page.get_by_role("link", name="Retour à la lettre").click()
    await expect(page.get_by_role("listitem").filter(has_text='Zoé <b>Éluard</b> & "fils"')).to_be_visible()


async def test_only_what_fits_is_asked(noscript: Page, live: Live) -> None:
    page = noscript
    await page.goto(f"{live.url}/en/letters/letter")
    website = page.get_by_role("textbox", name="Website")
    authorized = page.get_by_role("checkbox", name="I may sign for this organization")
    hidden = page.get_by_role("checkbox", name="Do not show my name")
    await expect(website).to_be_hidden()
    await expect(authorized).to_be_hidden()
    await expect(hidden).to_be_visible()
    await page.get_by_role("radio", name="for an organization").check()
    await expect(website).to_be_visible()
    await expect(authorized).to_be_visible()
    await expect(hidden).to_be_hidden()
    await expect(page.locator("[name=hp_contact_2]")).not_to_be_in_viewport()


async def test_the_widget_takes_the_forms_place(page: Page, live: Live) -> None:
    await page.goto(f"{live.url}/en/letters/letter")
    await expect(page.locator("undersigned-letter")).to_be_visible()
    button = page.get_by_role("button", name="Sign")
    await expect(button).to_have_count(1)
    await page.get_by_role("combobox", name="Country").select_option("US")
    await page.get_by_role("textbox", name="Your name").fill("Ana Lee")
    await page.get_by_role("textbox", name="E-mail").fill("ana@example.org")
    await button.click()
    await expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    await expect(page.get_by_role("heading", level=1)).to_have_count(1)


@pytest.mark.parametrize("widget", [True, False])
async def test_another_language_keeps_what_was_typed(browser: Browser, live: Live, widget: bool) -> None:
    """Where the widget is kept away, too; and what was typed is kept nowhere but in the form."""
    context = await browser.new_context()
    page = await context.new_page()
    if not widget:
        await page.route("**/w/*.js", lambda route: route.abort())
    await page.goto(f"{live.url}/letters/letter?source=news")
    if widget:
        await page.wait_for_function("document.querySelector('undersigned-letter')?.shadowRoot")
    await page.get_by_role("radio", name="for an organization").check()
    await page.get_by_role("combobox", name="Country").select_option("US")
    await page.get_by_role("textbox", name="Organization").fill('Ada & "Co"')
    await page.get_by_role("checkbox", name="I may sign").check()
    await page.get_by_role("link", name="Français").click()

    await expect(page).to_have_title("Lettre ouverte pour un passage sûr")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Lettre ouverte pour un passage sûr")
    assert page.url == f"{live.url}/fr/letters/letter?source=news"
    await expect(page.get_by_role("radio", name="au nom d’une organisation")).to_be_checked()
    await expect(page.get_by_role("combobox", name="Pays")).to_have_value("US")
    await expect(page.get_by_role("textbox", name="Organisation", exact=True)).to_have_value('Ada & "Co"')
    await expect(page.get_by_role("checkbox", name="J’ai l’autorisation de signer")).to_be_checked()
    await expect(page.get_by_role("button", name="Signer")).to_have_count(1)
    await expect(page.get_by_role("link", name="English")).to_be_focused()
    assert await violations(page) == []
    assert await left_behind(context, page) == {}

    await page.go_back()
    await expect(page.get_by_role("heading", level=1)).to_have_text("An Open Letter on Safe Passage")
    await expect(page.get_by_role("textbox", name="Organization")).to_have_value('Ada & "Co"')
    await page.get_by_role("link", name="Français").click()
    await page.get_by_role("textbox", name="Courriel").fill("ada@exemple.org")
    await page.get_by_role("button", name="Signer").click()
    await expect(page.get_by_role("heading", name="Merci").first).to_be_visible()
    await context.close()


async def test_a_language_that_does_not_come_is_an_ordinary_link(browser: Browser, live: Live) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{live.url}/en/letters/letter")
    await page.get_by_role("textbox", name="Your name").fill("Ada")
    asked: list[str] = []

    async def fail_once(route: Route) -> None:
        asked.append(route.request.resource_type)
        await (route.abort() if len(asked) == 1 else route.continue_())

    await page.route("**/fr/letters/letter", fail_once)
    await page.get_by_role("link", name="Français").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Lettre ouverte pour un passage sûr")
    assert asked == ["fetch", "document"]
    await context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_stands_in_anybodys_way(page: Page, live: Live, letter: Letter, scheme: str) -> None:
    await sign(
        live.site.db, letter.id,
        {"name": "Ana", "organization": "Café", "role": "Cook"},
        {"kind": "organization", "organization": "The Harbour Coalition", "initiator_rank": 0},
    )  # fmt: skip
    await live.site.directory.refresh(now_please=True)
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for path in PATHS:
        for locale in ("en", "fr"):
            await page.goto(f"{live.url}/{locale}{path}")
            await page.wait_for_load_state("networkidle")
            assert await violations(page) == [], (locale, path)


async def test_forms_and_answers_without_script_are_accessible(browser: Browser, live: Live) -> None:
    """axe is a script itself: here the page's own is kept away, not the browser's."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.route("**/w/*.js", lambda route: route.abort())
    await page.goto(f"{live.url}/fr/letters/letter")
    assert await violations(page) == []
    await page.get_by_role("button", name="Signer").click()
    await page.wait_for_url("**/v1/signatures")
    assert await violations(page) == []
    assert await page.evaluate("document.activeElement.id") == "errors"
    await page.get_by_role("combobox", name="Pays").select_option("CA")
    await page.get_by_role("textbox", name="Votre nom").fill("Zoé")
    await page.get_by_role("textbox", name="Courriel").fill("zoe@exemple.org")
    await page.get_by_role("button", name="Signer").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Merci")
    assert await violations(page) == []
    await context.close()


@pytest.mark.parametrize("script", [True, False])
async def test_no_page_is_wider_than_a_small_phone(browser: Browser, live: Live, letter: Letter, script: bool) -> None:
    await sign(live.site.db, letter.id, {"name": "Abc" * 66}, {"name": "Ana", "organization": "W" * 200})
    await live.site.directory.refresh(now_please=True)
    context = await browser.new_context(viewport={"width": 320, "height": 800})
    page = await context.new_page()
    if not script:
        await page.route("**/w/*.js", lambda route: route.abort())
    for path in (*PATHS, "/nothing"):
        for locale in ("en", "fr"):
            await page.goto(f"{live.url}/{locale}{path}")
            await page.wait_for_load_state("networkidle")
            assert await page.evaluate("document.documentElement.scrollWidth") <= 320, (locale, path)
    await context.close()


async def test_paper_has_the_letter_and_the_names_and_no_form(page: Page, live: Live, letter: Letter) -> None:
    await sign(live.site.db, letter.id, {"name": "Ana Lee"})
    await live.site.directory.refresh(now_please=True)
    await page.goto(f"{live.url}/en/letters/letter")
    await page.emulate_media(media="print")
    await expect(page.get_by_text("To whom it may concern.")).to_be_visible()
    await expect(page.get_by_text("Ana Lee")).to_be_visible()
    await expect(page.get_by_text("The current list of names is at")).to_be_visible()
    await expect(page.locator("#sign")).to_be_hidden()
    await expect(page.get_by_role("link", name="Français")).to_be_hidden()
