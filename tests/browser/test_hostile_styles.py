"""Pages whose style sheets mean everybody: inside, the widget looks as on a page without any."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import Host
from tests.browser.visitor import fits, send, shot, sign
from tests.conftest import Live
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.snippet import snippet

pytestmark = [pytest.mark.browser, pytest.mark.engines("chromium", "firefox")]

SHEETS = {
    "everything unset": "* { all: unset !important }",
    "everything loud": """* { color: red !important; padding: 33px !important; margin: 20px !important;
        letter-spacing: 9px !important; line-height: 3 !important; text-transform: uppercase !important;
        text-align: right !important; text-indent: 5em !important; text-shadow: 3px 3px lime !important;
        white-space: nowrap !important; word-spacing: 1em !important; cursor: wait !important }""",
    "everything small and dead": """* { font: italic 9px/1 fantasy !important; pointer-events: none !important;
        user-select: none !important; visibility: hidden !important }""",
    "everything moves": """* { transition: all 9s !important; animation: turn 9s infinite !important }
        @keyframes turn { to { color: lime; letter-spacing: 9px } }""",
    "everything backwards": "* { direction: rtl !important; unicode-bidi: bidi-override !important }",
    "controls of its own": """input, select, button, label, form, fieldset, progress { display: none !important }
        ::placeholder, ::marker, ::selection { color: lime !important } :focus { outline: none !important }""",
    "names of its own": """:root, * { --text: red; --bg: red; --accent: red; --field-bg: red; --border: red;
        --gap: 9em; --radius: 9em } .box, .form, .field, .button, .errors, .title { display: none !important }""",
    "ten pixels": "html { font-size: 62.5% } body { font-size: 1.1rem }",
}

# Each node inside with its styles, without what follows from the room that there is, and without the font, which is
# the page's own. The first look is kept; every later one tells what differs from it.
LOOK = r"""() => {
    const room = /^(font-family|(m..-)?(width|height|inline-size|block-size)|inset|top|right|bottom|left)|origin$/;
    const inside = document.querySelector("undersigned-letter").shadowRoot.querySelectorAll(".box, .box *");
    const seen = [...inside].flatMap((node, at) => {
        const style = getComputedStyle(node);
        const kept = [...style].filter(name => !room.test(name) && !/^(padding|margin|scroll-)/.test(name)).sort();
        return kept.map(name => `${at} ${node.localName}.${node.className} ${name}: ${style.getPropertyValue(name)}`);
    });
    window.first ||= seen;
    return seen.length == first.length ? seen.filter((line, at) => line != first[at]) : ["another number of nodes"];
}"""


async def opened(browser: Browser, url: str, *, width: int = 1280) -> Page:
    page = await (await browser.new_context(viewport={"width": width, "height": 900})).new_page()
    await page.goto(url)
    await expect(send(page)).to_be_visible()
    return page


@pytest.fixture
def embed(live: Live, letter: Letter, partner: Partner, token: str) -> str:
    return snippet(live.url, letter, partner, token, "en")


async def test_it_looks_the_same_inside(browser: Browser, host: Host, embed: str) -> None:
    page = await opened(browser, host.page(f"<style id=hostile></style>{embed}"))
    # The countries' names come in turns, after the form.
    await page.locator("[name=country] option").nth(200).wait_for(state="attached")
    assert await page.evaluate(LOOK) == []
    for name, sheet in SHEETS.items():
        await page.evaluate("sheet => document.querySelector('#hostile').textContent = sheet", sheet)
        await shot(page, f"hostile-{name.replace(' ', '-')}-{browser.browser_type.name}")
        assert await page.evaluate(LOOK) == [], name
    await page.evaluate("sheet => document.querySelector('#hostile').textContent = sheet", SHEETS["everything unset"])
    await sign(page)


PLACES = [
    SHEETS["everything loud"],
    SHEETS["everything small and dead"],
    "html { zoom: 1.5 }",
    "body { zoom: .7 }",
    "main { transform: rotate(3deg) scale(.9) }",
    "main { display: flex } main > * { min-width: 0 }",
    "[data-undersigned] { float: left; width: 230px }",
    "main { columns: 2 }",
    "main { position: fixed; inset: 0; overflow: auto } #after { position: sticky; bottom: 0; background: #ccc }",
]


@pytest.mark.engines("chromium")
@pytest.mark.parametrize("style", PLACES)
async def test_it_signs_wherever_it_is_put(browser: Browser, host: Host, embed: str, style: str) -> None:
    page = await opened(browser, host.page(f"<style>{style}</style>{embed}"))
    if "transform" not in style and "zoom" not in style:
        assert await fits(page)
    await sign(page)


async def test_it_fits_at_twice_the_size(browser: Browser, host: Host, embed: str) -> None:
    """200 % zoom on a window of 640 px leaves 320, and a reader's own font may be twice as large as well."""
    page = await opened(browser, host.page(embed), width=320)
    await page.evaluate(
        "document.querySelector('undersigned-letter').shadowRoot.firstElementChild.style.fontSize = '32px'"
    )
    assert await fits(page)
    await sign(page)
    assert await fits(page)
