"""The privacy page, the page of open letters, the small files, and what the texts promise."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.conftest import Clock, Live
from tests.web.reading import PAGE, Elements, fresh
from widget_server.domain import retention
from widget_server.domain.links import AFTER_CLOSING
from widget_server.domain.refusals import Unavailable
from widget_server.flows.letter_status import change_letter_status
from widget_server.flows.load_letter import load_letter
from widget_server.i18n import LOCALES, Texts
from widget_server.web import home
from widget_server.web.letter_form import FIELDS, caption_of
from widget_server.web.pages import Words
from widget_server.web.styles import styles


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """A page tells nothing about engines: one is enough here."""
    return f"sqlite:///{tmp_path}/undersigned.db"


@pytest.fixture
async def http(live: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=live.url, headers=PAGE) as client:
        yield client


async def test_privacy_names_who_is_responsible(http: httpx.AsyncClient, live: Live) -> None:
    page = Elements((await http.get("/en/letters/letter/privacy")).text)
    for text in ("The Harbour Coalition", "Jo Martin", "1 Example Street", "hello@example.org", "not stored"):
        assert text in page.text
    assert page.all("a", href="https://example.org/privacy")
    assert page.all("a", href="https://www.priv.gc.ca/en/report-a-concern/")
    french = Elements((await http.get("/fr/letters/letter/privacy")).text)
    assert "Personne responsable de la protection des renseignements personnels\u00a0: Jo Martin." in french.text
    assert "Commission d’accès à l’information du Québec" in french.text


@pytest.mark.parametrize(
    ("who", "led", "policy"),
    [
        ('initiators = ["A", "B"]', "les groupes qui en ont pris l’initiative\u00a0: A et B.", "Leur propre politique"),
        ('initiators = ["A"]', "le groupe qui en a pris l’initiative\u00a0: A.", "Sa propre politique"),
        ("initiators = []", "les groupes qui en ont pris l’initiative.", "Leur propre politique"),
        ('initiators = ["A", "B"]\nlegal_name = "C"', "Responsable de la lettre\u00a0: C.", "Sa propre politique"),
    ],
)
async def test_privacy_speaks_of_one_or_of_several(
    http: httpx.AsyncClient, live: Live, letter_folder: Path, clock: Clock, who: str, led: str, policy: str
) -> None:
    settings = letter_folder / "letter.toml"
    initiators, _, legal_name = who.partition("\n")
    written = re.sub("(?m)^initiators = .*$", initiators, settings.read_text("utf-8"))
    settings.write_text(re.sub("(?m)^legal_name = .*$", legal_name, written), "utf-8")
    await load_letter(live.site.db, letter_folder, now=clock(), actor="test")
    await fresh(live)
    page = Elements((await http.get("/fr/letters/letter/privacy")).text).text
    assert led in page
    assert f"{policy} de confidentialité" in page


async def test_privacy_promises_the_terms_that_are_kept(http: httpx.AsyncClient, live: Live, texts: Texts) -> None:
    """Whoever changes a term meets this test, and then the words."""
    assert (retention.UNCONFIRMED.days, retention.WITHDRAWN.days, retention.CLIENT.days) == (30, 30, 7)
    assert (retention.SEALED.days, retention.QUOTA.days) == (30, 30)
    assert timedelta(hours=72) == AFTER_CLOSING
    letter = await live.site.directory.letter("letter")
    assert letter is not None
    terms = {
        "long_unconfirmed": 30, "long_contact": letter.settings.contact_days, "long_withdrawn": 30, "what_not": 7,
        "long_rejected": letter.settings.contact_days,
        "long_erased": 30, "long_staff": 72, "long_mails": 30,
    }  # fmt: skip
    for locale in LOCALES:
        page = Elements((await http.get(f"/{locale}/letters/letter/privacy")).text)
        assert page.all("a", href=f"/{locale}/letters/letter/my-signature")
        for key, term in terms.items():
            said = texts(f"page.privacy_page.{key}", locale, days=letter.settings.contact_days)
            assert str(term) in said
            assert said in page.text


async def test_home_lists_open_letters(http: httpx.AsyncClient, live: Live, clock: Clock) -> None:
    page = Elements((await http.get("/", headers={"accept-language": "fr"})).text)
    assert page.all("html", lang="fr")
    assert page.all("a", href="/fr/letters/letter")
    await change_letter_status(live.site.db, "letter", "close", now=clock(), actor="test")
    await fresh(live)
    assert "There is no open letter here" in Elements((await http.get("/en/")).text).text


async def test_icon_and_styles(http: httpx.AsyncClient) -> None:
    for path in ("/favicon.svg", "/favicon.ico"):
        assert (await http.get(path)).headers["content-type"] == "image/svg+xml"
    page = Elements((await http.get("/letters/letter")).text)
    sheets = [link["href"] for link in page.all("link", rel="stylesheet")]
    assert sheets == [styles()["widget"].path, styles()["letter"].path]
    for sheet in sheets:
        answer = await http.get(sheet)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/css")
        assert "immutable" in answer.headers["cache-control"]
        plain = await http.get(sheet, headers={"accept-encoding": "identity"})
        assert plain.text == answer.text
    assert (await http.get("/styles/letter.0123456789ab.css")).status_code == 404


async def test_our_mistakes_are_told_in_the_readers_language(
    http: httpx.AsyncClient, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("somebody@example.org")

    monkeypatch.setattr(home, "page_values", broken)
    answer = await http.get("/", headers={"accept-language": "fr"})
    assert answer.status_code == 500
    assert "Une erreur s’est produite" in Elements(answer.text).text
    assert "somebody" not in answer.text

    async def unavailable(*_: object) -> None:
        raise Unavailable

    monkeypatch.setattr(home, "page_values", unavailable)
    answer = await http.get("/", headers={"accept-language": "fr"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "Un instant" in Elements(answer.text).text


def test_every_field_has_its_words(texts: Texts) -> None:
    for locale in LOCALES:
        words = texts.area("widget.form", locale)
        for name in FIELDS:
            for kind in ("individual", "organization"):
                assert name.endswith("_opt_in") or caption_of(words, kind, name, {}), (locale, name)


def test_rich_texts_escape_what_is_not_markup(texts: Texts) -> None:
    words = Words(texts, "en")
    mail = words.mail('a"<b>@example.org')
    assert words.rich("page.privacy_page.mail", email=mail) == (
        'E-mail: <a href="mailto:a&#34;&lt;b&gt;@example.org">a&#34;&lt;b&gt;@example.org</a>'
    )
    assert "<b>" not in words.rich("page.privacy_page.mail", email="<b>")
    assert words.link("javascript:alert(1)") == "javascript:alert(1)"
    assert words.listed(["A", "B", "C"]) == "A, B and C"
    assert Words(texts, "fr").listed(["A", "B"]) == "A et B"
