"""Ten partners' pages: the widget looks as if it belonged there, changes nothing around it, and takes signatures.

The pages and their style sheets are in host_pages/. With UNDERSIGNED_TEST_PICTURES=1, pictures go to test-results/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import Host, violations
from tests.browser.visitor import Watched, fits, left_behind, send, shot, sign
from tests.conftest import Live
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.snippet import height, snippet

pytestmark = [pytest.mark.browser, pytest.mark.engines("chromium", "firefox")]

FOLDER = Path(__file__).parent / "host_pages"


@dataclass(frozen=True, slots=True)
class Site:
    """What is special about one partner's site, besides its style sheet."""

    attributes: str = 'lang="en"'
    texts: str = "en"
    policy: str = ""
    app: bool = False
    width: int = 1280


SITES: Mapping[str, Site] = {
    "plain": Site(),
    "bootstrap": Site('lang="en" data-bs-theme="light"'),
    "tailwind": Site(),
    "wordpress": Site(),
    "dark": Site(),
    "french": Site('lang="fr-CA"', "fr"),
    "rtl": Site('lang="ar" dir="rtl"', "ar"),
    "policy": Site(
        policy="default-src 'none'; script-src {api}; connect-src {api}; style-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "app": Site(app=True),
    "narrow": Site(width=320),
}

NAMES = "site menu one two heading lead after mailing address weekly subscribe".split()
TEXTS = {
    "en": (
        "Maple House|Main|Our work|News|A letter that needs your name|Who arrives needs a door, and who opens it needs "
        "company.|The letter goes out in spring.|Our mailing|E-mail|Weekly|Subscribe"
    ),
    "fr": (
        "Maison de l'érable|Principal|Notre travail|Nouvelles|Une lettre qui attend votre nom|Qui arrive a besoin "
        "d'une porte, et qui l'ouvre, de compagnie.|La lettre part au printemps.|Notre infolettre|Courriel|Chaque "
        "semaine|S'abonner"
    ),
    "ar": (
        "بيت القيقب|الرئيسية|عملنا|أخبار|رسالة تنتظر اسمك|من يصل يحتاج إلى باب، ومن يفتحه يحتاج إلى رفقة.|"
        "تُرسل الرسالة في الربيع.|نشرتنا|البريد|كل أسبوع|اشتراك"
    ),
}

# Every style of every element of the page itself, but for sizes that follow from how much stands in it, and where
# everything is from left to right.
AROUND = """() => [...document.querySelectorAll("html, head, body, body *")]
    .filter(node => !node.closest("[data-undersigned], script"))
    .map(node => {
        const style = getComputedStyle(node), { left, width } = node.getBoundingClientRect();
        return [node.localName, Math.round(left), Math.round(width), ...[...style]
            .filter(name => !/height|block-size|origin|^(inset|top|bottom)/.test(name))
            .map(name => name + style.getPropertyValue(name))].join();
    })"""

SHIFTS = """window.shift = 0;
new PerformanceObserver(list => list.getEntries().forEach(entry => shift += entry.value))
    .observe({ type: "layout-shift", buffered: true })"""

INSERT = """html => {
    const [, place, source] = html.match(/^(.*)<script async src="([^"]+)"/s);
    document.querySelector("#letter").innerHTML = place;
    const script = document.createElement("script");
    script.src = source;
    document.body.append(script);
}"""


def served_by(host: Host, name: str, site: Site, embed: str, tall: int, api: str) -> str:
    """Puts the page and its sheet on the partner's site; gives its address."""
    sheet = (FOLDER / f"{name}.css").read_text("utf-8").replace("{{ height }}", str(tall))
    host.document(sheet, path=f"/{name}.css", headers={"content-type": "text/css"})
    values = dict(zip(NAMES, TEXTS[site.texts].split("|"), strict=True))
    filled = {name: escape(text) for name, text in values.items()} | {
        "attributes": site.attributes,
        "sheet": f"/{name}.css",
        "embed": "" if site.app else embed,
    }
    page = re.sub(r"{{ (\w+) }}", lambda found: filled[found[1]], (FOLDER / "page.html").read_text("utf-8"))
    headers = {"content-security-policy": site.policy.format(api=api)} if site.policy else {}
    return host.document(page, path=f"/{name}", headers=headers)


@pytest.mark.parametrize("name", SITES)
async def test_at_home(
    browser: Browser, host: Host, live: Live, letter: Letter, partner: Partner, token: str, name: str
) -> None:
    site = SITES[name]
    tall = height(letter, partner)
    embed = snippet(live.url, letter, partner, token, "fr" if site.texts == "fr" else "en")
    if site.policy:
        embed = re.sub(r' style="[^"]*"', ' class="undersigned"', embed)
    url = served_by(host, name, site, embed, tall, live.url)
    context = await browser.new_context(viewport={"width": site.width, "height": 640 if site.width == 320 else 900})
    page = await context.new_page()
    await page.add_init_script(SHIFTS)

    await page.route("**/w/*.js", lambda route: route.abort())
    await page.goto(url)
    around = await page.evaluate(AROUND)
    await page.unroute("**/w/*.js")

    watched = Watched(page)
    await page.goto(url)
    if site.app:  # goes to another view and back before it stays
        for _ in range(2):
            await page.evaluate(INSERT, embed)
            await expect(send(page)).to_be_visible()
            await page.evaluate("document.querySelector('#letter').replaceChildren()")
            await expect(send(page)).to_have_count(0)
        await page.evaluate(INSERT, embed)
    await expect(send(page)).to_be_visible()

    assert await page.evaluate(AROUND) == around
    if browser.browser_type.name == "chromium" and not site.app:
        settled = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(shift))))"
        assert await page.evaluate(settled) == 0
    font = "node => getComputedStyle(node).fontFamily"
    for inside in (".title", "[name=email]", "button.button"):
        assert await page.locator(inside).evaluate(font) == await page.locator("#letter").evaluate(font)
    assert watched.said == []
    assert await violations(page, inside="undersigned-letter") == []
    await shot(page, f"host-{name}-{browser.browser_type.name}")
    watched.said.clear()  # in Firefox, axe and pictures come with a style of their own, which a policy refuses
    assert await fits(page)
    await page.set_viewport_size({"width": 320, "height": 900})
    assert await fits(page)

    await sign(page)
    assert watched.said == []
    assert await fits(page)
    await shot(page, f"host-{name}-{browser.browser_type.name}-thanks")
    assert watched.hosts() == {urlsplit(host.url).netloc, urlsplit(live.url).netloc}
    assert await left_behind(context, page) == {}
