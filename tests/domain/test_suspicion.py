"""What sets a signature aside: a trap or a rule alone, anything else only together."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from tests.domain.test_sign_form import PERSON, settings
from widget_server.domain.sign_form import HONEYPOT, SignForm, read_form
from widget_server.domain.suspicion import mended, quarantine


def form(**sent: Any) -> SignForm:
    return read_form(PERSON | sent, settings())


def codes(sent: SignForm, *, shown: bool = True, blocked: bool = False, weighed: bool = True) -> str | None:
    return quarantine(sent, shown=shown, blocked=blocked, weighed=weighed)


@pytest.mark.parametrize(
    ("elapsed", "shown", "found"),
    [
        (None, True, None), (None, False, None), (1_999, True, None), (2_000, False, None),
        (1_999, False, "fast,not_shown"), (0, False, "fast,not_shown"), (90_000_000, False, None),
    ],
)  # fmt: skip
def test_most_only_count_together(elapsed: int | None, shown: bool, found: str | None) -> None:
    assert codes(form(elapsed=elapsed), shown=shown) == found


def test_a_trap_and_a_rule_are_enough_each_and_name_what_else_is_odd() -> None:
    assert codes(form(**{HONEYPOT: "x"})) == "honeypot"
    assert codes(form(), blocked=True) == "blocked"
    assert codes(form(elapsed=1, **{HONEYPOT: "x"}), shown=False, blocked=True) == "honeypot,blocked,fast,not_shown"


def test_an_operator_who_has_switched_everything_off_keeps_traps_and_rules() -> None:
    assert codes(form(elapsed=1), shown=False, weighed=False) is None
    assert codes(form(**{HONEYPOT: "x"}), weighed=False) == "honeypot"
    assert codes(form(elapsed=1), blocked=True, weighed=False) == "blocked,fast"


def test_a_test_is_never_set_aside() -> None:
    for shown, blocked in product((True, False), repeat=2):
        assert codes(form(test="true", elapsed=0, **{HONEYPOT: "x"}), shown=shown, blocked=blocked) is None


@pytest.mark.parametrize(
    ("before", "now", "both"),
    [
        (None, None, None), (None, "blocked", "blocked"), ("blocked", None, None), ("blocked", "blocked", "blocked"),
        ("honeypot,blocked", None, "honeypot"), ("honeypot", "blocked", "honeypot,blocked"),
        ("honeypot", "honeypot", "honeypot"), ("rejected_before", None, "rejected_before"),
        ("fast,not_shown", None, "fast,not_shown"), ("blocked,fast", None, None),
        ("blocked,fast,not_shown", None, "fast,not_shown"),
    ],
)  # fmt: skip
def test_a_mended_address_is_judged_anew_and_its_sender_is_not(
    before: str | None, now: str | None, both: str | None
) -> None:
    assert mended(before, now, weighed=True) == both


def test_mending_too_weighs_nothing_where_the_operator_has_switched_everything_off() -> None:
    assert mended("blocked,fast,not_shown", None, weighed=False) is None
    assert mended("honeypot,fast", None, weighed=False) == "honeypot,fast"
