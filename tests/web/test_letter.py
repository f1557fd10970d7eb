"""The letter's own page: what it shows, to whom, in which language and state."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import httpx
import pytest

from tests.conftest import Clock, Live
from tests.store.listed import sign
from tests.web.reading import EVIL, PAGE, Elements, drawn, fresh, status
from widget_server.domain.letters import Letter
from widget_server.domain.tokens import open_attribution, open_shown
from widget_server.flows.letter_status import Verb, change_letter_status
from widget_server.flows.load_letter import load_letter
from widget_server.flows.partners import revoke_partner


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """A page tells nothing about engines: one is enough here."""
    return f"sqlite:///{tmp_path}/undersigned.db"


@pytest.fixture
async def http(live: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=live.url, headers=PAGE) as client:
        yield client


async def test_what_the_page_shows(http: httpx.AsyncClient, live: Live, letter: Letter) -> None:
    await sign(
        live.site.db, letter.id,
        {"name": "Ana Lee", "organization": "Café", "role": "Cook"},
        {"kind": "organization", "organization": "The Harbour Coalition", "initiator_rank": 0},
        {"name": "Someone in Maine", "statement": "us"},
        {"name": "Hidden", "public": False, "listing": "hidden_by_signer"},
    )  # fmt: skip
    await fresh(live)
    answer = await http.get("/en/letters/letter")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = Elements(answer.text)
    for text in (
        "An Open Letter on Safe Passage",
        "Initiated by The Harbour Coalition and Réseau d'accueil du Nord",
        "We ask you to sign.",
        "To whom it may concern.",
        "We, the undersigned based in Canada, call on the government to act.",
        "Signed in the United States",
        "Cook, Café",
        "Someone in Maine",
        "0 of 100 signatures",
    ):
        assert text in page.text
    assert "Hidden" not in page.text
    names = re.findall(r'class="name-itself">([^<]*)', answer.text)
    assert names == ["The Harbour Coalition", "Ana Lee", "Someone in Maine"]
    assert page.all("progress", max="100", value="0")
    assert page.all("a", href="/en/letters/letter/privacy")
    assert page.all("a", href="mailto:hello@example.org")
    assert page.all("html", lang="en")


@pytest.mark.parametrize(
    ("path", "accepts", "locale"),
    [
        ("/letters/letter", "fr-CA,fr;q=0.9", "fr"),
        ("/letters/letter", "", "en"),
        ("/letters/letter?locale=fr", "en", "fr"),
        ("/fr/letters/letter", "en", "fr"),
        ("/en/letters/letter", "fr", "en"),
    ],
)
async def test_language(http: httpx.AsyncClient, path: str, accepts: str, locale: str) -> None:
    answer = await http.get(path, headers={"accept-language": accepts})
    assert Elements(answer.text).all("html", lang=locale)
    assert answer.headers["content-language"] == locale


async def test_addresses_of_the_languages(http: httpx.AsyncClient, live: Live) -> None:
    page = Elements((await http.get("/letters/letter?locale=fr&source=x")).text)
    assert page.all("link", rel="canonical", href=f"{live.url}/fr/letters/letter")
    for code, path in (
        ("en", "/en/letters/letter"),
        ("fr", "/fr/letters/letter"),
        ("x-default", "/letters/letter"),
    ):
        assert page.all("link", rel="alternate", hreflang=code, href=live.url + path)
    assert page.all("a", hreflang="en", lang="en", href="/en/letters/letter?source=x")
    assert page.all("meta", property="og:url", content=f"{live.url}/fr/letters/letter")
    assert page.all("meta", property="og:title", content="Lettre ouverte pour un passage sûr")
    assert page.all("meta", property="og:description", content="Nous vous invitons à signer.")
    assert page.all("meta", name="twitter:card", content="summary")


async def test_policies(http: httpx.AsyncClient, live: Live) -> None:
    for path in (
        "/letters/letter",
        "/letters/letter/privacy",
        "/letters/letter/signatories",
        "/",
        "/nothing/here",
    ):
        headers = (await http.get(path)).headers
        assert headers["content-security-policy"] == (
            f"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' {live.url};"
            " img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        assert headers["referrer-policy"] == "same-origin"
        assert headers["x-content-type-options"] == "nosniff"
    assert (await http.get("/letters/letter")).headers["cache-control"] == "no-store"


async def test_what_people_wrote_is_text(
    http: httpx.AsyncClient, live: Live, letter: Letter, letter_folder: Path, clock: Clock
) -> None:
    await sign(live.site.db, letter.id, {"name": EVIL, "organization": EVIL, "role": EVIL})
    settings = letter_folder / "letter.toml"
    wicked = EVIL.replace('"', '\\"')
    settings.write_text(
        settings.read_text("utf-8").replace("An Open Letter on Safe Passage", wicked).replace("call on", wicked),
        "utf-8",
    )
    (letter_folder / "intro.en.md").write_text(EVIL + " [x](javascript:alert(1))", "utf-8")
    await load_letter(live.site.db, letter_folder, now=clock(), actor="test")
    await fresh(live)
    for path in (
        "/en/letters/letter",
        "/en/letters/letter/signatories",
        "/en/letters/letter/privacy",
        "/en/",
    ):
        answer = await http.get(path + ("?q=" + EVIL if path.endswith("signatories") else ""))
        assert answer.status_code == 200
        page = Elements(answer.text)
        assert all(script.get("src", "").startswith(("/w/", "/letter.")) for script in page.all("script"))
        assert "<script>alert" not in answer.text
        assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]
        assert not [a for a in page.all("a") if "javascript" in a.get("href", "")]
    assert EVIL in Elements((await http.get("/en/letters/letter")).text).text


async def test_a_partner_is_credited_by_the_link(
    http: httpx.AsyncClient, live: Live, letter: Letter, token: str, clock: Clock
) -> None:
    async def credited(via: str) -> str:
        page = Elements((await http.get(f"/en/letters/letter?via={via}")).text)
        assert page.all("script", src=f"/w/{page.field('token')}.js")
        assert page.all("div", data_undersigned=page.field("token"))
        return open_attribution(live.site.seals, page.field("token")).partner

    assert await credited(token) == "maple"
    assert await credited(token[:-1]) == "house"
    assert await credited(token[:-2] + "xx") == "house"
    assert await credited("nonsense") == "house"
    page = Elements((await http.get(f"/en/letters/letter?via={token}")).text)
    assert page.all("a", hreflang="fr", href=f"/fr/letters/letter?via={token}")
    assert page.all("input", readonly="", value=f"{live.url}/en/letters/letter?via={token}")
    assert page.all("link", rel="canonical", href=f"{live.url}/en/letters/letter")
    await revoke_partner(live.site.db, letter, "maple", now=clock(), actor="test")
    await fresh(live)
    assert await credited(token) == "house"


async def test_another_letters_token_credits_nobody(
    http: httpx.AsyncClient, live: Live, letter_folder: Path, token: str, clock: Clock
) -> None:
    settings = letter_folder / "letter.toml"
    settings.write_text(settings.read_text("utf-8").replace('slug = "letter"', 'slug = "other"'), "utf-8")
    await load_letter(live.site.db, letter_folder, now=clock(), actor="test")
    await change_letter_status(live.site.db, "other", "open", now=clock(), actor="test")
    await fresh(live)
    page = Elements((await http.get(f"/en/letters/other?via={token}")).text)
    says = open_attribution(live.site.seals, page.field("token"))
    assert (says.letter, says.partner) == ("other", "house")


async def test_the_form_carries_what_was_shown(http: httpx.AsyncClient, live: Live, letter: Letter) -> None:
    first = await drawn(http, "/fr/letters/letter?source=newsletter-june")
    second = await drawn(http, "/fr/letters/letter?utm_source=Spring_1")
    third = await drawn(http, "/fr/letters/letter?source=not%20a%20tag")
    assert first["id"] != second["id"]
    assert (first["source"], second["source"], third["source"]) == ("newsletter-june", "Spring_1", "")
    assert first["page"] == f"{live.url}/letters/letter"
    assert first["locale"] == "fr"
    shown = open_shown(live.site.seals, first["shown"], letter.id)
    assert shown is not None
    assert shown.text_version == letter.version


async def test_every_statement_is_beside_the_country(http: httpx.AsyncClient) -> None:
    text = Elements((await http.get("/en/letters/letter")).text)
    values = [option["value"] for option in text.all("option")]
    assert values == ["", "CA", "US"]
    form = (await http.get("/en/letters/letter")).text.partition("<form")[2].partition("</form>")[0]
    assert "We, the undersigned based in Canada" in form
    assert "We, the undersigned based in the United States" in form


async def test_drafts_are_seen_by_their_preview_only(
    http: httpx.AsyncClient, live: Live, letter_folder: Path, clock: Clock
) -> None:
    settings = letter_folder / "letter.toml"
    settings.write_text(settings.read_text("utf-8").replace('slug = "letter"', 'slug = "draft"'), "utf-8")
    await load_letter(live.site.db, letter_folder, now=clock(), actor="test")
    await fresh(live)
    assert (await http.get("/letters/draft")).status_code == 404
    for rest in ("", "/nothing"):
        pages = [await http.get(f"/letters/{slug}{rest}") for slug in ("draft", "none")]
        assert pages[0].text == pages[1].text, "not even a frame tells that there is one"
    assert (await http.get("/letters/draft?preview=x")).status_code == 404
    seal = live.site.seals.seal("preview", "draft")
    answer = await http.get(f"/en/letters/draft?preview={seal}")
    page = Elements(answer.text)
    assert answer.status_code == 200
    assert "This is a preview" in page.text
    assert page.all("meta", content="noindex")
    assert page.all("button", disabled="", type="submit")
    assert not page.all("script")
    assert page.all("a", hreflang="fr", href=f"/fr/letters/draft?preview={seal}")


@pytest.mark.parametrize(("verb", "said"), [("pause", "Signing is paused"), ("close", "This letter is closed")])
async def test_no_form_while_it_cannot_be_signed(
    http: httpx.AsyncClient, live: Live, clock: Clock, verb: Verb, said: str
) -> None:
    await status(live, clock, verb)
    page = Elements((await http.get("/en/letters/letter")).text)
    assert said in page.text
    assert not page.all("form")
    assert not page.all("script")


async def test_a_closed_letter_says_what_came_of_it(
    http: httpx.AsyncClient, live: Live, letter_folder: Path, clock: Clock
) -> None:
    (letter_folder / "outcome.en.md").write_text("The minister **agreed**.", "utf-8")
    (letter_folder / "outcome.fr.md").write_text("La ministre a **accepté**.", "utf-8")
    await load_letter(live.site.db, letter_folder, now=clock(), actor="test")
    await fresh(live)
    assert "accepté" not in (await http.get("/fr/letters/letter")).text
    await status(live, clock, "close")
    assert "La ministre a <strong>accepté</strong>." in (await http.get("/fr/letters/letter")).text


async def test_before_it_opens(http: httpx.AsyncClient, live: Live, letter_folder: Path, clock: Clock) -> None:
    settings = letter_folder / "letter.toml"
    settings.write_text("opens_at = 2999-01-01T12:00:00Z\n" + settings.read_text("utf-8"), "utf-8")
    await load_letter(live.site.db, letter_folder, now=clock(), actor="test")
    await fresh(live)
    page = Elements((await http.get("/fr/letters/letter")).text)
    assert "1er janvier 2999 à 12\u00a0h UTC" in page.text
    assert not page.all("form")


async def test_french_typography_of_the_authors_words(
    http: httpx.AsyncClient, live: Live, letter_folder: Path, clock: Clock
) -> None:
    (letter_folder / "body.fr.md").write_text("Le plan « Dignité » : pourquoi ?\n", "utf-8")
    await load_letter(live.site.db, letter_folder, now=clock(), actor="test")
    await fresh(live)
    text = Elements((await http.get("/fr/letters/letter")).text).text
    assert "Le plan «\u00a0Dignité\u00a0»\u00a0: pourquoi\u202f?" in text


async def test_french_typography_of_the_authors_words_wherever_they_stand(
    http: httpx.AsyncClient, live: Live, letter_folder: Path, clock: Clock, token: str
) -> None:
    settings = letter_folder / "letter.toml"
    written = settings.read_text("utf-8").replace("Lettre ouverte pour", "Lettre ouverte : pour")
    written = written.replace("demandons au gouvernement d'agir", "demandons ceci ; d'agir")
    written = written.replace("Signé au Canada", "Signé : au Canada")
    written += '\n[[resources]]\ntitle = { en = "Report", fr = "Rapport : l\\u0027essentiel" }\n'
    settings.write_text(written, "utf-8")
    (letter_folder / "body.fr.md").write_text("Ici, on agit\n; là, on attend.\n", "utf-8")
    await load_letter(live.site.db, letter_folder, now=clock(), actor="test")
    await fresh(live)
    title, statement = "Lettre ouverte\u00a0: pour un passage sûr", "demandons ceci\u202f; d’agir"
    listed, body, resource = "Signé\u00a0: au Canada", "agit\u202f; là", "Rapport\u00a0: l’essentiel"
    page = f"{live.url}/fr/letters/letter"
    for address, said in {
        "/fr/letters/letter": (title, statement, listed, body, resource),
        "/fr/letters/letter/signatories": (title, listed),
        "/fr/": (title,),
        "/v1/letters/letter?locale=fr": (title, statement, listed),
        "/v1/letters/letter/text?locale=fr": (title, statement, body),
        f"/w/{token}.js": (title, statement),
        f"/v1/widget/{token}": (title, statement),
        f"/oembed?url={page}": (title, f"Signer «\u00a0{title}\u00a0»"),
        f"/embed/{token}?lang=fr": (f"Signer «\u00a0{title}\u00a0»",),
    }.items():
        answer = unescape((await http.get(address)).text)
        for one in said:
            assert one in answer, address
        for plain in ("ouverte :", "ceci ;", "Signé :", "Rapport :", "agit\n;"):
            assert plain not in answer, address


async def test_links_and_resources(http: httpx.AsyncClient, live: Live, letter_folder: Path, clock: Clock) -> None:
    settings = letter_folder / "letter.toml"
    more = (
        '\n[[resources]]\ntitle.en = "Report"\ntitle.fr = "Rapport"\nurl = "https://example.org/r?a=1&b=2"\n'
        '\n[[resources]]\ntitle.en = "On paper"\ntitle.fr = "Sur papier"\n'
    )
    settings.write_text(settings.read_text("utf-8") + more, "utf-8")
    await load_letter(live.site.db, letter_folder, now=clock(), actor="test")
    await fresh(live)
    page = Elements((await http.get("/fr/letters/letter")).text)
    assert page.all("a", href="https://example.org/r?a=1&b=2", rel="noopener")
    assert "Sur papier" in page.text


async def test_missing_letters_and_pages(http: httpx.AsyncClient) -> None:
    for path in ("/letters/none", "/fr/letters/none", "/letters/none/privacy", "/elsewhere"):
        answer = await http.get(path, headers={"accept-language": "fr"})
        assert answer.status_code == 404
        assert Elements(answer.text).all("html", lang="fr")
        assert "Il n’y a rien" in Elements(answer.text).text


async def test_no_box_comes_ticked(http: httpx.AsyncClient, live: Live, token: str) -> None:
    page = Elements((await http.get(f"/en/letters/letter?via={token}")).text)
    boxes = page.all("input", type="checkbox")
    assert {box["name"] for box in boxes} >= {"public", "authorized", "contact_opt_in"}
    assert not [box for box in boxes if "checked" in box]
    assert page.all("input", value="individual", checked="")
