"""French sets its own spaces and apostrophes, and leaves alone what is no punctuation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widget_server.domain.typography import french, typeset


@pytest.mark.parametrize(
    ("typed", "set_"),
    [
        (
            "Merci ! Vraiment ? Oui : « tout » ; rien",
            "Merci\u202f! Vraiment\u202f? Oui\u00a0: «\u00a0tout\u00a0»\u202f; rien",
        ),
        ("Est-ce en ligne?", "Est-ce en ligne\u202f?"),
        ("Vraiment?!", "Vraiment\u202f?!"),
        ("(oui?) «non!» {email}; fin:", "(oui\u202f?) «\u00a0non\u202f!\u00a0» {email}\u202f; fin\u00a0:"),
        (
            "L'été qu'on n'a pas eu, l'« Entente », d'{name}",
            "L’été qu’on n’a pas eu, l’«\u00a0Entente\u00a0», d’{name}",
        ),
        ("l'", "l’"),
    ],
)
def test_spaces_and_apostrophes(typed: str, set_: str) -> None:
    assert french(typed) == set_


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/l'eau?a=b;c",
        "l'eau@example.org",
        "mailto:hello@example.org",
        "à 16:30, au rapport 3:1",
        "--status failed, ?lang=fr, {ratio:>5}",
        "'cité'",
        "5' 10",
    ],
)
def test_what_is_no_punctuation_is_left_alone(text: str) -> None:
    assert french(text) == text


@given(st.text(alphabet="ab' :;!?«»\u00a0\u202f’\n.{}()1"))
def test_set_twice_is_set_once(text: str) -> None:
    assert french(french(text)) == french(text)


def test_other_languages_are_left_alone() -> None:
    assert typeset("Ask Here: who's asking?", "en") == "Ask Here: who's asking?"
