"""What an attempt makes of its destination."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from widget_server.domain.deliveries import Bearing, Health, Outcome, Verdict, after_attempt

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
