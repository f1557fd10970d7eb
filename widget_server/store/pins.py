"""Pins: which signatures stand above everyone else, because they are an initiator's.

One thing must stay true: only a signature that staff vouch for is pinned (imported, or approved, as the audit
log says), so that nobody gets to the top of a list by typing an initiator's name, at first or later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, and_, case, cast, func, or_, select, update

from widget_server.domain.names import fold
from widget_server.store.db import Writer
from widget_server.store.tables import audit, signatures

APPROVED = "signatures.approve"
"""The audit action whose subject is the id of a signature that staff have approved."""
UNREVIEWED = "signatures.unreviewed"
"""The audit action by which that is over: its signer has renamed it, or it is of another kind now."""

PAGE = 1_000


def ranks(initiators: Sequence[str]) -> dict[str, int]:
    """An initiator's folded name → its place, from 0."""
    return {fold(name): place for place, name in reversed(list(enumerate(initiators)))}


def _approved(letter_id: int) -> Select[Any]:
    """Ids of the signatures whose approval still stands."""
    at = {action: func.max(case((audit.c.action == action, audit.c.seq))) for action in (APPROVED, UNREVIEWED)}
    return (
        select(audit.c.subject)
        .where(audit.c.letter_id == letter_id, audit.c.action.in_(at))
        .group_by(audit.c.subject)
        .having(at[APPROVED] > func.coalesce(at[UNREVIEWED], 0))
    )


def _vouched_for(letter_id: int) -> ColumnElement[bool]:
    unreviewed = select(audit.c.subject).where(audit.c.letter_id == letter_id, audit.c.action == UNREVIEWED)
    id_ = cast(signatures.c.id, Text)
    imported = and_(signatures.c.import_key.is_not(None), id_.not_in(unreviewed))
    return or_(imported, id_.in_(_approved(letter_id)))


async def approved_before(writer: Writer, letter_id: int, ids: Sequence[str]) -> set[str]:
    """Those of `ids` that staff have approved as they are."""
    found: set[str] = set()
    for start in range(0, len(ids), PAGE):
        some = _approved(letter_id).where(audit.c.subject.in_(ids[start : start + PAGE]))
        found.update(row["subject"] for row in await writer.all(some))
    return found


async def is_vouched_for(writer: Writer, letter_id: int, id_: str) -> bool:
    """Whether staff have approved it as it is, or brought it in themselves."""
    query = select(signatures.c.id).where(signatures.c.id == id_, _vouched_for(letter_id))
    return await writer.one(query) is not None


async def repin(writer: Writer, letter_id: int, initiators: Sequence[str]) -> None:
    """Brings the pins of all signatures of a letter in line with its initiators."""
    await writer.execute(
        update(signatures)
        .where(signatures.c.letter_id == letter_id, signatures.c.initiator_rank.is_not(None))
        .values(initiator_rank=None)
    )
    for folded, rank in ranks(initiators).items():
        start = f"{folded}\x01"  # what a sort key starts with
        await writer.execute(
            update(signatures)
            .where(
                signatures.c.letter_id == letter_id,
                func.substr(signatures.c.sort_key, 1, len(start)) == start,
                _vouched_for(letter_id),
            )
            .values(initiator_rank=rank)
        )
