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
REST_AFTER_RESULTS = 10
REST_AT_SHARE = 0.7
SAMPLE_OVER = timedelta(minutes=5)
REST_AFTER = timedelta(seconds=10)
REST = timedelta(seconds=30)
LONGEST_REST = timedelta(minutes=15)
PROBE = timedelta(seconds=25)
"""How long nothing else is sent while one delivery shows whether a destination is well again: as long as a lease."""


class Outcome(StrEnum):
    """What an attempt came to, as its row says."""

    DELIVERED = "delivered"
    RETRY = "retry"
    THROTTLED = "throttled"
    UNKNOWN = "unknown"
    REJECTED = "rejected"
    SUPPRESSED = "suppressed"
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

    `attempts` and `throttled` are the new numbers; the second is of tries in a row that spent no attempt. `hold_until`:
    no send to the destination sooner.
    `status_code` is the answer's, `response` the start of its text, `error` a code with
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
    """How a destination fares. `told_at`: when its owner was last told of a delivery that gave up.

    `sampled` results came since `sampled_at`, of which `sampled_ill` failed. `rests`: how often in a row it was given a
    rest because of them; while that is not 0, one delivery at a time is tried, and `sampled_at` is when that was begun.
    """

    status: DestinationStatus
    reason: str | None
    first_failed_at: datetime | None
    told_at: datetime | None
    last_sent_at: datetime | None
    not_before: datetime | None
    sampled_at: datetime | None = None
    sampled: int = 0
    sampled_ill: int = 0
    rests: int = 0

    def is_held(self, now: datetime) -> bool:
        """Whether nothing may be sent now: paused, disabled, or not before some later time."""
        return self.status != "active" or (self.not_before is not None and self.not_before > now)

    @property
    def is_on_probation(self) -> bool:
        """Whether it has been failing: its rest over, one delivery is to show whether it is well again."""
        return self.rests > 0


@dataclass(frozen=True, slots=True)
class Course:
    """Health after an attempt, and the events it makes: `destination.failing`, `destination.disabled`."""

    health: Health
    events: tuple[str, ...]


def after_attempt(health: Health, verdict: Verdict, at: datetime) -> Course:
    """What an attempt that ended at `at` makes of its destination.

    A success ends a streak of failures. A failure begins one, and once the first is `DISABLE_AFTER` old the
    next disables; so does "gone" at once. Refused credentials pause, and so does an address that is not dialled. The
    owner is told when a delivery gives up first in a streak, and no more than once a day when giving up and succeeding
    alternate.
    """
    if verdict.bearing is Bearing.WELL:
        told_at = health.told_at
        if told_at is not None and at - told_at >= TELL_AGAIN_AFTER:
            told_at = None
        return Course(_well(health, told_at, at), ())
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
        health = _ill(replace(health, first_failed_at=first), at)
        if health.status != "disabled" and (verdict.outcome is Outcome.GONE or at - first >= DISABLE_AFTER):
            health = replace(health, status="disabled", reason=verdict.error)
            events.append("destination.disabled")
        elif health.status == "active" and verdict.outcome in (Outcome.CREDENTIALS, Outcome.BLOCKED):
            health = replace(health, status="paused", reason=verdict.error)
    return Course(health, tuple(events))


def _well(health: Health, told_at: datetime | None, at: datetime) -> Health:
    not_before, sampled_at, sampled, ill = health.not_before, None, 0, 0
    if not health.rests:
        sampled_at, sampled, ill = _sample(health, at)
        sampled += 1
    elif health.sampled_at is not None and not_before == health.sampled_at + PROBE:
        not_before = None  # held for this one delivery, which has shown what it was to show
    return Health(health.status, health.reason, None, told_at, at, not_before, sampled_at, sampled, ill, 0)


def _ill(health: Health, at: datetime) -> Health:
    """A destination that mostly fails is given a rest, twice as long each time; a single failure on probation is
    enough. Not before it has failed for a moment: what a first retry mends needs no rest."""
    if health.rests:
        return health if health.sampled_at is None else _rested(health, at)  # else it was begun before the rest
    sampled_at, sampled, ill = _sample(health, at)
    health = replace(health, sampled_at=sampled_at, sampled=sampled + 1, sampled_ill=ill + 1)
    failing = health.sampled >= REST_AFTER_RESULTS and health.sampled_ill >= REST_AT_SHARE * health.sampled
    assert health.first_failed_at is not None
    if failing and at - health.first_failed_at >= REST_AFTER:
        return _rested(health, at)
    return health


def _sample(health: Health, at: datetime) -> tuple[datetime, int, int]:
    """The sample that a result at `at` belongs to: since when, how many, how many of them failed."""
    if health.sampled_at is None or not timedelta(0) <= at - health.sampled_at < SAMPLE_OVER:
        return at, 0, 0
    return health.sampled_at, health.sampled, health.sampled_ill


def _rested(health: Health, at: datetime) -> Health:
    until = at + min(REST * 2 ** min(health.rests, 10), LONGEST_REST)
    if health.not_before is not None and (health.sampled_at is None or health.not_before != health.sampled_at + PROBE):
        until = max(until, health.not_before)
    return replace(health, rests=health.rests + 1, not_before=until, sampled_at=None, sampled=0, sampled_ill=0)
