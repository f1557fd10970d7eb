"""The snippet is the contract's, to the letter, and nothing in a title gets out of its place."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from widget_server.domain.letters import Letter, LetterSettings, Wording
from widget_server.domain.partners import Partner
from widget_server.domain.snippet import height, snippet

AT = datetime(2026, 6, 20, tzinfo=UTC)
SETTINGS = {
    "slug": "stca",
    "locales": ["en", "fr"],
    "title": {"en": "Open Letter on the STCA", "fr": "Lettre ouverte sur l'ETPS"},
    "contact_email": "info@example.org",
    "statements": [
        {
            "code": code,
            "countries": [code.upper()],
            "text": {"en": "We call.", "fr": "Nous demandons."},
            "list_title": {"en": "List", "fr": "Liste"},
        }
        for code in ("ca", "us")
    ],
}


def letter(title: str = "Open Letter on the STCA", **more: object) -> Letter:
    settings = LetterSettings.model_validate(SETTINGS | more)
    wording = {
        "en": Wording(title, "", "Body", {}),
        "fr": Wording("Lettre ouverte sur l'ETPS", "", "Corps", {}),
    }
    return Letter(1, "stca", "open", settings, 1, wording, {}, b"key", 1, AT)


PARTNER = Partner(
    id=2, letter_id=1, slug="maple", name="Maple", version=1, revoked_versions=frozenset(), revoked_at=None,
    origins=(), locale=None, strict_origins=False, contact=None, legal_name=None, postal_address=None,
    privacy_url=None, contact_email=None, phone=None, created_at=AT,
)  # fmt: skip
NAMED = replace(
    PARTNER,
    legal_name="Maple Society",
    postal_address="1 Rue Exemple",
    privacy_url="https://m.example",
    phone="5",
)


def test_it_is_the_contracts() -> None:
    assert snippet("https://letters.example.org", letter(), PARTNER, "TOKEN", "en") == (
        f'<div data-undersigned="TOKEN" style="min-height:{height(letter(), PARTNER)}px">\n'
        '  <a href="https://letters.example.org/letters/stca?via=TOKEN">Sign: Open Letter on the STCA</a>\n'
        "</div>\n"
        '<script async src="https://letters.example.org/w/TOKEN.js"></script>'
    )


def test_it_speaks_the_partners_language() -> None:
    assert ">Signer «\u00a0Lettre ouverte sur l’ETPS\u00a0»</a>" in snippet(
        "https://l.example", letter(), PARTNER, "T", "fr"
    )
    assert ">Sign: Open Letter" in snippet("https://l.example", letter(), PARTNER, "T", "de")


def test_a_title_stays_text() -> None:
    class Seen(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.tags: list[str] = []
            self.text = ""

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.tags.append(tag)

        def handle_data(self, data: str) -> None:
            self.text += data

    seen = Seen()
    seen.feed(snippet("https://l.example", letter('</a><script>"&'), PARTNER, 'a"b', "en"))
    assert seen.tags == ["div", "a", "script"]
    assert 'Sign: </a><script>"&' in seen.text


@pytest.mark.parametrize(
    "more",
    [
        {"goal": 100},
        {"fields": {"city": "optional"}},
        {"fields": {"comment": "required"}},
        {"fields": {"postal_code": "optional"}},
        {"identity": {"legal_name": "N", "postal_address": "A", "privacy_url": "https://n.example"}},
    ],
)
def test_every_field_takes_its_room(more: dict[str, object]) -> None:
    assert height(letter(**more), PARTNER) > height(letter(), PARTNER)


def test_consent_title_and_statement_take_theirs() -> None:
    assert height(letter(), NAMED) > height(letter(), PARTNER)
    assert height(letter(fields={"role": "hidden"}), PARTNER) < height(letter(), PARTNER)
    assert height(letter("A long title, " * 9), PARTNER) > height(letter(), PARTNER)
    one = letter(statements=SETTINGS["statements"][:1])  # type: ignore[index]
    assert height(one, PARTNER) > height(letter(), PARTNER)
