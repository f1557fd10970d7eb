"""The form: every problem at once, in the order in which it is read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widget_server.domain.letters import LetterSettings
from widget_server.domain.refusals import Invalid
from widget_server.domain.sign_form import SignForm, read_form


def settings(**changes: Any) -> LetterSettings:
    return LetterSettings.model_validate(
        {
            "slug": "letter", "locales": ["en", "fr"], "title": {"en": "A", "fr": "B"},
            "contact_email": "hello@example.org",
            "statements": [
                {"code": code, "countries": [country], "text": {"en": "x", "fr": "y"},
                 "list_title": {"en": "x", "fr": "y"}}
                for code, country in (("ca", "CA"), ("us", "US"))
            ],
        }
        | changes
    )  # fmt: skip


PERSON = {"kind": "individual", "name": " Zoë  Gagné ", "email": "Zoe@example.org", "country": "ca"}
ORGANIZATION = {
    "kind": "organization", "organization": "Maple & Co", "authorized": "true",
    "email": "a@example.org", "country": "US",
}  # fmt: skip


def errors(sent: dict[str, Any], **changes: Any) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        read_form(sent, settings(**changes))
    return [(error.field, error.code) for error in refused.value.errors]


def test_a_person() -> None:
    form = read_form(PERSON, settings())
    assert (form.name, form.country, form.public, form.locale) == ("Zoë Gagné", "CA", True, "en")
    assert not form.contact_opt_in


def test_an_organization_is_always_public_and_keeps_who_signed() -> None:
    form = read_form(ORGANIZATION | {"public": "false", "name": "Jo Rep"}, settings())
    assert (form.organization, form.authorized, form.public, form.name) == (
        "Maple & Co",
        True,
        True,
        "Jo Rep",
    )


def test_json_types_read_like_form_text() -> None:
    as_text = read_form(ORGANIZATION | {"contact_opt_in": "true", "elapsed": "5000"}, settings())
    as_json = read_form(ORGANIZATION | {"authorized": True, "contact_opt_in": True, "elapsed": 5000}, settings())
    assert as_text == as_json


def test_everything_wrong_at_once_from_top_to_bottom() -> None:
    fields = {
        "kind": "organization", "organization": "http://spam.example", "name": "a\x00",
        "email": "nope", "country": "FR",
        "authorized": "maybe", "locale": "de", "id": "1", "organization_website": "ftp://x", "role": "x" * 300,
    }  # fmt: skip
    assert errors(fields) == [
        ("organization", "link"), ("name", "control"), ("role", "too_long"), ("organization_website", "url"),
        ("email", "email"), ("country", "uncovered"), ("authorized", "boolean"), ("locale", "choice"), ("id", "uuid"),
    ]  # fmt: skip


def test_an_empty_form_asks_for_what_is_needed() -> None:
    assert errors({}) == [("kind", "missing"), ("email", "missing"), ("country", "missing")]
    assert errors({"kind": "individual", "name": "  "})[0] == ("name", "missing")
    assert ("authorized", "missing") in errors(ORGANIZATION | {"authorized": "false"})


def test_fields_as_the_letter_sets_them() -> None:
    required = {"fields": {"city": "required", "postal_code": "optional", "role": "required"}}
    assert errors(PERSON, **required) == [("role", "missing"), ("city", "missing")]
    form = read_form(PERSON | {"city": "Montréal", "comment": "hidden here"}, settings())
    assert (form.city, form.comment) == (None, None)  # a hidden field is not kept, whatever was sent


def test_attribution_that_is_malformed_is_dropped() -> None:
    form = read_form(PERSON | {"source": "a b", "page": "javascript:1", "elapsed": "soon", "shown": 3}, settings())
    assert (form.source, form.page, form.elapsed, form.shown) == (None, None, None, None)


def test_a_comment_keeps_its_lines() -> None:
    form = read_form(PERSON | {"comment": "one\r\ntwo"}, settings(fields={"comment": "optional"}))
    assert form.comment == "one\ntwo"
    assert errors(PERSON | {"comment": "x" * 1001}, fields={"comment": "optional"}) == [("comment", "too_long")]
    assert errors(PERSON | {"comment": "a\ud800"}, fields={"comment": "optional"}) == [("comment", "control")]


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=40), st.lists(st.integers())
)


@given(st.dictionaries(st.sampled_from([*SignForm._fields, "hp_contact_2", "token", "x"]), ANYTHING))
def test_whatever_is_sent_is_read_or_refused(fields: dict[str, Any]) -> None:
    every = {"fields": dict.fromkeys(("postal_code", "city", "comment", "role"), "optional")}
    try:
        form = read_form(PERSON | fields, settings(**every))
    except Invalid:
        return
    for value in form:
        if isinstance(value, str):
            value.encode("utf-8")
            assert "\x00" not in value
