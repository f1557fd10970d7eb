"""The widget in a real browser, on a partner's page of another origin: signing, and what can go wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.async_api import Browser, Page, Request, Route, expect
from sqlalchemy import select

from tests.browser.conftest import Host
from tests.conftest import Clock, Live
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.snippet import snippet
from widget_server.flows.load_letter import load_letter
from widget_server.store.db import Db
from widget_server.store.tables import signatures

pytestmark = pytest.mark.browser

EMPTY = {"en": ["Choose your country.", "Enter your name.", "Enter your e-mail address."]}


@pytest.fixture
def embed(live: Live, letter: Letter, partner: Partner, token: str) -> str:
    """The snippet that the partner was given."""
    return snippet(live.url, letter, partner, token, "en")


async def opened(browser: Browser, url: str, *, width: int = 1280) -> Page:
    context = await browser.new_context(viewport={"width": width, "height": 900})
    page = await context.new_page()
    await page.goto(url)
    return page


async def fill(page: Page, *, name: str = "Your name", email: str = "E-mail", country: str = "Country") -> None:
    await page.get_by_label(country).select_option("CA")
    await page.get_by_label(name).fill("Zoé Tremblay-O'Neil")
    await page.get_by_label(email, exact=True).fill("zoe@example.org")


async def stored(db: Db) -> list[dict[str, Any]]:
    return await db.all(select(signatures).order_by(signatures.c.seq))


async def focused(page: Page) -> str:
    """Tag, id and class of what has the focus, inside shadow roots too."""
    return str(
        await page.evaluate(
            """() => { let a = document.activeElement; while (a.shadowRoot?.activeElement) a =
            a.shadowRoot.activeElement; return `${a.localName}#${a.id}.${a.className}` }"""
        )
    )


async def test_a_person_signs_in_french(browser: Browser, host: Host, embed: str, db: Db) -> None:
    page = await opened(browser, host.page(embed, lang="fr-CA", path="/lettre") + "?utm_source=infolettre#x", width=390)
    await expect(page.get_by_role("radio", name="à titre personnel")).to_be_checked()
    await page.get_by_role("button", name="Lire la lettre").click()
    await expect(page.get_by_text("sécurité")).to_be_visible()
    await fill(page, name="Votre nom", email="Courriel", country="Pays")
    await expect(page.get_by_text("Nous, soussignés établis au Canada")).to_be_visible()
    for box in await page.get_by_role("checkbox").all():
        await expect(box).not_to_be_checked()
    await page.get_by_label("Ne pas afficher mon nom").check()
    await page.get_by_role("button", name="Signer").click()
    await expect(page.get_by_role("heading", name="Merci")).to_be_focused()
    await expect(page.get_by_text("1 signature").first).to_be_visible()
    (row,) = await stored(db)
    assert (row["name"], row["kind"], row["statement"], row["locale"]) == (
        "Zoé Tremblay-O'Neil", "individual", "ca", "fr",
    )  # fmt: skip
    assert (row["source"], row["page"]) == ("infolettre", f"{host.url}/lettre")
    assert row["shown"]
    assert not row["public"]
    assert not row["contact_opt_in"]
    assert row["elapsed"] > 0
    assert row["origin"] == host.url


async def test_an_organization_signs_in_english(browser: Browser, host: Host, embed: str, db: Db) -> None:
    page = await opened(browser, host.page(embed.replace("<div ", '<div data-source="home" ')) + "?source=other")
    await page.get_by_label("for an organization").check()
    await expect(page.get_by_label("Do not show my name")).to_have_count(0)
    await page.get_by_label("Country").select_option(label="United States")
    await expect(page.get_by_text("based in the United States, confirm")).to_be_visible()
    await page.get_by_label("Organization", exact=True).fill("Harbour & Sons (Local 49)")
    await page.get_by_label("E-mail").fill("office@harbour.example")
    await page.get_by_role("button", name="Sign").click()
    await expect(page.get_by_role("link", name="may sign for this organization")).to_be_visible()
    await page.get_by_label("I may sign for this organization").check()
    await page.get_by_role("checkbox", name="The Harbour Coalition").check()
    await page.get_by_role("button", name="Sign the letter").click()
    await expect(page.get_by_role("heading", name="Thank you")).to_be_focused()
    await expect(page.get_by_text("listed once it has been checked")).to_be_visible()
    place = page.locator("[data-undersigned]")
    assert await place.evaluate("place => place.offsetHeight") < 500  # what was kept free for the form is given back
    (row,) = await stored(db)
    assert (row["organization"], row["statement"], row["authorized"]) == (
        "Harbour & Sons (Local 49)",
        "us",
        True,
    )
    assert (row["source"], row["contact_opt_in"], row["partner_opt_in"]) == ("home", True, False)


async def test_errors_stand_in_a_summary_and_beside_their_fields(browser: Browser, host: Host, embed: str) -> None:
    page = await opened(browser, host.page(embed))
    await page.get_by_label("E-mail").fill("nobody")
    await page.get_by_role("button", name="Sign the letter").click()
    summary = page.locator(".errors")
    await expect(summary).to_be_focused()
    links = summary.get_by_role("link")
    await expect(links).to_have_text(
        ["Choose your country.", "Enter your name.", "Enter an e-mail address like name@example.org."]
    )
    email = page.get_by_label("E-mail")
    await expect(email).to_have_attribute("aria-invalid", "true")
    await expect(email).to_have_accessible_description("Enter an e-mail address like name@example.org. Never shown.")
    await expect(email).to_have_value("nobody")
    await links.last.click()
    await expect(email).to_be_focused()
    await links.first.press("Enter")
    assert (await focused(page)).startswith("select#country")
    assert page.url == host.url + "/"


async def test_what_is_mended_is_no_longer_wrong(browser: Browser, host: Host, embed: str) -> None:
    page = await opened(browser, host.page(embed))
    await page.get_by_role("button", name="Sign the letter").click()
    summary = page.locator(".errors")
    links = summary.get_by_role("link")
    await expect(summary).to_be_focused()

    name = page.get_by_label("Your name")
    await name.press_sequentially("A")
    await expect(name).to_have_attribute("aria-invalid", "false")
    await expect(name).to_have_accessible_description("Shown on the list as typed.")
    await expect(name).to_be_focused()
    await expect(links).to_have_text([EMPTY["en"][0], EMPTY["en"][2]])

    country = page.get_by_label("Country")
    await country.select_option("FR")
    await expect(country).to_have_accessible_description(re.compile("no statement for France"))
    await expect(links).to_have_text([EMPTY["en"][2]])
    await page.get_by_label("E-mail").fill("a@b.example")
    await expect(summary).to_be_hidden()
    assert (await focused(page)).startswith("input#email")

    await page.get_by_role("button", name="Sign the letter").click()
    await expect(links).to_have_text([re.compile("no statement for France")])


async def test_another_kind_is_asked_without_the_marks_of_the_first(browser: Browser, host: Host, embed: str) -> None:
    page = await opened(browser, host.page(embed))
    await page.get_by_role("button", name="Sign the letter").click()
    await expect(page.locator(".errors")).to_be_focused()
    kind = page.get_by_label("for an organization")
    await kind.check()
    await expect(page.locator("[aria-invalid=true]")).to_have_count(0)
    await expect(page.get_by_label("Your own name (optional)")).to_have_accessible_description("Never shown.")
    await expect(page.locator(".errors")).to_be_hidden()
    await expect(kind).to_be_focused()


async def test_a_country_that_nothing_covers_stays_so_for_the_other_kind(
    browser: Browser, host: Host, embed: str
) -> None:
    page = await opened(browser, host.page(embed))
    country = page.get_by_label("Country")
    told = re.compile("no statement for France")
    await country.select_option("FR")
    await expect(country).to_have_accessible_description(told)
    await page.get_by_label("for an organization").check()
    await expect(page.get_by_label("Organization", exact=True)).to_be_visible()
    await expect(country).to_have_accessible_description(told)


async def test_a_double_click_is_one_signature(browser: Browser, host: Host, embed: str, db: Db) -> None:
    page = await opened(browser, host.page(embed))
    posts: list[Request] = []
    page.on("request", lambda request: posts.append(request) if request.method == "POST" else None)
    await fill(page)
    await page.get_by_role("button", name="Sign the letter").dblclick()
    await expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    assert len(posts) == 1
    assert posts[0].headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert len(await stored(db)) == 1


async def test_after_a_503_the_same_signature_is_sent_again(browser: Browser, host: Host, embed: str, db: Db) -> None:
    page = await opened(browser, host.page(embed))
    sent: list[str] = []

    async def first_refuse(route: Route) -> None:
        sent.append(parse_qs(route.request.post_data or "")["id"][0])
        if len(sent) == 1:
            headers = {
                "access-control-allow-origin": "*",
                "access-control-expose-headers": "Retry-After",
                "retry-after": "1",
            }
            await route.fulfill(status=503, headers=headers, json={"title": "Not now", "status": 503})
        else:
            await route.continue_()

    await page.route("**/v1/signatures", first_refuse)
    await fill(page)
    await page.get_by_role("button", name="Sign the letter").click()
    await expect(page.get_by_text("Sending…")).to_be_visible()
    await expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    assert len(sent) == 2
    assert sent[0] == sent[1] == (await stored(db))[0]["id"]


async def test_out_of_reach_keeps_what_was_typed_and_shows_the_way(
    browser: Browser, host: Host, embed: str, db: Db, live: Live, token: str
) -> None:
    page = await opened(browser, host.page(embed))
    sent: list[str] = []

    async def portal(route: Route) -> None:
        sent.append(parse_qs(route.request.post_data or "")["id"][0])
        await route.fulfill(status=200, headers={"access-control-allow-origin": "*"}, body="<h1>Log in to Wi-Fi</h1>")

    await page.route("**/v1/signatures", portal)
    await fill(page)
    await page.get_by_role("button", name="Sign the letter").click()
    await expect(page.locator(".errors")).to_be_focused(timeout=10_000)
    way = page.locator(".errors").get_by_role("link")
    await expect(way).to_have_attribute("href", f"{live.url}/letters/letter?via={token}")
    await expect(page.get_by_label("Your name")).to_have_value("Zoé Tremblay-O'Neil")
    await page.unroute("**/v1/signatures")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    assert {row["id"] for row in await stored(db)} == set(sent)


async def test_enter_sends_inside_a_sandbox_and_inside_somebody_elses_form(
    browser: Browser, host: Host, embed: str, db: Db
) -> None:
    host.page(f'<form action="/lost" onsubmit="document.title=\'submitted\'">{embed}</form>', path="/inner")
    page = await opened(
        browser,
        host.page('<iframe src="/inner" sandbox="allow-scripts" title="Letter" width=700 height=1400></iframe>'),
    )
    frame = page.frame_locator("iframe")
    await frame.get_by_label("Country").select_option("CA")
    await frame.get_by_label("Your name").fill("Ada")
    await frame.get_by_label("E-mail").fill("ada@example.org")
    await frame.get_by_label("E-mail").press("Enter")
    await expect(frame.get_by_role("heading", name="Thank you")).to_be_visible()
    (row,) = await stored(db)
    assert (row["name"], row["origin"]) == ("Ada", None)
    assert await page.frames[1].title() == "A partner"


async def test_a_country_without_a_statement_is_told_at_once(browser: Browser, host: Host, embed: str) -> None:
    page = await opened(browser, host.page(embed))
    country = page.get_by_label("Country")
    await expect(country.locator("option")).to_have_count(250)
    assert await country.evaluate("s => [...s.options].slice(0, 4).map(o => o.value)") == [
        "",
        "CA",
        "US",
        "AF",
    ]
    await country.select_option("FR")
    told = "This letter is for people and organizations in other countries. It has no statement for France."
    await expect(country).to_have_accessible_description(told)
    await country.select_option("US")
    await expect(page.get_by_text("based in the United States")).to_be_visible()
    await expect(country).to_have_accessible_description("")


async def test_a_change_of_language_keeps_what_was_typed(browser: Browser, host: Host, embed: str) -> None:
    page = await opened(browser, host.page(embed))
    await page.get_by_label("for an organization").check()
    await page.get_by_label("Organization", exact=True).fill("Ada & Co")
    await page.get_by_label("I may sign for this organization").check()
    await page.get_by_label("Country").select_option("US")
    await page.evaluate("document.documentElement.lang = 'fr'")
    await expect(page.get_by_label("Organisation", exact=True)).to_have_value("Ada & Co")
    await expect(page.get_by_label("Pays")).to_have_value("US")
    await expect(page.get_by_text("Nous, soussignés établis aux États-Unis")).to_be_visible()
    await expect(page.get_by_label("autorisation de signer au nom")).to_be_checked()
    await expect(page.get_by_role("radio", name="organisation")).to_be_checked()
    await page.evaluate("document.querySelector('[data-undersigned]').dataset.lang = 'en'")
    await expect(page.get_by_label("Organization", exact=True)).to_have_value("Ada & Co")


async def test_events_tell_the_page_and_carry_nothing_personal(browser: Browser, host: Host, embed: str) -> None:
    page = await opened(browser, host.page("<p>Soon.</p>"))
    await page.evaluate(
        """embed => { window.seen = [];
        for (const name of ["ready", "submit", "invalid", "signed", "share", "error"])
            document.addEventListener("undersigned:" + name, e => {
                seen.push([name, e.detail]); if (name == "signed") e.preventDefault(); });
        const place = document.createElement("div"); place.innerHTML = embed.split("<script")[0];
        place.firstElementChild.dataset.redirect = "/merci";
        document.querySelector("main").append(place);
        const script = document.createElement("script"); script.src = embed.match(/src="([^"]+)"/)[1];
        document.head.append(script); }""",
        embed,
    )
    await page.get_by_role("button", name="Sign the letter").click()
    await expect(page.locator(".errors")).to_be_visible()
    await fill(page)
    await page.get_by_role("button", name="Sign the letter").click()
    await page.get_by_role("button", name="Copy link").click()
    seen = await page.evaluate("seen")
    assert [name for name, _ in seen] == ["ready", "submit", "invalid", "submit", "signed", "share"]
    assert seen[2][1] == {"fields": ["country", "name", "email"]}
    assert set(seen[4][1]) == {"id", "status", "statement", "counts"}
    assert seen[5][1] == {"channel": "copy"}
    assert "zoe" not in str(seen).lower()
    assert page.url == host.url + "/"


@pytest.mark.parametrize(("redirect", "follows"), [("/merci?a=b", True), ("javascript:document.title='hacked'", False)])
async def test_a_redirect_leads_only_to_a_page(
    browser: Browser, host: Host, embed: str, redirect: str, follows: bool
) -> None:
    host.page("<p>Merci.</p>", path="/merci")
    page = await opened(browser, host.page(embed.replace("<div ", f'<div data-redirect="{redirect}" ')))
    await fill(page)
    await page.get_by_role("button", name="Sign the letter").click()
    if follows:
        await page.wait_for_url(host.url + "/merci?a=b")
    else:
        await expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
        assert await page.title() == "A partner"


async def test_prefilled_and_tried_without_counting(browser: Browser, host: Host, embed: str, db: Db) -> None:
    attributes = 'data-test data-prefill-name="A <b>B</b>" data-prefill-email="a@b.example" data-prefill-country="CA"'
    page = await opened(browser, host.page(embed.replace("<div ", f"<div {attributes} ")))
    await expect(page.get_by_text("Test mode")).to_be_visible()
    await expect(page.get_by_label("Your name")).to_have_value("A <b>B</b>")
    await expect(page.get_by_text("based in Canada, call on")).to_be_visible()
    await page.get_by_role("button", name="Sign the letter").click()
    await expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    await expect(page.locator(".counter")).to_contain_text("0 signatures")
    (row,) = await stored(db)
    assert row["test"]


async def test_check_your_mail_shows_the_address_and_mends_it(
    browser: Browser, host: Host, embed: str, db: Db, live: Live, letter_folder: Path, clock: Clock
) -> None:
    toml = letter_folder / "letter.toml"
    toml.write_text(toml.read_text("utf-8").replace('confirmation = "none"', 'confirmation = "email"'), "utf-8")
    await load_letter(db, letter_folder, now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    page = await opened(browser, host.page(embed))
    sent: list[dict[str, list[str]]] = []
    page.on("request", lambda request: sent.append(parse_qs(request.post_data or "")))
    await fill(page)
    await page.get_by_role("button", name="Sign the letter").click()
    await expect(page.get_by_role("heading", name="check your mail")).to_be_focused()
    await expect(page.locator(".confirm")).to_contain_text("zoe@example.org")
    await page.get_by_role("button", name="Correct the address").click()
    email = page.get_by_label("E-mail")
    await expect(email).to_be_focused()
    await expect(page.get_by_label("Your name")).to_have_value("Zoé Tremblay-O'Neil")
    await email.fill("zoe@example.com")
    await page.get_by_role("button", name="Sign the letter").click()
    await expect(page.locator(".confirm")).to_contain_text("zoe@example.com")
    first, second = [form for form in sent if "token" in form]
    assert first["id"] != second["id"]
    assert "replaces" not in first
    assert second["replaces"][0]
    assert [(row["status"], row["email"]) for row in await stored(db)] == [("pending", "zoe@example.com")]
