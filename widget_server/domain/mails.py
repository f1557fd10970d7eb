"""Mails to signers: when there is still something to say, to whom, and how many a mailbox may get.

One thing must stay true: what decides is the signature as it is when the mail leaves, never as it was when the mail was
promised.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from widget_server.domain.letters import Letter
from widget_server.domain.signatures import HONEYPOT, Signature

Tone = Literal["confirm", "already", "reminder", "signer"]
"""What a mail says: confirm, you have signed already, confirm (once more), here is your own page."""

REMIND_AFTER = timedelta(days=2)
DAY = timedelta(hours=24)

CONFIRM_A_DAY = 5
"""To one mailbox in one letter; of an organization the day's first mail is not among them."""
UNCOUNTED_A_DAY = 50
ASKED_A_DAY = 3
"""Mails with the way to one's own page, counted apart."""

OVER_LIMIT = "over_limit: this mailbox has had its mails of the day"
GONE = "gone: the signature was erased, or replaced by one with another address"
NO_ADDRESS = "no_address: mail cannot go to what was stored as the address"
NOBODY = "nobody: this mailbox has signed nothing here that we may write to"
REMINDED = "reminded: this mailbox has had its one reminder"
COUNTS_ALREADY = "counts_already: this signer has confirmed another signature meanwhile"


def nothing_to_confirm(signature: Signature, letter: Letter, *, takes_confirmations: bool) -> str | None:
    """Why no mail asks to confirm `signature`, for the delivery's record; None where one does."""
    reasons = (signature.quarantine or "").split(",")
    if signature.status != "pending" or signature.address_confirmed_at is not None:
        return "not_pending: it was confirmed, withdrawn or refused before this was sent"
    if signature.test:
        return "test: a webmaster was trying the embed"
    if HONEYPOT in reasons:
        return "honeypot: only a robot fills in that field"
    if signature.quarantine is not None and letter.settings.confirmation == "none":
        return "quarantined: the letter confirms at once, so its signer expects no mail"
    if not takes_confirmations:
        return "closed: the letter has been closed for too long to confirm anything"
    return None


def nothing_to_remind(signature: Signature) -> str | None:
    """The same for a reminder, besides `nothing_to_confirm`."""
    if signature.mail_refused_at is not None:
        return "refused: the mail server takes nothing for this address"
    return None


def reachable(signatures: Sequence[Signature]) -> Signature | None:
    """Of everything that one mailbox has signed in a letter, by arrival, the signature whose address to write to: the
    newest, but one that was confirmed by mail before one that was not. Imported addresses are never written to."""
    ours = [one for one in signatures if one.email is not None and one.import_key is None and not one.test]
    confirmed = [one for one in ours if one.address_confirmed_at is not None]
    found = confirmed or ours
    return found[-1] if found else None


def the_one_that_counts(signatures: Sequence[Signature], otherwise: Signature) -> Signature:
    """Of the same, the newest that counts; else the newest that waits or was confirmed; else `otherwise`."""
    ours = [one for one in signatures if not one.test]
    counted = [one for one in ours if one.counted]
    standing = [one for one in ours if one.status in ("pending", "confirmed")]
    return (counted or standing or [otherwise])[-1]
