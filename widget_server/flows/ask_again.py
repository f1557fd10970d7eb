"""When somebody asks for a mail: the way to their own page, or a fresh link to confirm.

One thing must stay true: asking does the same work and gives the same answer whether or not anybody signed with that
address. Who is meant is found when the mail is sent.
"""

from __future__ import annotations

from datetime import datetime

from widget_server.domain import emails
from widget_server.domain.letters import Letter
from widget_server.domain.refusals import FieldError, Invalid
from widget_server.domain.signatures import Signature
from widget_server.domain.signers import address_hash
from widget_server.store.db import Db
from widget_server.store.mails import NewMail, mail_to, promise_mails


async def ask_for_page(db: Db, letter: Letter, address: str, now: datetime) -> None:
    """Promises a mail with the way to the page of whoever signed with `address`. Raises `Invalid`, `Unavailable`."""
    try:
        canonical = emails.read(address).canonical
    except emails.BadEmail as error:
        code = {"empty": "missing", "too_long": "too_long"}.get(error.code, "email")
        raise Invalid([FieldError("email", code, {"max": emails.MAX_LENGTH})]) from error
    to = address_hash(letter.signer_key, canonical)
    async with db.write() as writer:
        await promise_mails(writer, [NewMail("signer", letter.id, None, None, now, now, to)])


async def ask_for_link(db: Db, signature: Signature, now: datetime) -> None:
    """Promises a fresh mail that asks to confirm. Raises `Unavailable`."""
    async with db.write() as writer:
        await promise_mails(writer, [mail_to(signature.id, signature.letter_id, signature.partner_id, now)])
