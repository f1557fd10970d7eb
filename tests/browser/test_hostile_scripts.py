"""What optimizers, page builders and old libraries do to a script: it still draws one form, which still signs."""

from __future__ import annotations

import httpx
import pytest
from playwright.async_api import Browser, expect
from sqlalchemy import select

from tests.browser.conftest import Host
from tests.browser.visitor import Watched, send, sign
from tests.conftest import Live
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.snippet import snippet
from widget_server.store.db import Db
from widget_server.store.tables import signatures

pytestmark = pytest.mark.browser

TWO = pytest.mark.engines("chromium", "firefox")


@pytest.fixture
def embed(live: Live, letter: Letter, partner: Partner, token: str) -> str:
    return snippet(live.url, letter, partner, token, "en")


@pytest.fixture
def place(embed: str) -> str:
    """The snippet without its script."""
    return embed[: embed.index("<script")]


@pytest.fixture
def source(embed: str) -> str:
    """The address of the script."""
    return embed.split('src="')[1].split('"')[0]


@pytest.fixture
async def script(source: str) -> str:
    """What the script says."""
    async with httpx.AsyncClient() as client:
        return (await client.get(source)).text


async def opened(browser: Browser, url: str) -> Watched:
    watched = Watched(await (await browser.new_context()).new_page())
    await watched.page.goto(url)
    return watched


async def signs_once(watched: Watched, db: Db, partner: Partner) -> None:
    await expect(send(watched.page)).to_have_count(1)
    await sign(watched.page)
    rows = await db.all(select(signatures))
    assert [row["partner_id"] for row in rows] == [partner.id]
    # Of document.write() Chromium disapproves in any case.
    assert [line for line in watched.said if "parser-blocking" not in line] == []


@TWO
async def test_combined_with_others_and_served_by_the_partner(
    browser: Browser, host: Host, live: Live, place: str, script: str, db: Db, partner: Partner
) -> None:
    bundle = f'"use strict";var a=1\n;{script}\n;(function(){{window.b=2}})();{script}'
    host.document(bundle, path="/cache/min.js", headers={"content-type": "text/javascript"})
    watched = await opened(browser, host.page(place + '<script defer src="/cache/min.js"></script>'))
    await signs_once(watched, db, partner)
    assert f"{live.url}/v1/signatures" in watched.asked


@TWO
async def test_held_back_until_somebody_moves(
    browser: Browser, host: Host, place: str, source: str, db: Db, partner: Partner
) -> None:
    held = f"""{place}<script type="rocketlazyloadscript" data-src="{source}"></script><script>
        const wake = () => document.querySelectorAll("script[data-src]").forEach(held => {{
            const script = document.createElement("script");
            script.src = held.dataset.src;
            held.replaceWith(script);
        }});
        for (const event of ["mousemove", "keydown", "touchstart"]) addEventListener(event, wake, {{ once: true }});
    </script>"""
    watched = await opened(browser, host.page(held))
    await expect(watched.page.locator("[data-undersigned] > a")).to_be_visible()
    await watched.page.keyboard.press("Shift")
    await signs_once(watched, db, partner)


async def test_written_into_the_page_before_or_after_the_place(
    browser: Browser, host: Host, place: str, source: str, db: Db, partner: Partner
) -> None:
    written = f"""<script>document.write('<script src="{source}"><\\/script>')</script>{place}"""
    await signs_once(await opened(browser, host.page(written)), db, partner)


# What Prototype 1.6, MooTools 1.2 and their like put into everybody's objects, restated from their documentation.
PATCHES = """
for (const name of ["each", "all", "any", "inject", "invoke", "pluck", "toArray", "clone", "toJSON"])
    Array.prototype[name] = function () { throw new Error("Array.prototype." + name); };
Array.from = (list) => { const all = []; for (let i = 0; i < (list.length || 0); i++) all.push(list[i]); return all; };
Array.prototype.find = function (test) { for (let i = 0; i < this.length; i++) if (test(this[i], i)) return this[i]; };
Array.prototype.reduce = function () { throw new Error("reduce"); };
Array.prototype.entries = Array.prototype.toArray;
String.prototype.toJSON = function () { return '"' + this + '"'; };
String.prototype.includes = function (what) { return this.indexOf(what) > -1; };
Function.prototype.bind = function (to) { const self = this; return function () { return self.apply(to); }; };
for (const name of ["update", "hide", "show", "visible", "replace", "up", "down", "select", "fire"])
    HTMLElement.prototype[name] ||= function () { throw new Error("Element." + name); };
Element.prototype.remove = function () { this.parentNode.removeChild(this); return this; };
window.$ = window.$$ = window.Element = window.name = undefined;
window.define = Object.assign(() => { throw new Error("define"); }, { amd: {} });
window.module = window.exports = {};
const real = window.fetch;
window.fetch = function (...given) { return real.apply(this, given).then((answer) => answer); };
"""


@TWO
async def test_among_libraries_that_change_everybodys_objects(
    browser: Browser, host: Host, embed: str, db: Db, partner: Partner
) -> None:
    watched = await opened(browser, host.page(f"<script>{{{PATCHES}}}</script>{embed}"))
    await signs_once(watched, db, partner)


async def test_an_app_that_inserts_moves_clones_and_removes(
    browser: Browser, host: Host, place: str, source: str, db: Db, partner: Partner
) -> None:
    watched = await opened(browser, host.page(f'<div id=app></div><script async src="{source}"></script>'))
    page = watched.page
    await page.evaluate("html => document.querySelector('#app').innerHTML = html", place)
    await expect(send(page)).to_have_count(1)
    # A view transition draws the same markup again, taken from what was there.
    again = "app => { const html = app.outerHTML; app.remove(); document.querySelector('main').innerHTML += html }"
    await page.locator("#app").evaluate(again)
    await signs_once(watched, db, partner)
    await page.evaluate("document.querySelector('#app').replaceChildren()")
    await expect(page.locator("undersigned-letter")).to_have_count(0)


async def test_in_somebody_elses_shadow_root(
    browser: Browser, host: Host, source: str, token: str, db: Db, partner: Partner
) -> None:
    watched = await opened(browser, host.page(f'<div id=app></div><script src="{source}"></script>'))
    await watched.page.evaluate(
        """token => { const letter = document.createElement("undersigned-letter"); letter.setAttribute("token", token);
        document.querySelector("#app").attachShadow({ mode: "open" }).append(letter) }""",
        token,
    )
    await signs_once(watched, db, partner)
