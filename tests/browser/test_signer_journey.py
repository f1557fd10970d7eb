"""A signer's whole way in a real Chromium, in both languages: sign, take the link out of the mail, confirm, correct,
hide, agree, take the data away, take back, erase. Every page works without script, for everybody, on a small phone.
"""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import violations
from tests.conftest import Live
from tests.outbox.conftest import sign_many
from tests.web.signing import letter_folder
from widget_server.app import utc_now
from widget_server.domain.letters import Letter
from widget_server.domain.links import LinkPurpose, link_url
from widget_server.domain.partners import Partner
from widget_server.domain.signers import address_hash
from widget_server.flows.confirm import confirm
from widget_server.flows.withdraw import withdraw
from widget_server.i18n import Texts
from widget_server.store.signatures import find_signature

__all__ = ["letter_folder"]

pytestmark = pytest.mark.browser

ADDRESS = "zoe@exemple.org"


async def mailed(live: Live, subject: str) -> EmailMessage:
    """The mail to the signer with this subject, once it has been written."""
    async with asyncio.timeout(20):
        while True:
            for file in live.mail_folder.glob("*.eml"):
                mail = message_from_bytes(file.read_bytes(), EmailMessage, policy=default)
                if mail["to"] == ADDRESS and mail["subject"] == subject:
                    return mail
            await asyncio.sleep(0.02)  # a folder tells nobody that something was put into it


def first_link(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    found = re.search(r"http\S+", part.get_content())
    assert found is not None
    return found.group()


@pytest.mark.parametrize("locale", ["en", "fr"])
@pytest.mark.parametrize("script", [True, False])
async def test_the_whole_way(
    browser: Browser, live: Live, letter: Letter, token: str, texts: Texts, locale: str, script: bool
) -> None:
    def say(key: str, **values: Any) -> str:
        return texts(key, locale, **values)

    context = await browser.new_context(java_script_enabled=script, viewport={"width": 390, "height": 844})
    page = await context.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    heading = page.get_by_role("heading", level=1)

    # Signing, with a typo in the address that is mended at once.
    await page.goto(f"{live.url}/{locale}/letters/letter?via={token}")
    await page.get_by_role("combobox", name=say("widget.form.country")).select_option("CA")
    await page.get_by_role("textbox", name=say("widget.form.name")).fill("Zoe Gagne")
    email = page.get_by_role("textbox", name=say("widget.form.email"))
    await email.fill("zoe@exmeple.org")
    await page.get_by_role("button", name="Signer" if locale == "fr" else "Sign").click()
    await expect(page.get_by_text("zoe@exmeple.org").first).to_be_visible()
    if script:
        await page.get_by_role("button", name=say("widget.later.mend")).click()
        await email.fill(ADDRESS)
        await page.get_by_role("button", name="Signer" if locale == "fr" else "Sign").click()
    else:
        await page.get_by_role("textbox", name=say("signer.mend.email")).fill(ADDRESS)
        await page.get_by_role("button", name=say("signer.mend.button")).click()
    await expect(page.get_by_text(ADDRESS).first).to_be_visible()

    # The mail, and what its link shows before anything is pressed.
    title = letter.settings.title[locale]
    await page.goto(first_link(await mailed(live, say("mail.confirm.subject", title=title))))
    await expect(heading).to_have_text(say("signer.confirm.heading"))
    await page.get_by_role("link", name=say("signer.confirm.correct")).click()
    await page.get_by_role("textbox", name=say("widget.form.name")).fill("Zoë Gagné")
    await page.get_by_role("button", name=say("signer.name.button")).click()
    await expect(page.get_by_role("status")).to_have_text(say("signer.done.corrected"))
    await expect(page.get_by_text("Zoë Gagné")).to_be_visible()
    await page.get_by_role("button", name=say("signer.confirm.button")).click()
    await expect(heading).to_have_text(say("page.signed.heading"))
    await expect(page.get_by_text(say("page.signed.count", count=1))).to_be_visible()

    # The own page: hidden, shown, corrected once more.
    await page.get_by_role("link", name=say("signer.confirmed.own")).click()
    own = page.url
    for button, done in (("hide", "hidden"), ("show", "shown")):
        await page.get_by_role("button", name=say(f"signer.own.{button}")).click()
        await expect(page.get_by_role("status")).to_have_text(say(f"signer.done.{done}"))
    await page.get_by_text(say("signer.own.correct"), exact=True).click()
    await page.get_by_role("textbox", name=say("widget.form.city")).fill("Québec")
    await page.get_by_role("button", name=say("signer.own.save"), exact=True).click()
    await expect(page.get_by_role("status")).to_have_text(say("signer.done.corrected"))

    # A consent, given and taken back.
    box = page.get_by_role("checkbox", name="The Harbour Coalition")
    for given in (True, False):
        await box.set_checked(given)
        await page.get_by_role("button", name=say("signer.own.emails_save")).click()
        await expect(page.get_by_role("status")).to_have_text(say("signer.done.consents"))
        await expect(box).to_be_checked(checked=given)

    # The data: as a file, and to read.
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name=say("signer.own.kept_file")).click()
    download = await downloading.value
    assert download.suggested_filename == "letter.json"
    (data,) = json.loads(Path(await download.path()).read_text("utf-8"))["signatures"]
    assert (data["name"], data["email"], data["city"]) == ("Zoë Gagné", ADDRESS, "Québec")
    assert [one["given"] for one in data["consents"]] == [True, False]
    await page.get_by_role("link", name=say("signer.own.kept_all")).click()
    await expect(page.get_by_text(ADDRESS)).to_be_visible()

    # Taken back, then erased.
    await page.goto(own)
    await page.get_by_role("link", name=say("signer.own.withdraw")).click()
    await page.get_by_role("button", name=say("signer.ask.withdraw.button")).click()
    await expect(page.get_by_role("status")).to_have_text(say("signer.done.withdrawn"))
    await page.get_by_role("link", name=say("signer.own.erase")).click()
    await page.get_by_role("button", name=say("signer.ask.erase.button")).click()
    await expect(heading).to_have_text(say("signer.ask.erase.done_heading"))
    assert await find_signature(live.site.db, data["id"]) is None
    await live.site.directory.refresh(now_please=True)  # what is answered may be half a second old
    assert (await live.site.directory.counts(letter)).total == 0
    assert {url.partition("/")[0] + url[: len(live.url)] for url in requests} == {"http:" + live.url}, "nobody else"
    assert await context.cookies() == []
    await context.close()


@pytest.mark.parametrize("locale", ["en", "fr"])
async def test_a_fresh_link_by_mail(
    browser: Browser, live: Live, letter: Letter, partner: Partner, texts: Texts, locale: str
) -> None:
    mailbox = address_hash(letter.signer_key, ADDRESS)
    person = _person(locale, email=ADDRESS, address_hash=mailbox, name="Zoë Gagné")
    (id_,) = await sign_many(live.site.db, letter, partner, utc_now, [person])
    await confirm(live.site.turns, letter, id_)
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{live.url}/{locale}/letters/letter")
    await page.get_by_role("link", name=texts("page.your_signature", locale)).click()
    field = page.get_by_role("textbox", name=texts("signer.my.email", locale))
    button = page.get_by_role("button", name=texts("signer.my.button", locale))
    await field.fill("zoe@@exemple")
    await button.click()
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(field).to_have_value("zoe@@exemple")
    await field.fill(ADDRESS)
    await button.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(texts("signer.my.asked_heading", locale))
    title = letter.settings.title[locale]
    await page.goto(first_link(await mailed(live, texts("mail.signer.subject", locale, title=title))))
    await expect(page.get_by_role("heading", level=1)).to_have_text(texts("signer.own.heading", locale))
    await expect(page.get_by_text("Zoë Gagné").first).to_be_visible()
    await context.close()


def _person(locale: str, **more: Any) -> dict[str, Any]:
    return {"status": "pending", "confirmed_at": None, "locale": locale} | more


SMALL_TARGETS = """() => [...document.querySelectorAll("main :is(button, summary, .input, li > a, p > a:only-child)")]
  .filter((node) => ![...node.parentNode.childNodes].some((one) => one.nodeType == 3 && one.data.trim()))
  .map((node) => [node, (node.closest("label") || node).getBoundingClientRect().height])
  .filter(([, height]) => height && height < 44)
  .map(([node, height]) => `${node.textContent.trim() || node.name} ${height}`)"""
"""What a finger has to meet, but for links within a sentence (WCAG 2.5.5): those lower than 44 pixels."""


@pytest.mark.parametrize(("locale", "scheme"), [("en", "dark"), ("fr", "light")])
async def test_no_page_stands_in_anybodys_way(
    browser: Browser, live: Live, letter: Letter, partner: Partner, texts: Texts, locale: str, scheme: Any
) -> None:
    """axe, a width of 320 pixels, fingers, and the focus on what is wrong: on each page in each state."""
    site = live.site

    async def made(**more: Any) -> str:
        (id_,) = await sign_many(site.db, letter, partner, utc_now, [_person(locale, **more)])
        return id_

    def link(purpose: LinkPurpose, id_: str, rest: str = "", *, days_ago: int = 0) -> str:
        return link_url("", site.seals, purpose, id_, utc_now() - timedelta(days=days_ago)) + rest

    long = "Wafflehousesyndicat" * 10
    zoe = {"address_hash": "at-zoe", "email": f"{'z' * 60}@{'example-' * 7}domain.example.org"}
    person = await made(name="Zoë Gagné", role="Coordinator", organization=long, contact_opt_in=True, **zoe)
    twice = await made(signer_hash=person, **zoe)
    group = await made(kind="organization", organization=long, listing="awaiting_review", **zoe)
    hidden, taken_back, confirmed = await made(public=False), await made(), await made(**zoe)
    await confirm(site.turns, letter, confirmed)
    await withdraw(site.turns, letter, taken_back)
    paths = [link("confirm", id_) for id_ in (person, group, hidden, taken_back, confirmed)]
    paths += [link("confirm", person, rest) for rest in ("/name", "/not-me")]
    paths += [link("confirm", person, days_ago=15), link("confirm", confirmed, days_ago=15)]
    paths += [link("signer", id_) for id_ in (person, group, hidden, taken_back, confirmed)]
    paths += [link("signer", confirmed, rest) for rest in ("/data", "/withdraw", "/erase", "/not-me")]
    paths += [link("signer", confirmed, days_ago=15), link("unsubscribe", person), "/confirm/cut"]
    paths += [f"/{locale}/letters/letter/my-signature", f"/{locale}/letters/letter/privacy"]

    context = await browser.new_context(viewport={"width": 320, "height": 800}, color_scheme=scheme, locale=locale)
    page = await context.new_page()
    trouble: list[str] = []
    page.on("pageerror", lambda error: trouble.append(str(error)))

    async def look(where: str) -> None:
        await expect(page.locator("html")).to_have_attribute("lang", locale)
        for details in await page.locator("details").all():
            await details.evaluate("node => (node.open = true)")
        assert await violations(page) == [], where
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320, where
        if "privacy" not in where:
            assert await page.evaluate(SMALL_TARGETS) == [], where

    for path in paths:
        await page.goto(live.url + path)
        await look(path)

    async def press(button: str) -> None:
        await page.get_by_role("button", name=texts(button, locale), exact=True).click()

    # What is wrong takes the focus, and leads to its field.
    await page.goto(live.url + link("signer", confirmed))
    await page.get_by_text(texts("signer.own.correct", locale), exact=True).click()
    await _clear_and_follow(page, texts, locale, "signer.own.save")
    await look("/correct")
    await page.goto(live.url + link("confirm", person, "/name"))
    await _clear_and_follow(page, texts, locale, "signer.name.button")
    await look("/name")
    await page.goto(f"{live.url}/{locale}/letters/letter/my-signature")
    await press("signer.my.button")
    assert await page.evaluate("document.activeElement.id") == "email"
    await look("my-signature, wrong")
    await page.get_by_role("textbox").fill("zoe@example.org")
    await press("signer.my.button")
    await look("my-signature, asked")

    await page.goto(live.url + link("confirm", person))
    await press("signer.confirm.button")
    await look("thanks")
    await page.goto(live.url + link("confirm", twice))
    await look("asked again")
    await press("mail.already.button")
    await look("thanks again")
    await page.goto(live.url + link("confirm", hidden, "/not-me"))
    await press("signer.ask.not_me.button")
    await look("erased")
    await page.goto(live.url + link("unsubscribe", confirmed))
    await press("signer.ask.unsubscribe.button")
    await look("unsubscribed")
    await page.route("**/w/*.js", lambda route: route.abort())
    await page.goto(f"{live.url}/{locale}/letters/letter")
    await page.locator("#country").select_option("CA")
    await page.locator("#name").fill("Ana Lee")
    await page.locator("#email").fill(zoe["email"])
    await page.get_by_role("button", name="Signer" if locale == "fr" else "Sign").click()
    await expect(page.get_by_role("heading", name=texts("signer.mend.heading", locale))).to_be_visible()
    await look("signed")
    assert trouble == []
    await context.close()


async def _clear_and_follow(page: Page, texts: Texts, locale: str, save: str) -> None:
    name = page.get_by_role("textbox", name=texts("widget.form.name", locale))
    await name.fill("")
    await page.get_by_role("button", name=texts(save, locale), exact=True).click()
    await expect(name).to_have_attribute("aria-invalid", "true")
    assert await page.evaluate("document.activeElement.id") == "errors"
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(name).to_be_focused()
