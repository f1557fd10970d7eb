"""When staff look for signatures."""

from __future__ import annotations

from collections.abc import AsyncIterator

from widget_server.domain import emails
from widget_server.domain.letters import Letter
from widget_server.domain.signatures import Listing, Signature, Status
from widget_server.domain.signers import address_hash
from widget_server.store.db import Db
from widget_server.store.signatures import Wanted, each_signature


async def list_signatures(
    db: Db,
    letter: Letter,
    *,
    status: Status | None = None,
    listing: Listing | None = None,
    partner_id: int | None = None,
    quarantined: bool | None = None,
    limit: int | None = None,
) -> AsyncIterator[Signature]:
    """By arrival, read page by page. None is any. Of those in quarantine whoever has confirmed their address comes
    first: a person may be waiting there."""
    for confirmed in (True, False) if quarantined else (None,):
        wanted = Wanted(letter.id, status, listing, partner_id, quarantined, address_confirmed=confirmed)
        async for one in each_signature(db, wanted, limit=limit):
            yield one
            limit = None if limit is None else limit - 1


def find_signatures(db: Db, letter: Letter, text: str) -> AsyncIterator[Signature]:
    """Those whose name, organization or address holds `text`; a whole address finds all that its mailbox signed."""
    wanted = text.strip()
    try:
        mailbox = address_hash(letter.signer_key, emails.read(wanted).canonical)
    except emails.BadEmail:
        mailbox = None
    return each_signature(db, Wanted(letter.id, text=wanted, address_hash=mailbox))
