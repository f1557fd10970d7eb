"""A delivery and the destination it goes to: what an attempt makes of both.

One thing must stay true: everything here is a pure function of what happened and when, so that the rules of
retrying and disabling can be tested without a network, a database or a wait.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

DeliveryStatus = Literal["pending", "delivered", "failed", "cancelled"]
DestinationStatus = Literal["active", "paused", "disabled"]

DISABLE_AFTER = timedelta(days=5)
TELL_AGAIN_AFTER = timedelta(days=1)


class Outcome(StrEnum):
    """What an attempt came to, as its row says."""

    DELIVERED = "delivered"
    RETRY = "retry"
    THROTTLED = "throttled"
    REJECTED = "rejected"
    GONE = "gone"
    BLOCKED = "blocked"
    CREDENTIALS = "credentials"
    OURS = "ours"


class Bearing(StrEnum):
    """What an attempt says about its destination's health: well, ill, or nothing."""

    WELL = "well"
    ILL = "ill"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an attempt makes of its delivery, and tells of its destination.

    `attempts` and `throttled` are the new numbers. `hold_until`: no send to the destination sooner.
    `status_code` is the answer's, `response` the start of its text, `error` a code from the closed list with
    an optional detail.
    """

    outcome: Outcome
    status: DeliveryStatus
    attempts: int
    throttled: int
    next_attempt_at: datetime | None
    bearing: Bearing
    error: str | None = None
    status_code: int | None = None
    response: str | None = None
    hold_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """How a destination fares. `told_at`: when its owner was last told of a delivery that gave up."""

    status: DestinationStatus
    reason: str | None
    first_failed_at: datetime | None
    told_at: datetime | None
    last_sent_at: datetime | None
    not_before: datetime | None


@dataclass(frozen=True, slots=True)
class Course:
    """Health after an attempt, and the events it makes: `destination.failing`, `destination.disabled`."""

    health: Health
    events: tuple[str, ...]


def after_attempt(health: Health, verdict: Verdict, at: datetime) -> Course:
    """What an attempt that ended at `at` makes of its destination.

    A success ends a streak of failures. A failure begins one, and once the first is `DISABLE_AFTER` old the
    next disables; so does "gone" at once. Refused credentials pause. The owner is told when a delivery gives
    up first in a streak, and no more than once a day when giving up and succeeding alternate.
    """
    if verdict.bearing is Bearing.WELL:
        told_at = health.told_at
        if told_at is not None and at - told_at >= TELL_AGAIN_AFTER:
            told_at = None
        return Course(replace(health, first_failed_at=None, told_at=told_at, last_sent_at=at), ())
    if verdict.hold_until is not None:
        later = verdict.hold_until if health.not_before is None else max(health.not_before, verdict.hold_until)
        health = replace(health, not_before=later)
    events: list[str] = []
    gives_up = verdict.status == "failed" or verdict.outcome is Outcome.CREDENTIALS
    if gives_up and health.told_at is None:
        health = replace(health, told_at=at)
        events.append("destination.failing")
    if verdict.bearing is Bearing.ILL:
        first = health.first_failed_at or at
        health = replace(health, first_failed_at=first)
        if health.status != "disabled" and (verdict.outcome is Outcome.GONE or at - first >= DISABLE_AFTER):
            health = replace(health, status="disabled", reason=verdict.error)
            events.append("destination.disabled")
        elif health.status == "active" and verdict.outcome is Outcome.CREDENTIALS:
            health = replace(health, status="paused", reason=verdict.error)
    return Course(health, tuple(events))
