"""Signatures put straight into the tables, for tests of what is read from them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update

from widget_server.domain.ids import new_id
from widget_server.domain.names import sort_key
from widget_server.store.db import Db
from widget_server.store.revisions import bump_letter
from widget_server.store.tables import letters, partners, signatures

START = datetime(2026, 6, 1, tzinfo=UTC)

_PERSON: dict[str, Any] = {
    "statement": "ca", "kind": "individual", "status": "confirmed", "listing": "listed", "test": False,
    "country": "CA", "locale": "en", "public": True, "contact_opt_in": False, "partner_opt_in": False,
    "origin_flagged": False, "text_version": 1, "shown": True, "created_at": START,
}  # fmt: skip


async def new_letter(db: Db) -> int:
    """A bare letter with its house partner; gives the letter's id."""
    async with db.write() as writer:
        letter_id = await writer.value(
            insert(letters)
            .values(
                slug=new_id(), state="open", settings={}, outcome={}, version=1, signer_key=b"k", revision=1,
                announced="open", milestone=0, created_at=START,
            )
            .returning(letters.c.id)
        )  # fmt: skip
        await writer.execute(
            insert(partners).values(
                letter_id=letter_id, slug="house", name="House", version=1, revoked_versions=[], origins=[],
                strict_origins=False, created_at=START,
            )
        )  # fmt: skip
    return int(letter_id)


async def sign(db: Db, letter_id: int, *rows: dict[str, Any]) -> list[str]:
    """Confirmed, listed signatures of persons based in Canada, but for what `rows` say; gives their ids."""
    ids = []
    async with db.write() as writer:
        house = await writer.value(
            select(partners.c.id).where(partners.c.letter_id == letter_id, partners.c.slug == "house")
        )
        for number, row in enumerate(rows):
            kind = row.get("kind", "individual")
            name = row.get("name") or row.get("organization")
            values = {
                **_PERSON,
                "id": new_id(),
                "letter_id": letter_id,
                "partner_id": house,
                "authorized": kind == "organization",
                "sort_key": sort_key(str(name)),
                "confirmed_at": START + timedelta(seconds=number),
                **row,
            }
            ids.append(values["id"])
            await writer.execute(insert(signatures).values(values))
        await bump_letter(writer, letter_id)
    return ids


async def change(db: Db, letter_id: int, id_: str, **values: Any) -> None:
    async with db.write() as writer:
        await writer.execute(update(signatures).where(signatures.c.id == id_).values(values))
        await bump_letter(writer, letter_id)
