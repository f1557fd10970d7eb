"""Addresses: written to as typed, compared in their canonical form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widget_server.domain import emails


@pytest.mark.parametrize(
    ("typed", "address", "canonical"),
    [
        ("Jo@Example.ORG", "Jo@example.org", "jo@example.org"),
        (" jo+letters@example.org ", "jo+letters@example.org", "jo@example.org"),
        ("J.o.Doe+x@googlemail.com", "J.o.Doe+x@googlemail.com", "jodoe@gmail.com"),
        ("a.b@example.org", "a.b@example.org", "a.b@example.org"),
        ("zoé@exemple.org", "zoé@exemple.org", "zoé@exemple.org"),
        ("jo@bücher.example", "jo@xn--bcher-kva.example", "jo@xn--bcher-kva.example"),
        ("jo@localhost.test", "jo@localhost.test", "jo@localhost.test"),
    ],
)
def test_read(typed: str, address: str, canonical: str) -> None:
    found = emails.read(typed)
    assert (found.address, found.canonical) == (address, canonical)


@pytest.mark.parametrize(
    "typed",
    [
        "jo", "@example.org", "jo@", "jo@example", "jo@@example.org", "jo@exa mple.org", ".jo@example.org",
        "jo..e@example.org", "jo@example.org\nBcc: all@example.org", "jo\x00@example.org", "jo@\ud800.org",
        "\ud800@example.org", "jo@-example.org", "jo@example..org", f"{'x' * 65}@example.org", '"jo"@[127.0.0.1]',
    ],
)  # fmt: skip
def test_refused(typed: str) -> None:
    with pytest.raises(emails.BadEmail) as refused:
        emails.read(typed)
    assert refused.value.code == "email"


def test_too_long() -> None:
    with pytest.raises(emails.BadEmail) as refused:
        emails.read(f"jo@{'x' * 250}.org")
    assert refused.value.code == "too_long"


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        found = emails.read(text)
    except emails.BadEmail:
        return
    assert "@" in found.address
    assert "\n" not in found.address
    assert emails.read(found.address).canonical == found.canonical
    found.address.encode("utf-8")
