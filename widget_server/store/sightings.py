"""Where each partner's widget was seen: one row an origin, with the first and the last time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select

from widget_server.domain.sightings import Sighting
from widget_server.store.db import Db, Writer
from widget_server.store.tables import sightings

_s = sightings.c


async def sightings_of(db: Db, partner_id: int) -> list[Sighting]:
    """The one seen last comes first."""
    rows = await db.all(
        select(sightings).where(_s.partner_id == partner_id).order_by(_s.last_seen_at.desc(), _s.origin)
    )
    return [Sighting(row["origin"], row["first_seen_at"], row["last_seen_at"]) for row in rows]


async def note_sightings(writer: Writer, seen: Mapping[tuple[int, str], datetime]) -> None:
    """`seen`: when, by partner and origin. In a fixed order, so that two servers never wait for each other."""
    rows: list[tuple[Any, ...]] = [
        (partner_id, origin, writer.instant(at), writer.instant(at))
        for (partner_id, origin), at in sorted(seen.items())
    ]
    await writer.raw_many(
        "INSERT INTO sightings (partner_id, origin, first_seen_at, last_seen_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (partner_id, origin) DO UPDATE SET last_seen_at = excluded.last_seen_at"
        " WHERE sightings.last_seen_at < excluded.last_seen_at",
        rows,
    )


async def forget_beyond(writer: Writer, partner_id: int, kept: int, spared: Collection[str]) -> None:
    """Of a partner's origins that are not among `spared`, keeps the `kept` that were seen last."""
    others = (_s.partner_id == partner_id) & _s.origin.not_in(list(spared))
    last = select(_s.origin).where(others).order_by(_s.last_seen_at.desc(), _s.origin).limit(kept)
    await writer.execute(delete(sightings).where(others, _s.origin.not_in(last)))
