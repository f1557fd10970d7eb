"""When those whose destinations they are have to be told of trouble.

1. Claim some mails, with a lease, so that a crash frees them.
2. Whose is it? The letter's: all that its `notify` names. A partner's: its contact.
3. How does the destination stand now? Where nobody is named, or it is no more: cancelled, with the reason.

All of it in one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.flows.directory import Directory
from widget_server.store.db import Db, Writer
from widget_server.store.deliveries import Work, cancel
from widget_server.store.destinations import find_destination
from widget_server.store.owner_mails import claim_owner_mails

NOBODY_NAMED = "nobody: no address is named to hear of trouble"
NO_MORE = "gone: what it is about is no more"

Trouble = Literal["failing", "paused", "disabled", "abuse"]


@dataclass(frozen=True, slots=True)
class OwnerMail:
    """A claimed mail that is to be sent. `named`: whom an abuse comes from, where that is a partner."""

    work: Work
    lease: str
    trouble: Trouble
    letter: Letter
    owner: Partner | None
    to: tuple[str, ...]
    locale: str


@dataclass(frozen=True, slots=True)
class DueOwnerMails:
    mails: tuple[OwnerMail, ...]
    cancelled: int


class _Nothing(Exception):
    """There is nobody to tell, or nothing; the message says why."""


async def take_due_owner_mails(
    db: Db, directory: Directory, *, limit: int, lease: str, now: datetime, until: datetime
) -> DueOwnerMails:
    """Leases up to `limit` due mails until `until`, and decides each. Raises `Unavailable`."""

    async def take(writer: Writer) -> DueOwnerMails:
        claimed = await claim_owner_mails(writer, limit=limit, lease=lease, now=now, until=until)
        mails: list[OwnerMail] = []
        over: dict[str, str] = {}
        for one in claimed:
            try:
                mails.append(await _decide(writer, directory, one, lease))
            except _Nothing as nothing:
                over[one.id] = str(nothing)
        await cancel(writer, over, lease, now)
        return DueOwnerMails(tuple(mails), len(over))

    return await db.again(take)


async def _decide(writer: Writer, directory: Directory, work: Work, lease: str) -> OwnerMail:
    """Raises `_Nothing`."""
    event = work.event
    letter = await directory.letter_by_id(event.letter_id)
    if letter is None:
        raise _Nothing(NO_MORE)
    if not event.type.startswith("destination."):
        return _mail(work, lease, "abuse", letter, None)
    row = await find_destination(writer, str(event.data["destination"]))
    if row is None:
        raise _Nothing(NO_MORE)
    owner = None if row.partner_id is None else await directory.partner_by_id(row.partner_id)
    trouble: Trouble = "failing"
    if event.type == "destination.disabled":
        trouble = "disabled"
    elif row.health.status == "disabled":
        raise _Nothing("disabled: another mail tells of it")
    elif row.health.status == "paused" and row.health.reason is not None:
        trouble = "paused"
    return _mail(work, lease, trouble, letter, owner)


def _mail(work: Work, lease: str, trouble: Trouble, letter: Letter, owner: Partner | None) -> OwnerMail:
    to = letter.settings.notify if owner is None else tuple(filter(None, (owner.contact,)))
    if not to:
        raise _Nothing(NOBODY_NAMED)
    return OwnerMail(work, lease, trouble, letter, owner, to, letter.locale(owner.locale if owner else None))
