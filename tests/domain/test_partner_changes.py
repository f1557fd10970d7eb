"""What staff may set of a partner."""

from __future__ import annotations

import pytest

from widget_server.domain.partner_changes import KEYS, read_changes, read_pairs, slug_fault
from widget_server.domain.refusals import Problems


def test_every_key_of_the_contract_can_be_set() -> None:
    given = {
        "name": " L'Étoile ",
        "origins": "https://a.example, https://B.example:443/ http://localhost:8080",
        "locale": "fr",
        "strict_origins": "true",
        "contact": "web@a.example",
        "legal_name": "L'Étoile inc.",
        "postal_address": "1, rue Exemple\nMontréal",
        "privacy_url": "https://a.example/vie-privee",
        "contact_email": "info@a.example",
        "phone": "514 555-0100",
    }
    assert set(given) == set(KEYS)
    changes = read_changes(given, ["en", "fr"])
    assert changes["name"] == "L'Étoile"
    assert changes["origins"] == ["https://a.example", "https://b.example", "http://localhost:8080"]
    assert changes["strict_origins"] is True
    assert changes["postal_address"] == "1, rue Exemple Montréal"


def test_an_empty_value_clears_what_may_be_empty() -> None:
    assert read_changes({"locale": "", "phone": " "}, ["en"]) == {"locale": None, "phone": None}


def test_every_wrong_value_comes_at_once() -> None:
    with pytest.raises(Problems) as caught:
        read_changes(
            {
                "name": "",
                "origins": "a.example https://b.example/path",
                "locale": "de",
                "strict_origins": "perhaps",
                "contact": "x",
                "privacy_url": "javascript:x",
                "phone": "\x00",
                "colour": "red",
            },
            ["en", "fr"],
        )
    keys = [problem.partition(":")[0] for problem in caught.value.problems]
    assert keys == [
        "name", "origins", "origins", "locale", "strict_origins", "contact", "privacy_url", "phone", "colour",
    ]  # fmt: skip
    assert "https://www.example.org" in caught.value.problems[1]
    assert "en, fr" in caught.value.problems[3]


def test_pairs() -> None:
    assert read_pairs(["a=b=c", "d="]) == {"a": "b=c", "d": ""}
    with pytest.raises(Problems) as caught:
        read_pairs(["a", "b=1", "b=2"])
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("slug", ["", "A", "a b", "-a", "a-", "a/b", "é", "a" * 65])
def test_a_wrong_slug(slug: str) -> None:
    assert slug_fault(slug) is not None


@pytest.mark.parametrize("slug", ["a", "maple-house", "350", "a" * 64])
def test_a_good_slug(slug: str) -> None:
    assert slug_fault(slug) is None
