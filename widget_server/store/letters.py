"""Letters and their text versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from widget_server.domain.letters import Counts, Letter, LetterSettings, State, Wording
from widget_server.store.db import Db, Row, Writer
from widget_server.store.tables import json_text, letters, revisions, signature_counts, text_versions


async def all_letters(db: Db) -> list[Letter]:
    """Every letter with its current wording."""
    rows = await db.all(
        select(letters, text_versions.c.wording).join(
            text_versions,
            (text_versions.c.letter_id == letters.c.id) & (text_versions.c.number == letters.c.version),
        )
    )
    return [_letter(row) for row in rows]


async def lock_letter(writer: Writer, slug: str) -> Letter | None:
    """A letter as it is now, held against other staff changes until the end of the transaction.

    Signing is not held up: a signature's reference to its letter takes a weaker lock (PostgreSQL's KEY
    SHARE).
    """
    row = await writer.one(
        select(letters, text_versions.c.wording)
        .join(
            text_versions,
            (text_versions.c.letter_id == letters.c.id) & (text_versions.c.number == letters.c.version),
        )
        .where(letters.c.slug == slug)
        .with_for_update(of=letters, key_share=True)
    )
    return None if row is None else _letter(row)


async def insert_letter(
    writer: Writer,
    *,
    settings: LetterSettings,
    wording: Mapping[str, Wording],
    outcome: Mapping[str, str],
    signer_key: bytes,
    at: datetime,
) -> int | None:
    """A new draft with its first text version. Gives its id, or None where the slug is taken."""
    rows = await writer.raw(
        "INSERT INTO letters (slug, state, settings, outcome, version, signer_key, revision, announced,"
        " milestone, created_at) VALUES (?, 'draft', ?, ?, 1, ?, 1, 'draft', 0, ?)"
        " ON CONFLICT (slug) DO NOTHING RETURNING id",
        (
            settings.slug,
            json_text(settings.model_dump(mode="json")),
            json_text(dict(outcome)),
            signer_key,
            writer.instant(at),
        ),
    )
    if not rows:
        return None
    letter_id = int(rows[0][0])
    await insert_text_version(writer, letter_id, 1, wording, at)
    return letter_id


async def insert_text_version(
    writer: Writer, letter_id: int, number: int, wording: Mapping[str, Wording], at: datetime
) -> None:
    stored = {locale: {**asdict(texts), "statements": dict(texts.statements)} for locale, texts in wording.items()}
    await writer.execute(
        insert(text_versions).values(letter_id=letter_id, number=number, wording=stored, created_at=at)
    )


async def update_letter(
    writer: Writer, letter_id: int, *, settings: LetterSettings, outcome: Mapping[str, str], version: int
) -> None:
    await writer.execute(
        update(letters)
        .where(letters.c.id == letter_id)
        .values(settings=settings.model_dump(mode="json"), outcome=dict(outcome), version=version)
    )


async def set_state(writer: Writer, letter_id: int, state: State, at: datetime) -> None:
    """`at` is kept as the time of closing."""
    closed_at = at if state == "closed" else None
    await writer.execute(update(letters).where(letters.c.id == letter_id).values(state=state, closed_at=closed_at))


async def wording(db: Db, letter_id: int, version: int) -> dict[str, Wording] | None:
    """A text version by its number, by locale."""
    found = await db.value(
        select(text_versions.c.wording).where(text_versions.c.letter_id == letter_id, text_versions.c.number == version)
    )
    return None if found is None else read_wording(found)


async def all_counts(db: Db) -> dict[int, Counts]:
    """Counts by letter id: kept numbers, no counting."""
    rows = await db.all(select(signature_counts))
    return counts_by_letter((row["letter_id"], row["statement"], row["kind"], row["number"]) for row in rows)


def counts_by_letter(numbers: Any) -> dict[int, Counts]:
    """From rows of (letter id, statement, kind, number)."""
    gathered: dict[int, dict[str, Any]] = {}
    for letter_id, statement, kind, number in numbers:
        mine = gathered.setdefault(letter_id, {"individual": 0, "organization": 0, "by": {}})
        mine[kind] += number
        mine["by"][statement] = mine["by"].get(statement, 0) + number
    return {
        letter_id: Counts(mine["individual"], mine["organization"], dict(sorted(mine["by"].items())))
        for letter_id, mine in gathered.items()
    }


async def letter_revisions(db: Db) -> dict[int, int]:
    """Each letter's revision: what a reader could see has changed when it rose."""
    return {row["id"]: row["revision"] for row in await db.all(select(letters.c.id, letters.c.revision))}


async def directory_revision(db: Db) -> int:
    found = await db.value(select(revisions.c.number).where(revisions.c.name == "directory"))
    return int(found or 0)


def read_wording(stored: Any) -> dict[str, Wording]:
    return {locale: Wording(**texts) for locale, texts in stored.items()}


def _letter(row: Row) -> Letter:
    return Letter(
        id=row["id"],
        slug=row["slug"],
        state=row["state"],
        settings=LetterSettings.model_validate(row["settings"]),
        version=row["version"],
        wording=read_wording(row["wording"]),
        outcome=row["outcome"],
        signer_key=bytes(row["signer_key"]),
        revision=row["revision"],
        created_at=row["created_at"],
        closed_at=row["closed_at"],
    )
