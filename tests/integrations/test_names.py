"""Given and family names, as people in Canada type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.names import split_name


@pytest.mark.parametrize(
    ("name", "given_name", "family_name"),
    [
        ("Zoë Gagné", "Zoë", "Gagné"),
        ("Jean-Pierre Côté-Tremblay", "Jean-Pierre", "Côté-Tremblay"),
        ("Marie Claude Tremblay", "Marie Claude", "Tremblay"),
        ("Marie-Ève St-Pierre", "Marie-Ève", "St-Pierre"),
        ("Charles de Gaulle", "Charles", "de Gaulle"),
        ("Jean de La Fontaine", "Jean", "de La Fontaine"),
        ("Jean Le Moyne", "Jean", "Le Moyne"),
        ("Anne-Marie D’Amours", "Anne-Marie", "D’Amours"),
        ("Marie-Soleil L'Écuyer", "Marie-Soleil", "L'Écuyer"),
        ("Louis St. Laurent", "Louis", "St. Laurent"),
        ("Anna van der Berg", "Anna", "van der Berg"),
        ("Ahmed Ben Salah", "Ahmed", "Ben Salah"),
        ("José Ortega y Gasset", "José", "Ortega y Gasset"),
        ("Tremblay, Marie Claude", "Marie Claude", "Tremblay"),
        ("de la Durantaye, Line", "Line", "de la Durantaye"),
        ("John Smith, PhD", "John", "Smith"),
        ("John Smith, M.D., Ph.D.", "John", "Smith"),
        ("TREMBLAY Marie Claude", "Marie Claude", "TREMBLAY"),
        ("Marie Claude TREMBLAY ROY", "Marie Claude", "TREMBLAY ROY"),
        ("Line de la DURANTAYE", "Line", "de la DURANTAYE"),
        ("MARIE CLAUDE TREMBLAY", "MARIE CLAUDE", "TREMBLAY"),
        ("J. A. Macdonald", "J. A.", "Macdonald"),
        ("Mme Louise Roy", "Louise", "Roy"),
        ("Dr. Norman Bethune", "Norman", "Bethune"),
        ("Me Julie Roy", "Julie", "Roy"),
        ("Martin Luther King Jr.", "Martin Luther", "King"),
        ("Anita Rao MD", "Anita", "Rao"),
        ("Yo Yo Ma", "Yo Yo", "Ma"),
        ("YO YO MA", "YO YO", "MA"),
        ("Ma, Yo Yo", "Yo Yo", "Ma"),
        ("Hon Lam", "Hon", "Lam"),
        ("Hon. Jane Roe", "Jane", "Roe"),
        ("Mme Roy", "", "Roy"),
        ("Prof. Dr. Anna Weber", "Anna", "Weber"),
        ("Jean D. Tremblay", "Jean D.", "Tremblay"),
        ("Mary O. Smith", "Mary O.", "Smith"),
        ("José Y. García", "José Y.", "García"),
        ("Sam M Roy", "Sam M", "Roy"),
        ("  Zoë   Gagné ", "Zoë", "Gagné"),
        ("Kim Le", "Kim", "Le"),
        ("Drake", "Drake", ""),
        ("M", "M", ""),
        ("Dr.", "Dr.", ""),
        ("李小龙", "李小龙", ""),
        (",", "", ""),
        ("", "", ""),
    ],
)
def test_how_a_name_is_split(name: str, given_name: str, family_name: str) -> None:
    assert split_name(name) == (given_name, family_name)


@given(st.text(max_size=200))
def test_nothing_is_invented(name: str) -> None:
    given_name, family_name = split_name(name)
    words = name.replace(",", " ").split()
    assert all(word in words or word == "," for word in f"{given_name} {family_name}".split())
