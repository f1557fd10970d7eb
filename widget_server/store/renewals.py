"""What a destination keeps between sends, and whose turn it is to renew it.

One thing must stay true: it is written only by whoever holds the lease, given by one conditional UPDATE.
"""

from __future__ import annotations

from datetime import datetime

from widget_server.store.db import Writer


async def find_kept(writer: Writer, destination_id: str) -> str | None:
    """The sealed text, or None where nothing is kept."""
    rows = await writer.raw("SELECT kept FROM destinations WHERE id = ?", (destination_id,))
    return rows[0][0] if rows else None


async def take_renewal(writer: Writer, destination_id: str, lease: str, *, now: datetime, until: datetime) -> bool:
    """Whether the renewal is ours until `until`."""
    rows = await writer.raw(
        "UPDATE destinations SET renewal = ?, renewing_until = ? WHERE id = ?"
        " AND (renewing_until IS NULL OR renewing_until <= ?) RETURNING id",
        (lease, writer.instant(until), destination_id, writer.instant(now)),
    )
    return bool(rows)


async def keep(writer: Writer, destination_id: str, lease: str, sealed: str | None) -> bool:
    """Ends the renewal, with what it gave (None: nothing). Whether it was still ours to end."""
    rows = await writer.raw(
        "UPDATE destinations SET kept = COALESCE(?, kept), renewal = NULL, renewing_until = NULL"
        " WHERE id = ? AND renewal = ? RETURNING id",
        (sealed, destination_id, lease),
    )
    return bool(rows)
