"""When mails to signers are due.

1. Claim some, with a lease, so that a crash frees them.
2. Is there still something to say, and to which address? What was promised holds an id or a keyed hash only.
3. Has the signer's place been taken meanwhile? Then the mail that asks to confirm says, kindly, that they have signed.
4. Count it against the mailbox's day, once however often it is tried.
5. Where there is nothing to say, or no room left: cancelled, with the reason.

All of it in one transaction. One thing must stay true: nothing is said that its receiver could not have known, and
nothing that a signer typed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from widget_server.domain import emails
from widget_server.domain.letters import Letter
from widget_server.domain.links import takes_confirmations
from widget_server.domain.mails import (
    ASKED_A_DAY,
    CONFIRM_A_DAY,
    COUNTS_ALREADY,
    GONE,
    NO_ADDRESS,
    NOBODY,
    OVER_LIMIT,
    REMINDED,
    UNCOUNTED_A_DAY,
    Tone,
    nothing_to_confirm,
    nothing_to_remind,
    reachable,
    the_one_that_counts,
)
from widget_server.domain.signatures import Signature
from widget_server.domain.signers import mail_key
from widget_server.flows.directory import Directory
from widget_server.store.db import Db, Writer
from widget_server.store.deliveries import cancel
from widget_server.store.mail_quotas import take, take_for_ever
from widget_server.store.mails import MailWork, claim_mails, forget_who_asked, keep_counted, signatures_of
from widget_server.store.signatures import find_signature, signatures_at


@dataclass(frozen=True, slots=True)
class DueMail:
    """A claimed mail that is to be sent. `about`: whose links it carries. `first_at`: when the signature that counts
    was made, for one who has signed already, where that is still known. `partner`: who would hear of it through them.
    `remind`: the key under which one reminder is promised once this has arrived."""

    work: MailWork
    lease: str
    tone: Tone
    letter: Letter
    about: Signature
    address: str
    locale: str
    first_at: datetime | None = None
    partner_id: int | None = None
    remind: str | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """What was claimed: mails to send, and how many there was nothing to say in."""

    mails: tuple[DueMail, ...]
    cancelled: int


class _Nothing(Exception):
    """There is nothing to send; the message says why."""


async def take_due_mails(
    db: Db, directory: Directory, *, limit: int, lease: str, now: datetime, until: datetime
) -> Due:
    """Leases up to `limit` due mails until `until`, and decides each. Raises `Unavailable`."""
    letters = {letter.id: letter for letter in await directory.letters()}

    async def work(writer: Writer) -> Due:
        claimed = await claim_mails(writer, limit=limit, lease=lease, now=now, until=until)
        signatures = await signatures_of(writer, claimed)
        mails: list[DueMail] = []
        over: dict[str, str] = {}
        for one in claimed:
            try:
                mails.append(await _decide(writer, letters, signatures, one, lease, now))
            except _Nothing as nothing:
                over[one.id] = str(nothing)
        await keep_counted(writer, [mail.work.id for mail in mails if not mail.work.counted])
        await cancel(writer, over, lease, now)
        await forget_who_asked(writer, list(over))
        return Due(tuple(mails), len(over))

    return await db.again(work)


async def _decide(
    writer: Writer,
    letters: Mapping[int, Letter],
    signatures: Mapping[str, Signature],
    work: MailWork,
    lease: str,
    now: datetime,
) -> DueMail:
    """Raises `_Nothing`."""
    letter = letters.get(work.letter_id)
    if letter is None:
        raise _Nothing(GONE)
    if work.mail == "signer":
        mail = await _to_signer(writer, letter, work, lease)
    else:
        mail = await _to_confirm(writer, letter, work, signatures.get(work.signature_id or ""), lease, now)
    if not work.counted and not await _has_room(writer, mail, now):
        raise _Nothing(REMINDED if mail.tone == "reminder" else OVER_LIMIT)
    return mail


async def _to_signer(writer: Writer, letter: Letter, work: MailWork, lease: str) -> DueMail:
    """The way to their own page, for a mailbox that asked for it."""
    found: Sequence[Signature] = ()
    if work.address_hash is not None:
        found = await signatures_at(writer, letter.id, work.address_hash)
    written_to = reachable(found)
    if written_to is None:
        raise _Nothing(NOBODY)
    about = the_one_that_counts(found, written_to)
    return DueMail(work, lease, "signer", letter, about, _address(written_to), letter.locale(written_to.locale))


async def _to_confirm(
    writer: Writer, letter: Letter, work: MailWork, signature: Signature | None, lease: str, now: datetime
) -> DueMail:
    if signature is None:
        raise _Nothing(GONE)
    reason = nothing_to_confirm(signature, letter, takes_confirmations=takes_confirmations(letter, now))
    if reason is None and work.mail == "reminder":
        reason = nothing_to_remind(signature)
    if reason is not None:
        raise _Nothing(reason)
    address, locale = _address(signature), letter.locale(signature.locale)
    place = work.place
    if place is None or place.rejected or place.signature_id == signature.id:
        tone: Tone = "reminder" if work.mail == "reminder" else "confirm"
        remind = _key(letter, "reminder", signature) if tone == "confirm" else None
        return DueMail(work, lease, tone, letter, signature, address, locale, remind=remind)
    if work.mail == "reminder":
        raise _Nothing(COUNTS_ALREADY)
    first = await find_signature(writer, place.signature_id)
    if first is not None and first.repeat_of is not None:
        first = await find_signature(writer, first.repeat_of) or first
    elsewhere = first is None or first.partner_id != signature.partner_id
    return DueMail(
        work,
        lease,
        "already",
        letter,
        signature,
        address,
        locale,
        first_at=None if first is None else first.confirmed_at or first.created_at,
        partner_id=signature.partner_id if elsewhere else None,
    )


def _address(signature: Signature) -> str:
    try:
        return emails.for_mail(signature.email or "")
    except emails.BadEmail as error:
        raise _Nothing(NO_ADDRESS) from error


def _key(letter: Letter, purpose: str, signature: Signature) -> str:
    return mail_key(letter.signer_key, purpose, signature.address_hash or signature.id)


async def _has_room(writer: Writer, mail: DueMail, now: datetime) -> bool:
    """Whether the mailbox may get this one too; if so, it is counted."""
    letter, about = mail.letter, mail.about
    if mail.tone == "signer":
        key = mail_key(letter.signer_key, "signer", mail.work.address_hash or about.id)
        return await take(writer, letter.id, key, ASKED_A_DAY, now)
    if mail.tone == "reminder":
        return await take_for_ever(writer, letter.id, _key(letter, "reminder", about), now)
    if about.kind == "organization":
        first = mail_key(letter.signer_key, "first", about.signer_hash or about.id)
        free = _key(letter, "uncounted", about)
        if await take(writer, letter.id, first, 1, now) and await take(writer, letter.id, free, UNCOUNTED_A_DAY, now):
            return True
    return await take(writer, letter.id, _key(letter, "confirm", about), CONFIRM_A_DAY, now)
