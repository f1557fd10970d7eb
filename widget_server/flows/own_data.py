"""When a signer asks what is kept about them: all of it, in one document.

1. Every signature of their mailbox in this letter, as they may see it (`flows/look.py`).
2. What they signed: the statement in the text version and the language that they saw.
3. Each consent that they gave or ended, with the words that were in front of them; each mail that left.

One thing must stay true: what the page shows and what the file holds is the same document.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from widget_server.domain.consents import ConsentRecord
from widget_server.domain.letters import Letter
from widget_server.domain.signatures import Signature
from widget_server.flows.directory import Directory
from widget_server.flows.look import Seen, what_was_signed
from widget_server.store import consents as consent_store
from widget_server.store.db import Db
from widget_server.store.events import mails_about

TYPED = (
    "kind", "name", "organization", "authorized", "role", "organization_website", "email", "country", "postal_code",
    "city", "comment", "locale", "public", "contact_opt_in", "partner_opt_in",
)  # fmt: skip
"""What the form asked."""
NOTED = (
    "id", "status", "listing", "partner", "source", "page", "origin", "origin_flagged", "elapsed", "text_version",
    "consent_version", "shown", "imported", "repeat_of", "initiator_rank", "test", "created_at", "confirmed_at",
    "withdrawn_at", "rejected_at", "mail_refused_at", "signer_hash", "address_hash", "client",
)  # fmt: skip
"""What was noted besides."""
_TOLD_OTHERWISE = frozenset({"partner", "imported"})

Document = dict[str, Any]


async def own_data(db: Db, directory: Directory, letter: Letter, seen: Seen) -> list[Document]:
    """One document for each signature of the mailbox, the one that the link opens first. Times stay times."""
    return await _documents(db, directory, letter, [seen.signature, *_rest(seen)])


async def data_of(db: Db, directory: Directory, letter: Letter, signature: Signature) -> Document:
    """The same for one, as its signer may see it."""
    return (await _documents(db, directory, letter, [signature]))[0]


def _rest(seen: Seen) -> list[Signature]:
    rest = [*seen.mine, *seen.others]
    return sorted((one for one in rest if one.id != seen.signature.id), key=lambda one: one.seq)


async def _documents(db: Db, directory: Directory, letter: Letter, signatures: list[Signature]) -> list[Document]:
    ids = [one.id for one in signatures]
    records = await consent_store.consents_of(db, ids)
    mails = await mails_about(db, ids)
    partners = {partner.id: partner for partner in await directory.partners(letter.id)}
    said = {
        version: await consent_store.wording(db, version) or {}
        for version in {record.version for record in records if record.version is not None}
    }
    signed = {one.id: await what_was_signed(db, letter, one) for one in signatures}

    def partner(partner_id: int) -> Document | None:
        found = partners.get(partner_id)
        return None if found is None else {"slug": found.slug, "name": found.name}

    def consent(record: ConsentRecord) -> Document:
        wordings = said.get(record.version or "", {})
        return {
            "purpose": record.purpose,
            "partner": partner(record.partner_id) if record.purpose == "partner" else None,
            "given": record.given,
            "at": record.at,
            "way": record.way,
            "page": record.page,
            "locale": record.locale,
            "version": record.version,
            "shown": record.shown,
            "token_version": record.token_version,
            "wording": wordings.get(record.locale, {}).get(record.purpose),
        }

    return [
        {
            **{name: getattr(one, name) for name in (*TYPED, *NOTED) if name not in _TOLD_OTHERWISE},
            "imported": one.import_key is not None,
            "partner": partner(one.partner_id),
            "statement": {"code": one.statement, **asdict(signed[one.id])},
            "consents": [consent(record) for record in records if record.signature_id == one.id],
            "mails": [{"mail": mail.mail, "at": mail.at} for mail in mails if mail.signature_id == one.id],
        }
        for one in signatures
    ]


def as_json(value: Any) -> Any:
    """The document with its times as text (RFC 3339, UTC)."""
    match value:
        case datetime():
            return value.isoformat(timespec="seconds").replace("+00:00", "Z")
        case dict():
            return {key: as_json(one) for key, one in value.items()}
        case list():
            return [as_json(one) for one in value]
        case _:
            return value
