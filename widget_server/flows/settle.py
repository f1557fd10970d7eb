"""When attempts have ended.

1. What was signed from a mailbox that a mail server refuses keeps that. First, since whoever changes a signature locks
   it before its deliveries.
2. Lock the destinations, then the deliveries: both in a fixed order, so that two dispatchers cannot deadlock.
3. A delivery that is no longer there, or no longer ours to judge, is left alone: a success counts whoever
   holds the lease by now, a failure only for whoever does.
4. Write an attempt row and the new state of each. What a receiver said is not kept where its signer was erased
   meanwhile, or where it was told that a consent has ended: it may quote the address.
5. Where the mail that asks to confirm has arrived, promise one reminder, unless the mailbox has had it.
6. Let each destination fare accordingly; what its owner must hear of becomes an event, and a mail.

All of it in the caller's one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from widget_server.domain.deliveries import after_attempt
from widget_server.domain.ids import new_id
from widget_server.domain.mails import REMIND_AFTER
from widget_server.store.db import Writer
from widget_server.store.deliveries import (
    Settlement,
    Stands,
    standing,
    write_attempts,
    write_notes,
    write_settlements,
    write_told,
)
from widget_server.store.destinations import Faring, hold, set_health
from widget_server.store.events import EventRow, insert_events
from widget_server.store.mail_quotas import is_taken
from widget_server.store.mails import MailEnd, NewMail, forget_who_asked, mark_refused, promise_mails
from widget_server.store.owner_mails import promise_owner_mails


async def settle(writer: Writer, settlements: Sequence[Settlement], now: datetime, *, counts: bool = True) -> int:
    """Writes how attempts ended; returns how many events that made. `counts=False` (a test send): health
    stays."""
    await _mark_refused(writer, [one.mail for one in settlements if one.mail], now)
    destinations = sorted({one.destination_id for one in settlements if one.destination_id})
    farings = await hold(writer, destinations) if destinations else {}
    stands = await standing(writer, sorted({one.delivery_id for one in settlements}))
    known = [one for one in settlements if one.delivery_id in stands]
    await write_attempts(writer, known, stands)
    await write_told(writer, known)
    await write_notes(writer, known)
    applied = [one for one in known if _applies(one, stands[one.delivery_id])]
    await write_settlements(writer, applied, now)
    await forget_who_asked(writer, [one.delivery_id for one in applied if one.mail and one.verdict.status != "pending"])
    await _remind(writer, [one.mail for one in applied if one.mail and one.verdict.status == "delivered"], now)
    if not counts:
        return 0
    events: list[EventRow] = []
    for destination_id, faring in sorted(farings.items()):
        health = faring.health
        for one in settlements:
            if one.destination_id == destination_id:
                course = after_attempt(health, one.verdict, now)
                health = course.health
                events += [_event(type_, faring, one, now) for type_ in course.events]
        if health != faring.health:
            await set_health(writer, destination_id, health)
    await insert_events(writer, events)
    if events:
        await promise_owner_mails(writer, events, now)
    return len(events)


async def _mark_refused(writer: Writer, mails: Sequence[MailEnd], now: datetime) -> None:
    mailboxes = {(one.letter_id, one.address_hash) for one in mails if one.refused and one.address_hash}
    for letter_id, address_hash in sorted(mailboxes):
        await mark_refused(writer, letter_id, address_hash, now)


async def _remind(writer: Writer, mails: Sequence[MailEnd], now: datetime) -> None:
    due_at = now + REMIND_AFTER
    promised = [
        NewMail("reminder", one.letter_id, one.partner_id, one.signature_id, now, due_at)
        for one in mails
        if one.remind and not await is_taken(writer, one.letter_id, one.remind)
    ]
    await promise_mails(writer, promised)


def _applies(one: Settlement, now: Stands) -> bool:
    return now.status == "pending" and (one.verdict.status == "delivered" or now.lease == one.lease)


def _event(type_: str, faring: Faring, one: Settlement, now: datetime) -> EventRow:
    return EventRow(
        id=new_id(),
        type=type_,
        letter_id=faring.letter_id,
        partner_id=faring.partner_id,
        signature_id=None,
        data={
            "destination": faring.id,
            "kind": faring.kind,
            "delivery": one.delivery_id,
            "error": (one.verdict.error or "").partition(":")[0],
        },
        occurred_at=now,
    )
