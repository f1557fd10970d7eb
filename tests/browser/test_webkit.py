"""The third engine. WebKitGTK is not Safari, but what it makes of styles, shadow roots and modules is the same.

Its driver blocks, so each visit runs in a thread of its own, beside the servers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait
from sqlalchemy import select

from tests.browser.conftest import AXE, Host
from tests.browser.engines import Missing, webkit
from tests.browser.visitor import picture
from tests.conftest import Live
from tests.store import listed
from tests.web.abuse import Serve, serve
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.snippet import snippet
from widget_server.store.db import Db
from widget_server.store.tables import signatures

__all__ = ["serve"]
pytestmark = pytest.mark.browser

AXE_SCRIPT = next(Path(axe_playwright_python.__file__).parent.rglob("axe.min.js")).read_text("utf-8")


@pytest.fixture(scope="module")
def driver() -> Iterator[webdriver.WebKitGTK]:
    try:
        with webkit() as driver:
            yield driver
    except Missing as missing:
        pytest.skip(str(missing))


class Visit:
    """One visitor in WebKit, on a page with one widget."""

    def __init__(self, driver: webdriver.WebKitGTK, url: str) -> None:
        self.driver = driver
        driver.get(url)

    def find(self, selector: str) -> WebElement:
        """What is inside the widget, as soon as it is there to see."""

        def there(driver: Any) -> WebElement | None:
            found: WebElement | None = driver.execute_script(
                """const node = document.querySelector("undersigned-letter")?.shadowRoot?.querySelector(arguments[0]);
                return node?.checkVisibility() ? node : null""",
                selector,
            )
            return found

        return WebDriverWait(self.driver, 30, 0.05).until(there)

    def click(self, selector: str) -> None:
        node = self.find(selector)
        self.driver.execute_script("arguments[0].scrollIntoView({ block: 'center' })", node)
        node.click()

    def focused(self) -> str:
        return str(
            self.driver.execute_script(
                "return document.querySelector('undersigned-letter').shadowRoot.activeElement?.className"
            )
        )

    def violations(self) -> list[str]:
        if not self.driver.execute_script("return !!window.axe"):
            self.driver.execute_script(AXE_SCRIPT)
        found = self.driver.execute_async_script(
            "axe.run(document, arguments[0]).then(arguments[1], error => arguments[1]({ error: String(error) }))", AXE
        )
        assert "error" not in found, found
        return [f"{one['id']}: {node['target']}" for one in found["violations"] for node in one["nodes"]]

    def fits(self) -> bool:
        return bool(self.driver.execute_script("return document.documentElement.scrollWidth <= innerWidth"))

    def sign(self) -> None:
        self.find("[name=country]").send_keys("Canada")
        self.find(".statement blockquote")
        self.find("[name=name]").send_keys("Zoé Tremblay-O'Neil")
        self.find("[name=email]").send_keys("zoe@example.org")
        self.click("button.button")
        self.find(".thanks .landing")


Embed = Callable[[Live], str]


@pytest.fixture
def embed(letter: Letter, partner: Partner, token: str) -> Embed:
    return lambda live: snippet(live.url, letter, partner, token, "fr")


async def test_the_way_through_the_form(
    driver: webdriver.WebKitGTK, host: Host, live: Live, embed: Embed, db: Db
) -> None:
    def visit() -> None:
        page = Visit(driver, url)
        page.click(".reading button")
        assert "sécurité" in page.find(".letter strong").text
        assert page.violations() == []
        assert page.fits()
        if path := picture("webkit-form"):
            driver.save_screenshot(str(path))
        page.click("button.button")
        page.find(".errors a")
        assert page.focused() == "errors"
        assert page.violations() == []
        page.find(".errors a").send_keys(Keys.ENTER)
        assert page.focused() == "input"
        page.sign()
        assert page.focused() == "landing"
        page.find(".share button")
        assert page.violations() == []
        if path := picture("webkit-thanks"):
            driver.save_screenshot(str(path))
        kept = "return [localStorage.length, sessionStorage.length, document.cookie]"
        assert driver.execute_script(kept) == [0, 0, ""]

    url = host.page(embed(live), lang="fr")
    await asyncio.to_thread(visit)
    (row,) = await db.all(select(signatures))
    assert (row["name"], row["locale"], row["origin"]) == ("Zoé Tremblay-O'Neil", "fr", host.url)


async def test_under_a_strict_policy_with_work_to_do(
    driver: webdriver.WebKitGTK, host: Host, serve: Serve, embed: Embed, db: Db
) -> None:
    live = await serve(proof_of_work="always")
    policy = (
        f"default-src 'none'; script-src {live.url}; connect-src {live.url}; style-src 'none'; img-src data:; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    url = host.page(embed(live), lang="fr", headers={"content-security-policy": policy}, path="/strict")
    await asyncio.to_thread(lambda: Visit(driver, url).sign())
    (row,) = await db.all(select(signatures))
    assert row["quarantine"] is None


async def test_the_other_views(
    driver: webdriver.WebKitGTK, host: Host, live: Live, embed: Embed, db: Db, letter: Letter
) -> None:
    def visit() -> None:
        page = Visit(driver, url)
        assert page.find(".list li").text == "Ana, Cook, Café"
        page.find(".list [type=search]").send_keys("nobody")
        WebDriverWait(driver, 30, 0.05).until(lambda _: page.find(".list .hint").text)
        assert page.violations() == []

    await listed.sign(db, letter.id, {"name": "Ana", "organization": "Café", "role": "Cook"})
    await live.site.directory.refresh(now_please=True)
    url = host.page(embed(live).replace("<div ", "<div data-view=list "), lang="fr", path="/list")
    await asyncio.to_thread(visit)
