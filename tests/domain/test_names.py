"""Names: what passes comes out as it went in; what would deceive is refused."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widget_server.domain import names

REAL = [
    "Angela Rose & Oak House", "Comité de solidarité internationale de l'ALGI",
    "Canadian Council of Muslim Women (CCMW)",
    "Fédération des femmes du Québec", "CRÉDIL", "Cassidy M. Ascione", "Canada-US Border Rights Clinic", "Élaine Simon",
    "Alida Oegema-Thomas", "L’Étoile", "350.org", "OpenMedia.ca", "Change.org", "محمد العربي", "李小龍", "O'Neill, Jr.",
    'The "Quiet" Ones', "A + B / C", "Nguyễn Thị Minh Khai", "नेपाली साहित्य",
]  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_real_names_come_out_as_they_went_in(name: str) -> None:
    assert names.name(name) == name


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        (" \t\n ", "empty"),
        ("x" * 201, "too_long"),
        ("x" * 1_000_000, "too_long"),
        ("a\x00b", "control"),
        ("a\x1cb", "control"),
        ("Jane\u202eenaJ", "control"),
        ("Jane\u2066", "control"),
        ("a\ud800b", "control"),
        ("zero\u200bwidth", "control"),
        ("see http://spam.example", "link"),
        ("WWW.spam.example", "link"),
        ("...", "punctuation"),
        ("— & —", "punctuation"),
    ],
)
def test_refused(text: str, code: str) -> None:
    with pytest.raises(names.BadText) as refused:
        names.name(text)
    assert refused.value.code == code


def test_blanks_collapse_and_accents_compose() -> None:
    assert names.name("  Zoe\u0308 \u00a0 \t Gagne\u0301\n") == "Zoë Gagné"


@given(st.text(max_size=300))
def test_whatever_passes_is_stable_and_short(text: str) -> None:
    try:
        found = names.name(text)
    except names.BadText:
        return
    assert names.name(found) == found
    assert 1 <= len(found) <= names.MAX_LENGTH
    assert unicodedata.is_normalized("NFC", found)
    assert found.encode("utf-8").decode("utf-8") == found
    assert not names.has_forbidden_characters(found)
    assert "\n" not in found


@given(st.text(alphabet=st.characters(categories=["L", "M", "Nd"]), min_size=1, max_size=60))
def test_folding_ignores_case_and_composition(text: str) -> None:
    assert names.fold(text) == names.fold(unicodedata.normalize("NFD", text))
    assert names.fold(names.fold(text)) == names.fold(text)


def test_e_with_an_accent_is_filed_under_e() -> None:
    people = ["Zoé", "Émile", "Eve", "Ewan", "éa"]
    assert sorted(people, key=names.sort_key) == ["éa", "Émile", "Eve", "Ewan", "Zoé"]
    assert sorted(["Zoé", "Œuvre", "Ode", "Łukasz", "Lumen"], key=names.sort_key) == [
        "Łukasz", "Lumen", "Ode", "Œuvre", "Zoé",
    ]  # fmt: skip
