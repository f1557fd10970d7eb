"""`letter.toml`: each wrong value has its key and what is expected, all of them at once."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widget_server.domain.letter_keys import EXPECTED
from widget_server.domain.letter_rules import Checked, check
from widget_server.domain.letters import LetterSettings

GOOD = """
slug = "harbour"
locales = ["en", "fr"]
contact_email = "letter@example.org"
title = { en = "A letter", fr = "Une lettre" }
[[statements]]
code = "ca"
countries = ["CA"]
text = { en = "We ask.", fr = "Nous demandons." }
list_title = { en = "In Canada", fr = "Au Canada" }
[[statements]]
code = "rest"
countries = ["*"]
text = { en = "We too.", fr = "Nous aussi." }
list_title = { en = "Elsewhere", fr = "Ailleurs" }
"""


def read(extra: str = "", **changes: Any) -> Checked:
    raw = tomllib.loads(extra + GOOD)
    raw.update(changes)
    return check(raw, ("en", "fr"))


def statement(**changes: Any) -> dict[str, Any]:
    both = {"en": "x", "fr": "x"}
    return {"code": "ca", "countries": ["CA"], "text": both, "list_title": both, **changes}


def test_a_good_file_has_no_problem() -> None:
    checked = read()
    assert checked.problems == ()
    assert checked.settings is not None
    assert checked.settings.codes == ("ca", "rest")


@pytest.mark.parametrize(
    ("changes", "key", "expected"),
    [
        ({"slug": "Not A Slug"}, "slug:", "lower-case letters"),
        ({"locales": "en"}, "locales:", "a list of languages"),
        ({"locales": []}, "locales:", "a list of languages"),
        ({"locales": ["en", "de"]}, "locales, item 2:", "one of en, fr"),
        ({"locales": ["en", "en"]}, "locales, item 2:", "twice"),
        ({"title": {"en": "A"}}, "title.fr: missing", "one line"),
        ({"title": {"en": "A", "fr": " "}}, "title.fr:", "one line"),
        ({"title": {"en": "A\nB", "fr": "C"}}, "title.en:", "2 lines"),
        ({"title": {"en": "A", "fr": "B", "opens_at_": "C"}}, "title.opens_at_:", "above any [table]"),
        ({"contact_email": "nobody"}, "contact_email:", "an e-mail address"),
        ({"notify": ["a@example.org", "b"]}, "notify, item 2:", "an e-mail address"),
        ({"confirmation": "sms"}, "confirmation:", '"email" or "none"'),
        ({"organizations": "trust"}, "organizations:", '"review", "domain" or "listed"'),
        ({"order": "random"}, "order:", '"arrival" or "alphabetical"'),
        ({"lists": "both"}, "lists:", '"mixed" or "apart"'),
        ({"goal": 0}, "goal:", "whole number"),
        ({"goal": "1000"}, "goal:", "whole number"),
        ({"goal": True}, "goal:", "whole number"),
        ({"index": "yes"}, "index:", "true or false"),
        ({"fields": {"city": "maybe"}}, "fields.city:", '"hidden", "optional" or "required"'),
        ({"fields": {"town": "optional"}}, "fields.town: unknown key", "city"),
        ({"identity": {"privacy_url": "javascript:alert(1)"}}, "identity.privacy_url:", "https://"),
        ({"initiators": ["A", "a"]}, "initiators, item 2:", "twice"),
        ({"initiators": ["https://example.org"]}, "initiators, item 1:", "web address"),
        ({"resources": [{"title": {"en": "A"}}]}, "resources, item 1: title.fr: missing", "one line"),
        (
            {"resources": [{"title": {"en": "A", "fr": "B"}, "url": "ftp://x"}]},
            "resources, item 1: url:",
            "https://",
        ),
        ({"colour": "red"}, "colour: unknown key", "known here: slug"),
        ({"initiator": ["A"]}, "initiator: unknown key", "initiators?"),
        ({"statements": []}, "statements:", "or more"),
        ({"statements": [statement(countries=["ca"])]}, 'statements "ca": countries, item 1:', "alpha-2"),
        ({"statements": [statement(countries=["CA", "CA"])]}, 'statements "ca": countries, item 2:', "twice"),
        ({"statements": [statement(countries=[])]}, 'statements "ca": countries:', "a list of ISO"),
        (
            {"statements": [statement(), statement(countries=["US"])]},
            'statements "ca": code:',
            "two statements",
        ),
        (
            {"statements": [statement(), statement(code="b")]},
            'statements "b": countries, item 1:',
            "one statement",
        ),
        (
            {"statements": [statement(countries=["*"]), statement(code="b", countries=["*"])]},
            'statements "b": countries, item 1:',
            '"*"',
        ),
        ({"statements": [statement(text={"en": "x"})]}, 'statements "ca": text.fr: missing', "text"),
        ({"statements": [{"code": "ca"}]}, 'statements "ca": countries: missing', "ISO"),
        ({"statements": ["ca"]}, "statements, item 1:", "a table"),
        ({"contact_email": "a\x00@example.org"}, "contact_email:", "e-mail"),
        ({"identity": {"phone": "1\x002"}}, "identity.phone:", "control characters"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_expected(changes: dict[str, Any], key: str, expected: str) -> None:
    checked = read(**changes)
    assert checked.settings is None
    [problem] = [problem for problem in checked.problems if problem.startswith(key)]
    assert expected in problem


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("closes_at = 2026-09-30T23:59:00", "add the offset"),
        ('closes_at = "2026-09-30T23:59:00"', "add the offset"),
        ("closes_at = 2026-09-30", "with its offset"),
        ("closes_at = 1790000000", "with its offset"),
        ('closes_at = "soon"', "with its offset"),
        ("opens_at = 2026-09-30T00:00:00Z\ncloses_at = 2026-09-30T01:00:00+01:00", "after opens_at"),
    ],
)
def test_a_wrong_time_is_named(line: str, expected: str) -> None:
    checked = read(extra=f"{line}\n")
    assert len(checked.problems) == 1
    assert checked.problems[0].startswith("closes_at: ")
    assert expected in checked.problems[0]


def test_times_are_kept_in_utc() -> None:
    settings = read(extra="closes_at = 2026-09-30T23:59:00-04:00\n").settings
    assert settings is not None
    assert settings.closes_at is not None
    assert settings.closes_at.isoformat() == "2026-10-01T03:59:00+00:00"


def test_every_problem_comes_at_once() -> None:
    checked = read(slug="X Y", title={"en": "A"}, contact_email="x", goal=-1, colour=1, notify=["x"])
    keys = [problem.partition(":")[0] for problem in checked.problems]
    assert sorted(keys) == ["colour", "contact_email", "goal", "notify, item 1", "slug", "title.fr"]


def test_what_is_unused_is_a_note_and_no_problem() -> None:
    checked = read(title={"en": "A", "fr": "B", "de": "C"}, identity={"legal_name": "The Coalition"})
    assert checked.problems == ()
    assert any("title.de is not used" in note for note in checked.notes)
    assert any("postal_address" in note for note in checked.notes)


def test_stored_settings_read_the_same_again() -> None:
    settings = read(extra="closes_at = 2026-09-30T23:59:00-04:00\n", goal=3).settings
    assert settings is not None
    assert LetterSettings.model_validate(settings.model_dump(mode="json")) == settings


def test_every_key_of_the_contract_says_what_is_expected() -> None:
    assert set(LetterSettings.model_fields) <= set(EXPECTED)


values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(LetterSettings.model_fields)), values, max_size=4))
def test_nothing_that_a_file_may_hold_is_more_than_a_problem(changes: dict[str, Any]) -> None:
    checked = read(**changes)
    assert (checked.settings is None) == bool(checked.problems)
