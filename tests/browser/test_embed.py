"""The widget in a frame, on real pages: it signs and credits, and the frame follows its height."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import httpx
import pytest
from playwright.async_api import Browser, ConsoleMessage, FrameLocator, Locator, Page, expect
from sqlalchemy import select

from tests.browser.conftest import Host, violations
from tests.conftest import Live
from widget_server.domain.embeddings import Embedding
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.store.db import Db, Row
from widget_server.store.tables import signatures

pytestmark = [pytest.mark.browser, pytest.mark.engines("chromium", "firefox")]

SIGN = "Sign the letter"


@pytest.fixture
def embedding(live: Live, letter: Letter, partner: Partner, token: str) -> Embedding:
    return Embedding(live.url, letter, partner, token, "en")


async def opened(browser: Browser, url: str, *, width: int = 1000) -> tuple[Page, list[str]]:
    """A page, and what its console says."""
    context = await browser.new_context(viewport={"width": width, "height": 1200})
    page = await context.new_page()
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        said.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: said.append(str(error)))
    await page.goto(url)
    return page, said


async def press(control: Locator) -> None:
    """A click. Playwright's mouse and keyboard do not reach a frame of another origin in Firefox: there by script."""
    browser = control.page.context.browser
    assert browser is not None
    if browser.browser_type.name == "firefox":
        await control.dispatch_event("click")
    else:
        await control.click()


async def sign(frame: FrameLocator) -> None:
    await frame.get_by_label("Country").select_option("CA")
    await frame.get_by_label("Your name").fill("Ada")
    await frame.get_by_label("E-mail").fill("ada@example.org")
    await press(frame.get_by_role("button", name=SIGN))
    await expect(frame.get_by_role("heading", name="Thank you")).to_be_visible()


async def kept(db: Db) -> Row:
    row = await db.one(select(signatures))
    assert row is not None
    return row


async def settled(page: Page) -> None:
    """Until the frame is as high as what is in it."""
    inner = page.frames[1]
    await inner.evaluate(
        """() => new Promise((done) => {
          const look = () => (document.body.offsetHeight == innerHeight ? done() : requestAnimationFrame(look));
          look();
        })"""
    )
    content = await inner.evaluate("document.body.offsetHeight")
    await page.wait_for_function("height => document.querySelector('iframe').clientHeight == height", arg=content)


async def test_it_signs_and_credits_the_partner_the_source_and_the_page(
    browser: Browser, host: Host, embedding: Embedding, partner: Partner, db: Db
) -> None:
    snippet = embedding.frame().replace("/embed/" + embedding.token, f"/embed/{embedding.token}?source=blog")
    page, said = await opened(browser, host.page(snippet))
    await sign(page.frame_locator("iframe"))
    row = await kept(db)
    assert (row["partner_id"], row["source"], row["origin_flagged"]) == (partner.id, "blog", False)
    assert row["page"] == f"{host.url}/"
    assert [line for line in said if "web-share" not in line] == []  # which a Chromium on Linux does not know


@pytest.mark.parametrize("width", [1000, 320])
async def test_the_frame_follows_the_height(browser: Browser, host: Host, embedding: Embedding, width: int) -> None:
    page, _ = await opened(browser, host.page(embedding.frame()), width=width)
    frame = page.frame_locator("iframe")
    await expect(frame.get_by_role("button", name=SIGN)).to_be_visible()
    await settled(page)
    assert not await page.frames[1].evaluate("document.documentElement.scrollWidth > innerWidth")
    await frame.get_by_label("Country").select_option("CA")  # the statement needs room
    await settled(page)
    await press(frame.get_by_role("button", name=SIGN))  # and so do errors
    await expect(frame.get_by_text("There is a problem")).to_be_visible()
    await settled(page)


async def test_the_height_in_the_snippet_is_the_forms_own(browser: Browser, host: Host, embedding: Embedding) -> None:
    """Where nothing follows, nothing scrolls and nothing is left free but what the rounding of the height leaves."""
    markup = embedding.frame().partition("\n<script")[0]
    page, _ = await opened(browser, host.page(markup))
    await expect(page.frame_locator("iframe").get_by_role("button", name=SIGN)).to_be_visible()
    content = await page.frames[1].evaluate("document.body.offsetHeight")
    assert embedding.frame_height - 64 <= content <= embedding.frame_height


async def test_the_script_may_come_before_and_after_the_frame(
    browser: Browser, host: Host, embedding: Embedding
) -> None:
    frame, _, script = embedding.frame().rpartition("\n")
    page, _ = await opened(browser, host.page(script.replace("async ", "") + frame.replace("px;border", "0px;border")))
    await settled(page)
    page, _ = await opened(browser, host.page(frame.replace("px;border", "0px;border"), path="/late"))
    await expect(page.frame_locator("iframe").get_by_role("button", name=SIGN)).to_be_visible()
    await page.add_script_tag(url=f"{embedding.public_url}/embed.js")
    await settled(page)


async def test_nobody_else_moves_the_frame(browser: Browser, host: Host, embedding: Embedding) -> None:
    """A message from another window, or from our window but not of our frame, or out of all measure."""
    stranger = f'<iframe id="other" src="{host.url}/stranger"></iframe>'
    host.page("<script>parent.postMessage({undersignedHeight: 77}, '*')</script>", path="/stranger")
    page, _ = await opened(browser, host.page(embedding.frame() + stranger))
    await expect(page.frame_locator("iframe").first.get_by_role("button", name=SIGN)).to_be_visible()
    inner = next(frame for frame in page.frames if "/embed/" in frame.url)
    content = await inner.evaluate("document.body.offsetHeight")
    await page.wait_for_function("height => document.querySelector('iframe').clientHeight == height", arg=content)
    await page.evaluate("postMessage({undersignedHeight: 78}, '*')")
    for height in ("0", "-5", "10000", "NaN", "'99'", "null", "{}"):
        await inner.evaluate(f"parent.postMessage({{undersignedHeight: {height}}}, '*')")
    await inner.evaluate("parent.postMessage(null, '*')")
    await inner.evaluate("parent.postMessage({undersignedHeight: 500}, '*')")  # ours: the last to arrive
    await page.wait_for_function("document.querySelector('iframe').clientHeight == 500")
    assert await page.evaluate("document.querySelector('#other').style.height") == ""


WORDPRESS = """
<script>
  addEventListener("message", ({ data, source }) => {
    if (!data || !(data.secret || data.message || data.value) || /[^a-zA-Z0-9]/.test(data.secret)) return;
    for (const frame of document.querySelectorAll(`iframe[data-secret="${data.secret}"]`)) {
      if (source !== frame.contentWindow) continue;
      if (data.message == "height") frame.height = Math.max(200, Math.min(1000, parseInt(data.value, 10)));
      if (data.message == "link" && new URL(data.value).host == new URL(frame.getAttribute("src")).host)
        frame.dataset.link = data.value;
    }
  });
</script>
<iframe class="wp-embedded-content" sandbox="allow-scripts" security="restricted" data-secret="PV9f1ZqXcR"
  src="SRC#?secret=PV9f1ZqXcR" width="600" height="338" title="T" frameborder="0"></iframe>
"""
"""What WordPress makes of an oEmbed frame, and how its wp-embed.js listens."""


async def test_in_wordpress_sandbox_it_signs_grows_and_its_links_lead_somewhere(
    browser: Browser, host: Host, live: Live, embedding: Embedding, partner: Partner, db: Db
) -> None:
    async with httpx.AsyncClient() as client:
        document = (await client.get(f"{live.url}/oembed", params={"url": embedding.link})).json()
    address = document["html"].partition('src="')[2].partition('"')[0]
    page, _ = await opened(browser, host.page(WORDPRESS.replace("SRC", address)))
    frame = page.frame_locator("iframe")
    await expect(frame.get_by_role("button", name=SIGN)).to_be_visible()
    content = await page.frames[1].evaluate("document.body.offsetHeight")
    grown = min(1000, content)
    await page.wait_for_function("height => document.querySelector('iframe').clientHeight == height", arg=grown)
    await press(frame.get_by_role("link", name="Privacy"))
    await page.wait_for_function("document.querySelector('iframe').dataset.link?.includes('/privacy')")
    await sign(frame)
    row = await kept(db)
    assert (row["partner_id"], row["origin_flagged"]) == (partner.id, True)


async def test_pages_from_files_and_isolated_pages_may_frame_it(
    browser: Browser, host: Host, embedding: Embedding, tmp_path: Path
) -> None:
    """`frame-ancestors *` would shut the first out, and a frame that says nothing of itself the second."""
    file = tmp_path / "page.html"
    file.write_text(f"<!doctype html><title>T</title>{embedding.frame()}", "utf-8")
    isolated = host.page(embedding.frame(), headers={"cross-origin-embedder-policy": "require-corp"})
    sandboxed = host.page(embedding.frame(), headers={"content-security-policy": "sandbox allow-scripts"}, path="/s")
    for url in (file.as_uri(), isolated, sandboxed):
        page, _ = await opened(browser, url)
        await expect(page.frame_locator("iframe").get_by_role("button", name=SIGN)).to_be_visible()


async def test_on_its_own_it_is_an_ordinary_page(browser: Browser, embedding: Embedding) -> None:
    page, said = await opened(browser, f"{embedding.frame_address}?lang=fr&accent=145a32")
    await expect(page.get_by_role("button", name="Signer la lettre")).to_be_visible()
    colour = await page.get_by_role("button", name="Signer la lettre").evaluate(
        "b => getComputedStyle(b).backgroundColor"
    )
    assert colour == "rgb(20, 90, 50)"
    assert said == []


@pytest.mark.engines("chromium")  # Playwright's scheme does not reach a frame of another origin in Firefox
@pytest.mark.parametrize(
    ("visitor", "query", "background"),
    [
        ("dark", "", "rgb(255, 255, 255)"),
        ("dark", "?theme=light", "rgb(255, 255, 255)"),
        ("dark", "?theme=auto", "rgb(24, 27, 32)"),
        ("light", "?theme=auto", "rgb(255, 255, 255)"),
        ("light", "?theme=dark", "rgb(24, 27, 32)"),
    ],
)
async def test_it_is_light_unless_its_address_says_otherwise(
    browser: Browser, host: Host, embedding: Embedding, visitor: Literal["dark", "light"], query: str, background: str
) -> None:
    """What page is around it a frame cannot see everywhere, and most are light, whatever the visitor's own scheme."""
    follows = "<style>:root{color-scheme:light dark}</style>"
    url = host.page(follows + embedding.frame().replace(f'{embedding.token}"', f'{embedding.token}{query}"', 1))
    page = await (await browser.new_context(color_scheme=visitor)).new_page()
    await page.goto(url)
    box = page.frame_locator("iframe").locator("undersigned-letter .box")
    await expect(box).to_be_visible()
    assert await box.evaluate("box => getComputedStyle(box).backgroundColor") == background


@pytest.mark.parametrize("lang", ["en", "fr"])
async def test_axe_finds_nothing(browser: Browser, host: Host, embedding: Embedding, lang: str) -> None:
    markup = embedding.frame().replace(embedding.token + '"', f'{embedding.token}?lang={lang}"', 1)
    page, _ = await opened(browser, host.page(markup))
    await expect(page.frame_locator("iframe").locator("form")).to_be_visible()
    assert await violations(page) == []


async def test_a_frame_without_a_letter_says_so(browser: Browser, host: Host, live: Live) -> None:
    markup = f'<iframe title="T" src="{live.url}/embed/nonsense" width="300" height="200"></iframe>'
    page, _ = await opened(browser, host.page(markup))
    await expect(page.frame_locator("iframe").get_by_role("heading")).to_have_text("The form cannot be shown here")
    assert await violations(page) == []
