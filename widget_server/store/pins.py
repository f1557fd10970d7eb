"""Pins: which signatures stand above everyone else, because they are an initiator's.

One thing must stay true: only a signature that staff vouch for is pinned (imported, or approved, as the audit
log says), so that nobody gets to the top of a list by typing an initiator's name.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Text, cast, func, or_, select, update

from widget_server.domain.names import fold
from widget_server.store.db import Writer
from widget_server.store.tables import audit, signatures

APPROVED = "signatures.approve"
"""The audit action whose subject is the id of a signature that staff have approved."""


def ranks(initiators: Sequence[str]) -> dict[str, int]:
    """An initiator's folded name → its place, from 0."""
    return {fold(name): place for place, name in reversed(list(enumerate(initiators)))}


async def repin(writer: Writer, letter_id: int, initiators: Sequence[str]) -> None:
    """Brings the pins of all signatures of a letter in line with its initiators."""
    await writer.execute(
        update(signatures)
        .where(signatures.c.letter_id == letter_id, signatures.c.initiator_rank.is_not(None))
        .values(initiator_rank=None)
    )
    approved = select(audit.c.subject).where(audit.c.letter_id == letter_id, audit.c.action == APPROVED)
    for folded, rank in ranks(initiators).items():
        start = f"{folded}\x01"  # what a sort key starts with
        await writer.execute(
            update(signatures)
            .where(
                signatures.c.letter_id == letter_id,
                func.substr(signatures.c.sort_key, 1, len(start)) == start,
                or_(signatures.c.import_key.is_not(None), cast(signatures.c.id, Text).in_(approved)),
            )
            .values(initiator_rank=rank)
        )
