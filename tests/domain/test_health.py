"""What an attempt makes of its destination."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from widget_server.domain.deliveries import (
    LONGEST_REST,
    PROBE,
    REST,
    REST_AFTER,
    SAMPLE_OVER,
    Bearing,
    Health,
    Outcome,
    Verdict,
    after_attempt,
)

NOW = datetime(2026, 6, 20, 12, tzinfo=UTC)
WELL = Health("active", None, None, None, None, None)
OK = Verdict(Outcome.DELIVERED, "delivered", 1, 0, None, Bearing.WELL)
RETRY = Verdict(Outcome.RETRY, "pending", 1, 0, NOW, Bearing.ILL, error="http_500")
GAVE_UP = replace(RETRY, status="failed")
ITEM = Verdict(Outcome.REJECTED, "failed", 1, 0, None, Bearing.NOTHING, error="http_422")


def test_a_streak_of_failures_disables_after_five_days() -> None:
    health = after_attempt(WELL, RETRY, NOW).health
    assert (health.status, health.first_failed_at) == ("active", NOW)
    almost = after_attempt(health, RETRY, NOW + timedelta(days=4, hours=23))
    assert (almost.health.status, almost.events) == ("active", ())
    over = after_attempt(almost.health, RETRY, NOW + timedelta(days=5))
    assert (over.health.status, over.health.reason) == ("disabled", "http_500")
    assert over.events == ("destination.disabled",)
    assert after_attempt(over.health, RETRY, NOW + timedelta(days=6)).events == ()


def test_a_success_ends_the_streak() -> None:
    health = after_attempt(WELL, RETRY, NOW).health
    health = after_attempt(health, OK, NOW + timedelta(days=4)).health
    assert (health.first_failed_at, health.last_sent_at) == (None, NOW + timedelta(days=4))
    assert after_attempt(health, RETRY, NOW + timedelta(days=5)).health.status == "active"


def test_refusals_of_one_item_do_not_count() -> None:
    health = WELL
    for day in range(30):
        health = after_attempt(health, ITEM, NOW + timedelta(days=day)).health
    assert (health.status, health.first_failed_at) == ("active", None)


def test_the_owner_is_told_once_in_a_streak_and_at_most_daily_when_it_comes_and_goes() -> None:
    first = after_attempt(WELL, GAVE_UP, NOW)
    assert first.events == ("destination.failing",)
    assert after_attempt(first.health, GAVE_UP, NOW + timedelta(days=2)).events == ()
    soon = after_attempt(first.health, OK, NOW + timedelta(hours=1)).health
    assert after_attempt(soon, GAVE_UP, NOW + timedelta(hours=2)).events == ()
    later = after_attempt(soon, OK, NOW + timedelta(days=2)).health
    assert after_attempt(later, GAVE_UP, NOW + timedelta(days=2)).events == ("destination.failing",)


def test_gone_disables_at_once_and_credentials_pause() -> None:
    gone = after_attempt(WELL, replace(GAVE_UP, outcome=Outcome.GONE, error="http_410"), NOW)
    assert (gone.health.status, gone.events) == ("disabled", ("destination.failing", "destination.disabled"))
    locked = replace(RETRY, outcome=Outcome.CREDENTIALS, error="http_403")
    course = after_attempt(WELL, locked, NOW)
    assert (course.health.status, course.health.reason, course.events) == (
        "paused",
        "http_403",
        ("destination.failing",),
    )


def test_a_hold_never_shortens_a_longer_one() -> None:
    health = replace(WELL, not_before=NOW + timedelta(hours=1))
    throttled = Verdict(Outcome.THROTTLED, "pending", 0, 1, NOW, Bearing.NOTHING, hold_until=NOW + timedelta(seconds=5))
    assert after_attempt(health, throttled, NOW).health.not_before == NOW + timedelta(hours=1)


def test_an_address_that_is_not_dialled_pauses_and_what_waits_is_kept() -> None:
    course = after_attempt(WELL, replace(GAVE_UP, outcome=Outcome.BLOCKED, error="blocked_address"), NOW)
    assert (course.health.status, course.health.reason) == ("paused", "blocked_address")


def after(health: Health, verdicts: list[Verdict], at: datetime, every: timedelta = timedelta(seconds=1)) -> Health:
    for number, verdict in enumerate(verdicts):
        health = after_attempt(health, verdict, at + number * every).health
    return health


LATER = NOW + REST_AFTER


def test_a_destination_that_mostly_fails_is_given_a_rest() -> None:
    failing = after(WELL, [RETRY] * 9, NOW, timedelta(seconds=2))
    assert not failing.is_held(LATER + timedelta(seconds=10))
    at = NOW + timedelta(seconds=18)
    resting = after_attempt(failing, RETRY, at).health
    assert (resting.not_before, resting.rests) == (at + REST, 1)
    assert resting.is_held(at)
    assert not resting.is_held(at + REST)


def test_what_a_first_retry_mends_needs_no_rest() -> None:
    health = after(WELL, [RETRY] * 500, NOW, timedelta(milliseconds=10))
    assert not health.is_held(NOW + timedelta(seconds=5))
    health = after(health, [OK] * 500, NOW + timedelta(seconds=5), timedelta(milliseconds=10))
    assert (health.is_held(LATER), health.rests) == (False, 0)


@pytest.mark.parametrize(("well", "rests"), [(4, 0), (3, 1)])
def test_seven_in_ten_is_the_share(well: int, rests: int) -> None:
    mixed = replace(WELL, first_failed_at=NOW - REST_AFTER, sampled_at=NOW, sampled=9, sampled_ill=9 - well)
    assert after_attempt(mixed, RETRY, NOW).health.rests == rests


def test_old_results_count_no_longer() -> None:
    old = replace(WELL, first_failed_at=NOW - SAMPLE_OVER, sampled_at=NOW - SAMPLE_OVER, sampled=9, sampled_ill=9)
    assert after_attempt(old, RETRY, NOW).health.rests == 0


def resting(times: int, at: datetime) -> Health:
    return replace(WELL, first_failed_at=NOW, rests=times, not_before=at + REST)


def on_probation(health: Health, at: datetime) -> Health:
    return replace(health, sampled_at=at, not_before=at + PROBE)


def test_one_failure_on_probation_doubles_the_rest_up_to_a_quarter_of_an_hour() -> None:
    health, at, rests = resting(1, NOW), NOW, []
    for _ in range(8):
        at = health.not_before or NOW
        health = after_attempt(on_probation(health, at), RETRY, at).health
        assert health.not_before is not None
        rests.append((health.not_before - at).total_seconds())
    assert rests == [60, 120, 240, 480, 900, 900, 900, LONGEST_REST.total_seconds()]


def test_one_success_on_probation_ends_it_at_once() -> None:
    at = NOW + REST
    well = after_attempt(on_probation(resting(3, NOW), at), OK, at + timedelta(seconds=1)).health
    assert (well.rests, well.not_before, well.first_failed_at) == (0, None, None)


def test_what_was_begun_before_the_rest_neither_lengthens_it_nor_cuts_a_retry_after() -> None:
    health = resting(1, NOW)
    assert after_attempt(health, RETRY, NOW + timedelta(seconds=14)).health.not_before == NOW + REST
    asked = replace(health, not_before=NOW + timedelta(hours=1))
    assert after_attempt(asked, OK, NOW + timedelta(seconds=14)).health.not_before == NOW + timedelta(hours=1)
    throttled = Verdict(Outcome.THROTTLED, "pending", 0, 1, NOW, Bearing.NOTHING, hold_until=NOW + timedelta(hours=1))
    assert after_attempt(health, throttled, NOW).health.not_before == NOW + timedelta(hours=1)


def test_a_clock_that_goes_back_begins_a_new_sample() -> None:
    ahead = replace(WELL, first_failed_at=NOW, sampled_at=NOW + timedelta(days=1), sampled=9, sampled_ill=9)
    health = after_attempt(ahead, RETRY, NOW).health
    assert (health.sampled_at, health.sampled, health.rests) == (NOW, 1, 0)
