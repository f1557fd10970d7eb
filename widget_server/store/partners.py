"""Partners of a letter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from widget_server.domain.partners import Partner
from widget_server.store.db import Db, Row, Writer
from widget_server.store.tables import json_text, partners


async def all_partners(db: Db) -> list[Partner]:
    return [_partner(row) for row in await db.all(select(partners).order_by(partners.c.id))]


async def lock_partner(writer: Writer, letter_id: int, slug: str) -> Partner | None:
    """A partner as it is now, held against other staff changes until the end of the transaction."""
    row = await writer.one(
        select(partners)
        .where(partners.c.letter_id == letter_id, partners.c.slug == slug)
        .with_for_update(key_share=True)
    )
    return None if row is None else _partner(row)


async def insert_partner(
    writer: Writer,
    letter_id: int,
    slug: str,
    *,
    name: str,
    origins: Sequence[str],
    locale: str | None,
    contact: str | None,
    at: datetime,
) -> int | None:
    """A new partner with the first version of its token. Gives its id, or None where the slug is taken."""
    rows = await writer.raw(
        "INSERT INTO partners (letter_id, slug, name, version, revoked_versions, origins, locale,"
        " strict_origins, contact, created_at) VALUES (?, ?, ?, 1, '[]', ?, ?, FALSE, ?, ?)"
        " ON CONFLICT (letter_id, slug) DO NOTHING RETURNING id",
        (letter_id, slug, name, json_text(list(origins)), locale, contact, writer.instant(at)),
    )
    return int(rows[0][0]) if rows else None


async def update_partner(writer: Writer, partner_id: int, values: Mapping[str, Any]) -> None:
    """`values` by column."""
    await writer.execute(update(partners).where(partners.c.id == partner_id).values(**values))


def _partner(row: Row) -> Partner:
    return Partner(
        **{
            **row,
            "revoked_versions": frozenset(row["revoked_versions"]),
            "origins": tuple(row["origins"]),
            "strict_origins": bool(row["strict_origins"]),
        }
    )
