"""When a mail is due: pure functions of what waits and the time.

One thing must stay true: a digest goes once a day at its hour where its readers live, whatever that day's clocks do.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from widget_server.contract import Event

GATHER_SECONDS = 900.0
"""At once: the first of a quiet spell at once, what follows a quarter of an hour apart, so that a flood of
signatures is no flood of mails."""
TROUBLE = ("abuse.spike", "destination.failing", "destination.disabled", "destination.test")


@lru_cache
def known_zones() -> frozenset[str]:
    return frozenset(available_timezones())


def is_urgent(event: Event) -> bool:
    """Trouble, and a test that somebody has just asked for."""
    return event.test or event.type in TROUBLE


def at_once(events: Sequence[Event], *, quiet_seconds: float, now: datetime) -> list[list[Event]]:
    """All that waits in one mail, as soon as it is time for one."""
    oldest = min((event.occurred_at for event in events), default=now)
    if not events:
        return []
    if quiet_seconds >= GATHER_SECONDS or (now - oldest).total_seconds() >= GATHER_SECONDS:
        return [list(events)]
    urgent = [event for event in events if is_urgent(event)]
    return [urgent] if urgent else []


def daily(events: Sequence[Event], *, hour: int, zone: ZoneInfo, now: datetime) -> list[list[Event]]:
    """Trouble at once; everything else once the hour has struck since the first of it happened."""
    urgent = [event for event in events if is_urgent(event)]
    others = [event for event in events if not is_urgent(event)]
    groups = [urgent] if urgent else []
    if others and min(event.occurred_at for event in others) < last_strike(hour, zone, now):
        groups.append(others)
    return groups


def last_strike(hour: int, zone: ZoneInfo, now: datetime) -> datetime:
    """When it was last `hour` o'clock in `zone`. Where the clocks skip that hour, it counts an hour later."""
    local = now.astimezone(zone)
    for days in (0, 1, 2):
        at = datetime.combine(local.date() - timedelta(days=days), time(hour), tzinfo=zone).astimezone(now.tzinfo)
        if at <= now:
            return at
    raise AssertionError("three days without that hour")
