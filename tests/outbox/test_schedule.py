"""When a delivery is tried again: contract, section 8."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from widget_server.contract import (
    DeliveryError,
    NotAuthorized,
    Permanent,
    Response,
    Suppressed,
    Temporary,
    Unknown,
    judge,
    retry_after_seconds,
)
from widget_server.domain.deliveries import Bearing, Outcome
from widget_server.outbox.schedule import DELAYS_SECONDS, FREE_FAULTS, bug, delay_seconds, delivered, failed

NOW = datetime(2026, 6, 20, 12, tzinfo=UTC)


def plain(low: float, high: float) -> float:
    return 1.0


def test_the_delays_are_those_of_the_contract() -> None:
    hours = 3600
    assert (
        5,
        300,
        1800,
        2 * hours,
        5 * hours,
        10 * hours,
        14 * hours,
        20 * hours,
        24 * hours,
    ) == DELAYS_SECONDS
    assert [delay_seconds(n, plain) for n in range(1, 10)] == list(DELAYS_SECONDS)
    assert delay_seconds(10, plain) is None


@given(st.integers(1, 9), st.randoms())
def test_each_delay_is_within_a_fifth(attempts: int, dice: random.Random) -> None:
    delay = delay_seconds(attempts, dice.uniform)
    assert delay is not None
    assert 0.8 * DELAYS_SECONDS[attempts - 1] <= delay <= 1.2 * DELAYS_SECONDS[attempts - 1]


errors = st.one_of(
    st.builds(Temporary, st.sampled_from(["http_500", "timeout", "dns_error"])),
    st.builds(lambda s: Temporary("http_429", retry_after_seconds=s), st.floats(0, 1e9, allow_nan=False)),
    st.none(),  # a bug of ours
)


@settings(deadline=None)
@given(st.lists(errors, min_size=10 * (FREE_FAULTS + 1), max_size=10 * (FREE_FAULTS + 1)), st.randoms())
def test_every_delivery_ends_and_never_goes_back_in_time(
    story: list[DeliveryError | None], dice: random.Random
) -> None:
    at, attempts, throttled, tries = NOW, 0, 0, 0
    for event in story:
        tries += 1
        if event is not None:
            verdict = failed(event, attempts, throttled, at, dice.uniform)
        else:
            verdict = bug("internal: 1", attempts, throttled, at, dice.uniform)
        assert verdict.attempts in (attempts, attempts + 1)
        attempts, throttled = verdict.attempts, verdict.throttled
        if verdict.status == "failed":
            assert attempts == 10 or throttled == FREE_FAULTS
            return
        assert verdict.next_attempt_at is not None
        assert timedelta(seconds=1) <= verdict.next_attempt_at - at <= timedelta(hours=28.8)
        at = verdict.next_attempt_at
    # At most so many free throttles and faults stand before each of ten attempts.
    raise AssertionError(f"{tries} tries and no end")


def test_retry_after_is_free_until_the_fifth_in_a_row() -> None:
    attempts = throttled = 0
    seen = []
    for _ in range(6):
        verdict = failed(Temporary("http_429", retry_after_seconds=30), attempts, throttled, NOW, plain)
        attempts, throttled = verdict.attempts, verdict.throttled
        seen.append(attempts)
        assert verdict.hold_until == NOW + timedelta(seconds=30)
    assert seen == [0, 0, 0, 0, 1, 2]
    other = failed(Temporary("http_500"), attempts, throttled, NOW, plain)
    assert other.throttled == 0


def test_faults_of_ours_wait_as_the_schedule_says_and_spend_nothing_but_not_for_ever() -> None:
    at, throttled, waits = NOW, 0, []
    for _ in range(FREE_FAULTS):
        verdict = bug("internal: 1", 3, throttled, at, plain)
        assert (verdict.status, verdict.attempts) == ("pending", 3)
        assert verdict.next_attempt_at is not None
        waits.append((verdict.next_attempt_at - at).total_seconds())
        at, throttled = verdict.next_attempt_at, verdict.throttled
    assert waits == [*DELAYS_SECONDS, *[DELAYS_SECONDS[-1]] * (FREE_FAULTS - len(DELAYS_SECONDS))]
    assert bug("internal: 1", 3, throttled, at, plain).status == "failed"


@pytest.mark.parametrize(("asked", "waits"), [(0, 1), (0.2, 1), (30, 30), (86_400, 86_400), (10**7, 86_400)])
def test_retry_after_is_at_least_a_second_and_at_most_a_day(asked: float, waits: float) -> None:
    verdict = failed(Temporary("http_503", retry_after_seconds=asked), 0, 0, NOW, plain)
    assert verdict.next_attempt_at == NOW + timedelta(seconds=waits)


def test_when_throttled_for_the_fifth_time_neither_wait_is_cut_short() -> None:
    short = failed(Temporary("http_429", retry_after_seconds=1), 3, 4, NOW, plain)
    assert short.next_attempt_at == NOW + timedelta(hours=2)
    long = failed(Temporary("http_429", retry_after_seconds=80_000), 0, 4, NOW, plain)
    assert long.next_attempt_at == NOW + timedelta(seconds=80_000)


def test_what_each_error_means() -> None:
    item = failed(Permanent("http_422", item=True), 0, 0, NOW, plain)
    assert (item.status, item.outcome, item.bearing) == ("failed", Outcome.REJECTED, Bearing.NOTHING)
    blocked = failed(Permanent("blocked_address"), 0, 0, NOW, plain)
    assert (blocked.status, blocked.outcome, blocked.error) == ("failed", Outcome.BLOCKED, "blocked_address")
    gone = failed(Permanent("http_410", gone=True), 0, 0, NOW, plain)
    assert (gone.status, gone.outcome) == ("failed", Outcome.GONE)
    locked = failed(NotAuthorized("http_403"), 2, 0, NOW, plain)
    assert (locked.status, locked.outcome, locked.attempts) == ("pending", Outcome.CREDENTIALS, 2)
    ours = bug("internal: 1", 0, 0, NOW, plain)
    assert (ours.outcome, ours.bearing, ours.status, ours.attempts) == (Outcome.OURS, Bearing.NOTHING, "pending", 0)
    unknown = failed(Unknown("timeout"), 0, 0, NOW, plain)
    assert (unknown.outcome, unknown.bearing, unknown.status, unknown.attempts) == (
        Outcome.UNKNOWN,
        Bearing.ILL,
        "pending",
        1,
    )
    choice = failed(Suppressed("unsubscribed", "their own choice"), 0, 0, NOW, plain)
    assert (choice.outcome, choice.bearing, choice.status, choice.error) == (
        Outcome.SUPPRESSED,
        Bearing.NOTHING,
        "cancelled",
        "unsubscribed: their own choice",
    )
    done = delivered(Response(200, {}, b"x" * 5000), 3)
    assert (done.attempts, len(done.response or "")) == (4, 1000)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_success(status: int) -> None:
    assert judge(Response(status, {}, b""), now=NOW).status_code == status


@pytest.mark.parametrize("status", [100, 401, 403, 404, 408, 425, 429, 500, 502, 503, 504, 599])
def test_everything_else_is_tried_again(status: int) -> None:
    with pytest.raises(Temporary):
        judge(Response(status, {}, b""), now=NOW)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30.0),
        ("1.5", 1.5),
        ("-5", 0.0),
        ("Sat, 20 Jun 2026 12:01:00 GMT", 60.0),
        ("Sat, 20 Jun 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, NOW) == seconds
