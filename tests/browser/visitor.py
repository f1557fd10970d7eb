"""What a visitor does with the widget, in any language, and what can be seen of it from outside."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, FrameLocator, Locator, Page, expect

SHOTS = Path("test-results")
"""Pictures for the eye; nothing is compared with them. Taken where UNDERSIGNED_TEST_PICTURES is set."""


async def write(control: Locator, text: str) -> None:
    """Fills a field. Over WebDriver BiDi, filling one that holds something already would append."""
    await control.fill("")
    await control.fill(text)


async def fill(place: Page | FrameLocator | Locator, *, name: str = "Zoé Tremblay-O'Neil", country: str = "CA") -> None:
    """Fills in what a person must."""
    await place.locator("[name=country]").select_option(country)
    await write(place.locator("[name=name]"), name)
    await write(place.locator("[name=email]"), "zoe@example.org")


def send(place: Page | FrameLocator | Locator) -> Locator:
    """The button that signs."""
    return place.locator("button.button")


async def sign(place: Page | FrameLocator | Locator) -> None:
    """Signs as a person, and sees the thanks."""
    await fill(place)
    await send(place).click()
    await expect(place.locator(".thanks .landing")).to_be_visible()


class Watched:
    """A page, what it asked for and what its console said."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.asked: list[str] = []
        self.said: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))

    def hosts(self) -> set[str]:
        """Who was asked for anything."""
        return {urlsplit(url).netloc for url in self.asked} - {""}


async def left_behind(context: BrowserContext, page: Page) -> dict[str, Any]:
    """What is kept in the browser for this page, by where it is kept. Nothing is an empty dictionary."""
    kept = await page.evaluate(
        """async () => ({
            local: Object.keys(localStorage), session: Object.keys(sessionStorage), cookie: document.cookie,
            databases: await indexedDB.databases(), caches: self.caches ? await caches.keys() : [],
            workers: navigator.serviceWorker ? (await navigator.serviceWorker.getRegistrations()).length : 0,
        })"""
    )
    kept["cookies"] = await context.cookies()
    return {place: what for place, what in kept.items() if what}


async def fits(page: Page) -> bool:
    """Nothing can be scrolled sideways, and nothing in the widget sticks out of its box."""
    return bool(
        await page.evaluate(
            """() => document.documentElement.scrollWidth <= innerWidth &&
            [...document.querySelectorAll("undersigned-letter")].every(({ shadowRoot }) => {
                const box = shadowRoot.firstElementChild.getBoundingClientRect();
                return [...shadowRoot.querySelectorAll(".box *:not(.trap, .trap *, option, hr)")].every(node => {
                    const { left, right, width } = node.getBoundingClientRect();
                    return !width || (left >= box.left - 1 && right <= box.right + 1);
                });
            })"""
        )
    )


def picture(name: str) -> Path | None:
    """Where a picture of that name goes, if any is wanted."""
    if not os.environ.get("UNDERSIGNED_TEST_PICTURES"):
        return None
    SHOTS.mkdir(exist_ok=True)
    return SHOTS / f"{name}.png"


async def shot(page: Page, name: str) -> None:
    """A picture of the whole page."""
    if path := picture(name):
        await page.screenshot(path=path, full_page=True)
