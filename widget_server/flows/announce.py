"""When a letter has opened, closed or passed a milestone, by command or by time.

1. Look at each letter: its status now, its count, and what was last told.
2. Compare and set what was told; whoever did that writes the event, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from widget_server.domain.ids import new_id
from widget_server.domain.letters import Letter
from widget_server.flows.directory import Directory
from widget_server.store.announcements import all_told, announce_milestone, announce_status
from widget_server.store.db import Db
from widget_server.store.events import EventRow, insert_events


async def announce(db: Db, directory: Directory, now: datetime) -> int:
    """Writes the events that are due; returns how many. Safe to call at any time, from any number of
    servers."""
    await directory.refresh(now_please=True)
    letters = {letter.id: letter for letter in await directory.letters()}
    written = 0
    for told in await all_told(db):
        letter = letters.get(told.letter_id)
        if letter is None:
            continue
        counts = (await directory.counts(letter)).public(letter.settings.codes)
        status = letter.status(now)
        milestone = reached(counts["total"], letter.settings.goal) if status in ("open", "paused", "closed") else 0
        opens_or_closes = status in ("open", "closed") and status != told.announced
        if not opens_or_closes and milestone <= told.milestone:
            continue
        async with db.write() as writer:
            events = []
            if opens_or_closes and await announce_status(writer, told, status):
                type_ = "letter.opened" if status == "open" else "letter.closed"
                events.append(_event(type_, letter, now, {"status": status, "counts": counts}))
            if milestone > told.milestone and await announce_milestone(writer, letter.id, milestone):
                events.append(_event("letter.milestone", letter, now, {"milestone": milestone, "counts": counts}))
            await insert_events(writer, events)
            written += len(events)
    return written


def next_change(letters: list[Letter], now: datetime) -> datetime | None:
    """When time itself will next open or close a letter."""
    times = [at for letter in letters for at in (letter.settings.opens_at, letter.settings.closes_at)]
    return min((at for at in times if at is not None and at > now), default=None)


def milestones() -> Iterator[int]:
    """100, 250, 500, 1,000, 2,500, 5,000, 10,000, …"""
    power = 100
    while True:
        yield from (power, power * 5 // 2, power * 5)
        power *= 10


def reached(total: int, goal: int | None) -> int:
    """The highest milestone that `total` has reached, the goal among them; 0 for none."""
    best = goal if goal is not None and total >= goal else 0
    for number in milestones():
        if number > total:
            return best
        best = max(best, number)
    raise AssertionError("milestones never end")


def _event(type_: str, letter: Letter, now: datetime, data: dict[str, Any]) -> EventRow:
    return EventRow(
        id=new_id(),
        type=type_,
        letter_id=letter.id,
        partner_id=None,
        signature_id=None,
        data=data,
        occurred_at=now,
    )
