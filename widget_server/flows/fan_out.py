"""When something has happened: which destinations are to hear of it.

1. Take the oldest events that wait, held against other dispatchers.
2. For each destination that listens: is the event its owner's, of a type it takes, and not older than it?
3. Write the deliveries and mark the events, in the one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from widget_server.contract import Integration
from widget_server.domain.events import Consented, Happening, Listener, may_list, wants
from widget_server.domain.ids import new_id
from widget_server.store.db import Db, Writer
from widget_server.store.deliveries import NewDelivery, enqueue
from widget_server.store.destinations import DestinationRow, listening, take_test
from widget_server.store.waiting import Waiting, consented, mark_fanned_out, pass_over_waiting, take_waiting

BATCH = 500
PASSED_OVER = 5000
TEST_EVERY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class FannedOut:
    """What a pass did. `more`: there may be further events waiting. `listeners`: destinations that listen
    at all."""

    events: int
    destinations: frozenset[str]
    more: bool
    listeners: int


async def fan_out(db: Db, kinds: Mapping[str, Integration], now: datetime) -> FannedOut:
    """Turns one batch of waiting events into deliveries that are due now."""
    async with db.write() as writer:
        listeners = [(listener_of(row, kinds), row) for row in await listening(writer)]
        if not listeners:
            passed = await pass_over_waiting(writer, PASSED_OVER, now)
            return FannedOut(passed, frozenset(), passed == PASSED_OVER, 0)
        waiting = await take_waiting(writer, BATCH)
        may = await chooser(writer, [listener for listener, _ in listeners], waiting)
        rows: list[NewDelivery] = []
        for one in waiting:
            event = happening(one)
            for listener, row in listeners:
                if not listener.is_newer(one.seq, event.occurred_at) or not may(listener, event):
                    continue
                if await _is_too_soon(writer, listener, event, now):
                    continue
                rows.append(NewDelivery(new_id(), one.row.id, row.id, row.kind))
        if waiting:
            await enqueue(writer, rows, now)
            await mark_fanned_out(writer, [one.seq for one in waiting], now)
    told = frozenset(row.destination_id for row in rows)
    return FannedOut(len(waiting), told, len(waiting) == BATCH, len(listeners))


async def _is_too_soon(writer: Writer, listener: Listener, event: Happening, now: datetime) -> bool:
    """Whether a room was told of a test signature moments ago: somebody trying an embed presses often."""
    if not (event.test and listener.chat):
        return False
    return not await take_test(writer, listener.id, now, TEST_EVERY_SECONDS)


def happening(one: Waiting) -> Happening:
    row = one.row
    return Happening.of(row.type, row.letter_id, row.partner_id, row.occurred_at, row.data, row.signature_id)


async def chooser(
    writer: Writer, listeners: Sequence[Listener], waiting: Sequence[Waiting]
) -> Callable[[Listener, Happening], bool]:
    """Which of these listeners is to hear of which of these events. Consent is asked here, for mailing lists, and once
    more when it is sent."""
    consents: Mapping[str, Consented] = {}
    if any(listener.lists for listener in listeners):
        consents = await consented(writer, sorted({one.row.signature_id for one in waiting if one.row.signature_id}))

    def may(listener: Listener, event: Happening) -> bool:
        if not wants(listener, event):
            return False
        return not listener.lists or may_list(listener, consents.get(event.signature_id or ""))

    return may


def listener_of(row: DestinationRow, kinds: Mapping[str, Integration]) -> Listener:
    """A destination as fan-out sees it. A kind that is not installed hears all it asked for: its work is
    kept."""
    kind = kinds.get(row.kind)
    types = row.event_types if row.event_types is not None or kind is None else kind.events
    return Listener(
        id=row.id,
        letter_id=row.letter_id,
        partner_id=row.partner_id,
        types=None if types is None else frozenset(types),
        chat=kind is not None and not kind.contact_details,
        created_at=row.created_at,
        lists=kind is not None and kind.lists,
        tests=kind is None or kind.tests,
        after_seq=row.after_seq,
    )
