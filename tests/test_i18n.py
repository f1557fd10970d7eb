"""Both languages say the same things: the same texts, the same values, each with its own typography."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from string import Formatter

from widget_server.i18n import LOCALES, Entry, Texts, date, date_and_time, number, plural_form


def forms(entry: Entry) -> list[str]:
    return [entry] if isinstance(entry, str) else list(entry.values())


def values(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def every(texts: Texts, locale: str) -> Iterator[tuple[str, str]]:
    for key, entry in texts.keys(locale).items():
        for form in forms(entry):
            yield key, form


def test_every_locale_has_the_same_texts_of_the_same_kind(texts: Texts) -> None:
    english = {key: type(entry) for key, entry in texts.keys("en").items()}
    for locale in LOCALES:
        assert {key: type(entry) for key, entry in texts.keys(locale).items()} == english


def test_every_locale_fills_in_the_same_values(texts: Texts) -> None:
    for key, entry in texts.keys("en").items():
        wanted = set[str]().union(*(values(form) for form in forms(entry)))
        french = set[str]().union(*(values(form) for form in forms(texts.keys("fr")[key])))
        assert wanted == french, key


def test_no_text_is_empty_or_left_in_the_other_language(texts: Texts) -> None:
    french = dict(every(texts, "fr"))
    for key, form in every(texts, "en"):
        assert form.strip(), key
        if re.search(r"\b(the|of|and|your|is|to|was)\b", form):
            assert form != french[key], f"{key} is English in the French catalogue"


def test_french_has_its_own_spaces_apostrophes_and_words(texts: Texts) -> None:
    for key, form in every(texts, "fr"):
        assert not re.search(r" [:;!?»]|« |'", form), key
        assert not re.search(r"(?<![\u00a0\u202f])[:;!?](?!\S)", form), f"{key}: no space before its punctuation"
        assert not re.search(r"\b[Ee]-?mail\b", re.sub(r"{\w+}", "", form)), f"{key}: « courriel »"
        assert "Entrez " not in form, f"{key}: « Inscrivez »"


def test_dates_and_times_are_each_languages_own() -> None:
    first = datetime(2026, 12, 1, 1, 5, tzinfo=UTC)
    assert [date(first, locale) for locale in LOCALES] == ["December 1, 2026", "1er décembre 2026"]
    assert date(first.replace(day=11), "fr") == "11 décembre 2026"
    assert date_and_time(first, "en") == "December 1, 2026, 01:05 UTC"
    assert date_and_time(first, "fr") == "1er décembre 2026 à 1\u00a0h\u00a005 UTC"
    assert date_and_time(first.replace(hour=13, minute=0), "fr") == "1er décembre 2026 à 13\u00a0h UTC"


def test_one_signature_of_a_goal_is_one(texts: Texts) -> None:
    assert texts("page.count.goal", "fr", count=1, goal=500) == "1 signature sur 500"
    assert texts("page.count.goal", "fr", count=2, goal=500) == "2 signatures sur 500"


def test_numbers_and_plurals_are_each_languages_own() -> None:
    assert number(12345, "en") == "12,345"
    assert re.fullmatch(r"12[\u00a0\u202f]345", number(12345, "fr"))
    assert (plural_form("en", 0), plural_form("fr", 0)) == ("other", "one")
