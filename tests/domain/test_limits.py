"""Rate limits as written, and as they hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widget_server.domain.limits import Window, read_windows
from widget_server.domain.refusals import TooMany
from widget_server.flows.limit import ClientLimit


def test_read() -> None:
    assert read_windows("10/minute;60/hour") == (Window(10, 60), Window(60, 3600))
    assert read_windows("off") == ()
    for wrong in ("", "10", "ten/minute", "0/minute", "10/fortnight", "10/minute,60/hour"):
        with pytest.raises(ValueError, match="10/minute"):
            read_windows(wrong)


class At:
    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


def refused(limit: ClientLimit, letter: int = 1, client: str = "192.0.2.1") -> int:
    """0 when let through, else the seconds to wait."""
    try:
        limit.check(letter, client)
    except TooMany as error:
        return error.retry_after_seconds or 0
    return 0


def test_both_windows_hold_and_waiting_as_told_helps() -> None:
    at = At()
    limit = ClientLimit(read_windows("2/minute;3/hour"), at)
    assert [refused(limit), refused(limit)] == [0, 0]
    wait = refused(limit)
    assert 0 < wait <= 120
    assert refused(limit, client="192.0.2.2") == 0
    assert refused(limit, letter=2) == 0
    at.seconds += wait
    assert refused(limit) == 0
    at.seconds += 120
    wait = refused(limit)
    assert 120 < wait <= 7200
    at.seconds += wait
    assert refused(limit) == 0


@given(st.lists(st.floats(0, 30), min_size=1, max_size=60), st.integers(1, 8))
def test_no_window_ever_lets_through_twice_its_number(gaps: list[float], number: int) -> None:
    at = At()
    limit = ClientLimit([Window(number, 60)], at)
    passed: list[float] = []
    for gap in gaps:
        at.seconds += gap
        if not refused(limit):
            passed.append(at.seconds)
    for start in passed:
        assert sum(1 for moment in passed if start <= moment < start + 60) < 2 * number + 1


@given(st.lists(st.floats(0, 90), max_size=30))
def test_the_wait_that_is_told_is_enough(gaps: list[float]) -> None:
    at = At()
    limit = ClientLimit([Window(3, 60)], at)
    for gap in gaps:
        at.seconds += gap
        wait = refused(limit)
        if wait:
            at.seconds += wait
            assert refused(limit) == 0
