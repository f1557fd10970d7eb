"""The lines that say what goes where: read, refused with everything wrong at once, applied."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.mapping import FIELDS, TRANSFORMS, Reading, Targets, map_option, read_map
from tests.integrations.samples import event

TARGETS = Targets(
    frozenset({"email", "first", "last", "city"}),
    custom=re.compile(r"custom\..+"),
    custom_help="custom.NAME",
    needed=frozenset({"email"}),
)
DEFAULT = """
email = email | lower
first = given_name
last = family_name
"""
SOMEBODY = {
    "email": "Zoe@Example.org",
    "name": "Zoë  Gagné",
    "city": "Montréal",
    "country": "CA",
    "organization": "Maple House",
}


def read(text: str) -> Reading:
    return read_map(text, TARGETS)


def applied(text: str, locale: str = "en", **data: str | None) -> dict[str, str]:
    reading = read(f"email = email\n{text}")
    assert reading.problems == ()
    return reading.apply(event(**{**SOMEBODY, **data}), locale)


def messages(text: str) -> list[str]:
    found = read(text).problems
    assert {one.option for one in found} <= {"map"}
    return [one.message for one in found]


def test_a_map_says_which_field_goes_where() -> None:
    reading = read(DEFAULT)
    assert reading.problems == ()
    assert reading.apply(event(**SOMEBODY), "en") == {"email": "zoe@example.org", "first": "Zoë", "last": "Gagné"}


def test_only_what_stands_in_it_goes() -> None:
    lines = """
    # what our CRM wants
    city = city | upper
    first = display_name | truncate(4)
    """
    assert applied(lines) == {"email": "Zoe@Example.org", "city": "MONTRÉAL", "first": "Zoë "}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("lower", "zoe@example.org"),
        ("upper", "ZOE@EXAMPLE.ORG"),
        ("md5_lower", hashlib.md5(b"zoe@example.org").hexdigest()),
        ("truncate(3)", "Zoe"),
    ],
)
def test_transforms_of_an_address(line: str, value: str) -> None:
    assert applied(f"custom.x = email | {line}")["custom.x"] == value


def test_the_other_transforms() -> None:
    shown = applied(
        """
        custom.day = signed_at | iso_date
        custom.place = city, country | join(", ")
        custom.tight = city, country | join(/) | lower
        custom.country = country | country_name
        custom.pays = country | country_name(fr)
        custom.from = const(letter | June = now)
        custom.quoted = const(" spaced ")
        custom.trimmed = display_name | trim
        """,
        country="DE",
    )
    assert shown["custom.day"] == "2026-06-20"
    assert shown["custom.place"] == "Montréal, DE"
    assert shown["custom.tight"] == "montréal/de"
    assert (shown["custom.country"], shown["custom.pays"]) == ("Germany", "Allemagne")
    assert shown["custom.from"] == "letter | June = now"
    assert shown["custom.quoted"] == " spaced "
    assert shown["custom.trimmed"] == "Zoë Gagné"
    assert applied("custom.pays = country | country_name", "fr", country="DE")["custom.pays"] == "Allemagne"


def test_what_is_empty_is_left_out_and_not_joined() -> None:
    shown = applied('custom.place = city, country | join(", ")\ncustom.role = role', city=None)
    assert shown["custom.place"] == "CA"
    assert "custom.role" not in shown


def test_every_field_can_be_mapped() -> None:
    assert set(applied("\n".join(f"custom.{name} = {name}" for name in FIELDS))) >= {"custom.id", "custom.partner"}
    assert applied("custom.x = display_name", kind="organization")["custom.x"] == "Maple House"


def test_everything_wrong_is_said_at_once() -> None:
    found = messages(
        """first = emial
        nowhere = email
        city
        last = given_name | shout | truncate(x)
        custom.a = city, country
        custom.b = country | country_name(xx)
        custom.c = city | lower(3)
        custom.d = city | join
        last =
        custom.a = city"""
    )
    numbers = (1, 2, 3, 4, 4, 5, 6, 7, 8, 9, 9, 10)
    assert [one.split(":")[0] for one in found[:-1]] == [f"line {number}" for number in numbers]
    assert "there is no field `emial`" in found[0]
    assert "custom.NAME" in found[1]
    assert "there is no transform `shout`" in found[3]
    assert all(name in found[3] for name in TRANSFORMS)
    assert found[-1] == "`email` is needed"
    assert "twice" in found[-2]


def test_the_address_is_not_mapped_where_it_always_goes() -> None:
    targets = Targets(frozenset(), custom=re.compile("(?!email$)[a-z]+"), custom_help="any name")
    found = read_map("email = city\nNo = city", targets).problems
    assert [one.message for one in found] == [
        "line 1: the address always goes: it is not mapped",
        "line 2: there is nothing called `No`; there are any name",
    ]


def test_limits() -> None:
    assert messages("\n".join(f"custom.{number} = city" for number in range(101))) == ["at most 100 lines, not 101"]
    assert len(messages(f"email = email\ncustom.{'x' * 300} = city")) == 1


@given(st.text(max_size=300))
def test_no_text_breaks_the_reader(text: str) -> None:
    reading = read(text)
    assert reading.problems or reading.rules
    if not reading.problems:
        reading.apply(event(**SOMEBODY), "en")


def test_the_option_shows_the_default() -> None:
    assert map_option(DEFAULT).default == DEFAULT
