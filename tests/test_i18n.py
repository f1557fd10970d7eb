"""Both languages say the same things: the same texts, the same values, each with its own typography."""

from __future__ import annotations

import re
from collections.abc import Iterator
from string import Formatter

from widget_server.i18n import LOCALES, Entry, Texts, french_spaces, number, plural_form


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


def test_french_has_no_plain_space_before_high_punctuation_and_uses_its_own_words(texts: Texts) -> None:
    for key, form in every(texts, "fr"):
        assert not re.search(r" [:;!?»]|« ", form), key
        assert not re.search(r"\b[Ee]-?mail\b", re.sub(r"{\w+}", "", form)), f"{key}: « courriel »"


def test_french_spaces_are_set_once() -> None:
    once = french_spaces("Merci ! Vraiment ? Oui : « tout » ; rien")
    assert once == "Merci\u202f! Vraiment\u202f? Oui\u00a0: «\u00a0tout\u00a0»\u202f; rien"
    assert french_spaces(once) == once


def test_numbers_and_plurals_are_each_languages_own() -> None:
    assert number(12345, "en") == "12,345"
    assert re.fullmatch(r"12[\u00a0\u202f]345", number(12345, "fr"))
    assert (plural_form("en", 0), plural_form("fr", 0)) == ("other", "one")
