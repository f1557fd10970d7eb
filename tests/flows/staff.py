"""What the tests of staff's changes share: who does it, and what the database says afterwards."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import select

from tests.conftest import Clock
from widget_server.domain.signatures import Signature
from widget_server.domain.vault import Vault
from widget_server.flows.by_staff import Staff
from widget_server.flows.turn import Turns
from widget_server.store.db import Db
from widget_server.store.signatures import find_signature
from widget_server.store.tables import audit, events, signature_counts

STAFF = Staff("ana", "known to us")
ORGANIZATION: dict[str, Any] = {
    "kind": "organization", "organization": "Aid", "name": None, "listing": "awaiting_review", "authorized": True,
}  # fmt: skip
PENDING: dict[str, Any] = {"status": "pending", "confirmed_at": None}


@pytest.fixture
def turns(db: Db, vault: Vault, clock: Clock) -> Turns:
    return Turns(db, vault, clock)


async def stored(db: Db, id_: str) -> Signature:
    found = await find_signature(db, id_)
    assert found is not None
    return found


async def counts(db: Db) -> dict[str, int]:
    """By kind, as they are kept beside the rows."""
    numbers: Counter[str] = Counter()
    for row in await db.all(select(signature_counts.c.kind, signature_counts.c.number)):
        numbers[row["kind"]] += row["number"]
    return {kind: number for kind, number in numbers.items() if number}


async def told(db: Db) -> list[tuple[str, str]]:
    """Whatever destinations hear of, but for what signing made: by type and id."""
    made = ("signature.created", "signature.confirmed", "signer.mail", "letter.opened")
    query = select(events.c.type, events.c.signature_id).order_by(events.c.seq)
    return [(row["type"], row["signature_id"]) for row in await db.all(query) if row["type"] not in made]


async def noted(db: Db, action: str) -> list[dict[str, Any]]:
    """The lines of the audit log about an action."""
    columns = (audit.c.actor, audit.c.reason, audit.c.subject, audit.c.data)
    return [dict(row) for row in await db.all(select(*columns).where(audit.c.action == action).order_by(audit.c.seq))]
