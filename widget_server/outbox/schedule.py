"""When to try again: an attempt's end → a verdict. Pure; the clock and the dice are handed in.

One thing must stay true: whatever happens, a delivery ends: delivered, or given up after ten attempts, or after two
weeks of nothing but faults of our own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from widget_server.contract import DeliveryError, NotAuthorized, Permanent, Response, Suppressed, Temporary, Unknown
from widget_server.domain.deliveries import Bearing, Outcome, Verdict

DELAYS_SECONDS = (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
SPREAD = 0.2
FREE_THROTTLES = 4
"""So many in a row spend no attempt; the fifth does."""
FREE_FAULTS = 20
"""Faults of ours in a row: about two weeks of them."""
RETRY_AFTER_SECONDS = (1.0, 24 * 3600.0)
BLOCKED = "blocked_address"
UNWRITTEN = "internal: how the attempt ended could not be written"
_SHOWN = 1000

Dice = Callable[[float, float], float]
"""A number between two: `random.uniform`."""


def delay_seconds(attempts: int, dice: Dice) -> float | None:
    """How long to wait after so many attempts, ±20 %; None once they are used up."""
    if attempts > len(DELAYS_SECONDS):
        return None
    return DELAYS_SECONDS[max(attempts, 1) - 1] * dice(1 - SPREAD, 1 + SPREAD)


def delivered(response: Response, attempts: int) -> Verdict:
    return Verdict(
        Outcome.DELIVERED,
        "delivered",
        attempts + 1,
        0,
        None,
        Bearing.WELL,
        status_code=response.status_code,
        response=response.text[:_SHOWN] or None,
    )


def failed(error: DeliveryError, attempts: int, throttled: int, at: datetime, dice: Dice) -> Verdict:
    """What an error at `at` makes of a delivery that has spent `attempts`, `throttled` of them lately in a
    row."""
    said = f"{error.code}: {error.detail}" if error.detail else error.code
    return replace(
        _judged(error, attempts, throttled, at, dice),
        error=said[:_SHOWN],
        status_code=error.status_code,
        response=error.response[:_SHOWN] or None,
    )


def bug(error: str, attempts: int, throttled: int, at: datetime, dice: Dice) -> Verdict:
    """A fault of ours: tried again after the schedule's delays, spends no attempt, and the destination is not blamed.
    Nor does it go on for ever: what nobody mends for so long is given up."""
    if throttled >= FREE_FAULTS:
        return Verdict(Outcome.OURS, "failed", attempts, throttled, None, Bearing.NOTHING, error=error)
    delay = delay_seconds(min(throttled + 1, len(DELAYS_SECONDS)), dice)
    assert delay is not None
    next_at = at + timedelta(seconds=delay)
    return Verdict(Outcome.OURS, "pending", attempts, throttled + 1, next_at, Bearing.NOTHING, error=error)


def unwritten(verdict: Verdict, at: datetime) -> Verdict:
    """What is kept of a verdict where it cannot be written in full: nobody's words, and no blame. One that tries again
    spends an attempt, so that this ends."""
    error = None if verdict.status == "delivered" else UNWRITTEN
    plain = replace(verdict, bearing=Bearing.NOTHING, error=error, status_code=None, response=None, hold_until=None)
    if verdict.status != "pending":
        return plain
    again = _again(Outcome.OURS, Bearing.NOTHING, verdict.attempts + 1, 0, at, lambda low, high: (low + high) / 2)
    return replace(again, error=UNWRITTEN)


def _judged(error: DeliveryError, attempts: int, throttled: int, at: datetime, dice: Dice) -> Verdict:
    if isinstance(error, NotAuthorized):
        return Verdict(Outcome.CREDENTIALS, "pending", attempts, 0, at, Bearing.ILL)
    if isinstance(error, Permanent):
        outcome = Outcome.BLOCKED if error.code == BLOCKED else Outcome.REJECTED
        bearing = Bearing.NOTHING if error.item else Bearing.ILL
        return Verdict(Outcome.GONE if error.gone else outcome, "failed", attempts + 1, 0, None, bearing)
    if isinstance(error, Suppressed):
        return Verdict(Outcome.SUPPRESSED, "cancelled", attempts + 1, 0, None, Bearing.NOTHING)
    asked = error.retry_after_seconds if isinstance(error, Temporary) else None
    if asked is None:
        outcome = Outcome.UNKNOWN if isinstance(error, Unknown) else Outcome.RETRY
        return _again(outcome, Bearing.ILL, attempts + 1, 0, at, dice)
    least, most = RETRY_AFTER_SECONDS
    until = at + timedelta(seconds=min(max(asked, least), most))
    if throttled < FREE_THROTTLES:
        free = Verdict(Outcome.THROTTLED, "pending", attempts, throttled + 1, until, Bearing.NOTHING)
        return replace(free, hold_until=until)
    spent = _again(Outcome.THROTTLED, Bearing.ILL, attempts + 1, throttled + 1, at, dice)
    if spent.next_attempt_at is not None:
        spent = replace(spent, next_attempt_at=max(spent.next_attempt_at, until))
    return replace(spent, hold_until=until)


def _again(outcome: Outcome, bearing: Bearing, attempts: int, throttled: int, at: datetime, dice: Dice) -> Verdict:
    delay = delay_seconds(attempts, dice)
    if delay is None:
        return Verdict(outcome, "failed", attempts, throttled, None, bearing)
    return Verdict(outcome, "pending", attempts, throttled, at + timedelta(seconds=delay), bearing)
