"""The whole story in a real browser on two origins: a person from Canada in French, an organization from the US in
English, the coordinator's approval, the lists, the webhook and the Slack message."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect
from standardwebhooks import Webhook

from tests.browser.conftest import Host
from tests.outbox.receiver import Receiver, receiving
from tests.processes import Installation, installation

ADDRESSES = ("zoe@example.org", "jo@harbour.example", "H2X 1Y4")


@pytest.fixture
def place(tmp_path: Path, database_url: str) -> Installation:
    return installation(tmp_path / "place", database_url)


def webhooks(receiver: Receiver) -> list[dict[str, Any]]:
    return [one.json for one in receiver.received if one.path == "/crm"]


def slack_messages(receiver: Receiver) -> list[str]:
    return [one.body.decode() for one in receiver.received if one.path == "/slack"]


async def until(receiver: Receiver, fact: Any) -> None:
    async with asyncio.timeout(30):
        while not fact():
            await receiver.wait_for(len(receiver.received) + 1, seconds=30)


async def sign_as_a_person_in_french(page: Page) -> None:
    await page.get_by_label("Pays").select_option("CA")
    await expect(page.get_by_text("demandons au gouvernement d’agir")).to_be_visible()
    await page.get_by_label("Votre nom").fill("Zoë Gagné & <b>Cie</b>")
    await page.get_by_label("Courriel").fill("zoe@example.org")
    boxes = page.get_by_role("checkbox")
    assert not any([await boxes.nth(number).is_checked() for number in range(await boxes.count())])
    await page.get_by_role("button", name="Signer").click()
    await expect(page.get_by_role("heading", name="Merci")).to_be_visible()


async def sign_as_an_organization_in_english(page: Page) -> None:
    await page.get_by_label("for an organization").check()
    await page.get_by_label("Country").select_option("US")
    await page.get_by_role("textbox", name="Organization").first.fill("Harbour Watch <Inc.> & Friends")
    await page.get_by_label("E-mail").fill("jo@harbour.example")
    await page.get_by_label("I may sign for this organization").check()
    await page.get_by_role("button", name="Sign").click()
    await expect(page.get_by_role("heading", name="Thank you")).to_be_visible()


async def test_two_signers(place: Installation, letter_folder: Path, browser: Browser, host: Host) -> None:
    async with receiving() as receiver:
        hook = f"http://127.0.0.1:{receiver.port}"
        await place.command("letter", "load", str(letter_folder))
        await place.command("letter", "open", "letter")
        partner = await place.json("partner", "add", "letter", "maple", "--name", "Maple House", "--origin", host.url)
        crm = await place.json("destination", "add", "letter", "webhook", "--url", f"{hook}/crm")
        await place.command("destination", "add", "letter", "slack", "--url", f"{hook}/slack")
        async with place.serving():
            page = await browser.new_page()
            await page.goto(host.page(partner["snippet"], lang="fr"))
            await sign_as_a_person_in_french(page)
            await page.goto(host.page(partner["snippet"], lang="en", path="/en"))
            await sign_as_an_organization_in_english(page)

            await until(receiver, lambda: sum(b["type"] == "signature.confirmed" for b in webhooks(receiver)) == 2)
            await until(receiver, lambda: any("Harbour Watch" in message for message in slack_messages(receiver)))

            await page.goto(f"{place.url}/letters/letter")
            assert "Harbour Watch" not in await page.locator("main").inner_text()
            (waiting,) = await place.json("signatures", "list", "letter", "--listing", "awaiting_review")
            await place.command("signatures", "approve", "letter", waiting["id"])
            async with asyncio.timeout(5):  # what a command changes, every running server knows within 2 seconds
                while "Harbour Watch" not in await page.locator("main").inner_text():
                    await page.reload()
            names = await page.get_by_role("listitem").all_inner_texts()
            assert any("Zoë Gagné & <b>Cie</b>" in name for name in names)
            assert any("Harbour Watch <Inc.> & Friends" in name for name in names)

    for one in receiver.received:
        if one.path == "/crm":
            Webhook(crm["secret"]).verify(one.body.decode(), {k.lower(): v for k, v in one.headers.items()})
    confirmed = {b["data"]["kind"]: b["data"] for b in webhooks(receiver) if b["type"] == "signature.confirmed"}
    person, organization = confirmed["individual"], confirmed["organization"]
    assert (person["name"], person["locale"], person["statement"]) == ("Zoë Gagné & <b>Cie</b>", "fr", "ca")
    assert (organization["organization"], organization["country"]) == ("Harbour Watch <Inc.> & Friends", "US")
    assert {body["data"]["partner"]["slug"] for body in webhooks(receiver) if "partner" in body["data"]} == {"maple"}
    sent = "\n".join(slack_messages(receiver))
    assert "Zoë Gagné &amp; &lt;b&gt;Cie&lt;/b&gt;" in json.loads(json.dumps(sent))
    for address in ADDRESSES:
        assert address not in sent
        assert address not in json.dumps(webhooks(receiver))  # nobody opted in
