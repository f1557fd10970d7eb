"""Consent: the wordings as they were shown, by version, and the record of each consent given or ended.

One thing must stay true: a version is written once and never changes, and a record is never changed either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, select

from widget_server.domain.consents import ConsentRecord
from widget_server.store.db import Db, Writer
from widget_server.store.plans import Do, Engine, instant
from widget_server.store.tables import consent_wordings, consents, json_text

_INSERT = """INSERT INTO consent_wordings (version, partner_id, wording, created_at) VALUES (?, ?, ?, ?)
ON CONFLICT (version) DO NOTHING"""


async def remember(
    db: Db, partner_id: int, version: str, wordings: Mapping[str, Mapping[str, str]], at: datetime
) -> None:
    """Keeps what this version says, unless it is kept already. Raises `Unavailable`."""
    if await wording(db, version) is not None:
        return
    async with db.write() as writer:
        await writer.raw(_INSERT, (version, partner_id, json_text(wordings), writer.instant(at)))


async def wording(db: Db, version: str) -> dict[str, dict[str, str]] | None:
    """What a version says, by locale and purpose, or None for a version that was never shown."""
    found = await db.value(select(consent_wordings.c.wording).where(consent_wordings.c.version == version))
    return None if found is None else dict(found)


_RECORD = (
    "signature_id", "letter_id", "purpose", "partner_id", "given", "way", "version", "shown", "locale", "page",
    "token_version", "at",
)  # fmt: skip
_KEEP = f"INSERT INTO consents ({', '.join(_RECORD)}) VALUES "  # noqa: S608  names of our own
_ROW = f"({', '.join('?' * len(_RECORD))})"


def consent_steps(engine: Engine, records: Sequence[ConsentRecord]) -> Iterator[Do]:
    """Keeps records, as a step of a plan."""
    if records:
        cells: list[object] = []
        for record in records:
            cells += [getattr(record, column) for column in _RECORD[:-1]]
            cells.append(instant(engine, record.at))
        yield Do(_KEEP + ", ".join([_ROW] * len(records)), cells)


async def keep_consents(writer: Writer, records: Sequence[ConsentRecord]) -> None:
    for step in consent_steps(writer.engine, records):
        await writer.raw(step.sql, step.values)


async def consents_of(db: Db | Writer, signature_ids: Sequence[str]) -> list[ConsentRecord]:
    """In the order in which they were given and ended."""
    c = consents.c
    rows = await db.all(select(consents).where(c.signature_id.in_(signature_ids)).order_by(c.seq))
    return [
        ConsentRecord(
            **{column: row[column] for column in _RECORD} | {"given": bool(row["given"]), "shown": bool(row["shown"])}
        )
        for row in rows
    ]


async def forget_consents(writer: Writer, signature_ids: Sequence[str]) -> None:
    await writer.execute(delete(consents).where(consents.c.signature_id.in_(signature_ids)))
