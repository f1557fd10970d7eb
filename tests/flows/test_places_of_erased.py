"""Who was erased stays counted once: their place follows the organization's signature that counts, on both engines."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from tests.conftest import Clock
from tests.flows.staff import STAFF, turns
from tests.flows.test_merge import for_
from tests.outbox.conftest import Sign
from widget_server.domain.ids import new_id
from widget_server.domain.letters import Letter
from widget_server.domain.names import sort_key
from widget_server.domain.partners import Partner
from widget_server.flows.erase import erase_named
from widget_server.flows.merge import merge
from widget_server.flows.reject import reject
from widget_server.flows.restore import restore
from widget_server.flows.turn import Turns
from widget_server.store.db import Db
from widget_server.store.imports import ImportedSignature, write_imported
from widget_server.store.tables import signers

__all__ = ["turns"]


async def on_paper(db: Db, letter: Letter, partner: Partner, at: datetime) -> str:
    """An organization without an address, and so without a place of its own."""
    row = ImportedSignature(
        id=new_id(), letter_id=letter.id, partner_id=partner.id, statement="ca", kind="organization",
        name=None, organization="Aid", role=None, organization_website=None, email=None, signer_hash=None,
        address_hash=None, country="CA", postal_code=None, city=None, locale="en", source="import", text_version=1,
        import_key=new_id(), sort_key=sort_key("Aid"), initiator_rank=None, created_at=at, confirmed_at=at,
    )  # fmt: skip
    await db.again(lambda writer: write_imported(writer, [row]))
    return row.id


async def places(db: Db) -> list[tuple[str, bool, bool]]:
    rows = await db.all(select(signers.c.signature_id, signers.c.alias, signers.c.rejected))
    return [(row["signature_id"], bool(row["alias"]), bool(row["rejected"])) for row in rows]


async def test_it_follows_to_whichever_counts_next(
    db: Db, letter: Letter, partner: Partner, sign: Sign, turns: Turns, clock: Clock
) -> None:
    first, second = await on_paper(db, letter, partner, clock()), await on_paper(db, letter, partner, clock())
    signed = await sign(**for_(letter, "Aid", "a"))
    await merge(turns, letter, first, [second, signed], STAFF)
    await erase_named(turns, letter, [signed], STAFF)
    assert await places(db) == [(first, True, False)]
    await reject(turns, letter, [first], STAFF)
    assert await places(db) == [(second, True, False)]


async def test_it_is_barred_with_the_last_and_open_again_with_it(
    db: Db, letter: Letter, partner: Partner, sign: Sign, turns: Turns, clock: Clock
) -> None:
    first, signed = await on_paper(db, letter, partner, clock()), await sign(**for_(letter, "Aid", "a"))
    await merge(turns, letter, first, [signed], STAFF)
    await erase_named(turns, letter, [signed], STAFF)
    await reject(turns, letter, [first], STAFF)
    assert await places(db) == [(first, True, True)]
    await restore(turns, letter, [first], STAFF)
    assert await places(db) == [(first, True, False)]
