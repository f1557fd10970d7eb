"""When a letter is loaded from its folder.

1. Read the folder: every problem at once.
2. A slug that is new makes a draft, with its house partner and a key of its own by which repeats are known.
3. Else: refuse to drop what signatures rely on.
4. Where the wording changed, make a new text version; where anything changed, keep it and say so to every
   server.

Safe to repeat, and never changes the letter's status.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from widget_server.domain.letters import Letter, LetterSettings
from widget_server.domain.partners import HOUSE
from widget_server.domain.refusals import Problems
from widget_server.flows.read_letter import SETTINGS_FILE, LetterFolder, read_letter
from widget_server.store.audit import record
from widget_server.store.db import Db, Writer
from widget_server.store.letters import insert_letter, insert_text_version, lock_letter, update_letter
from widget_server.store.partners import insert_partner, lock_partner, update_partner
from widget_server.store.pins import repin
from widget_server.store.revisions import bump_directory, bump_letter
from widget_server.store.signatures import Relied, relied_on


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading did. `notes` are sentences about what may not be what was meant."""

    letter: Letter
    created: bool
    changed: bool
    new_version: bool
    notes: tuple[str, ...]


async def load_letter(db: Db, folder: Path, *, now: datetime, actor: str) -> Loaded:
    """Raises `Problems`; nothing has changed then."""
    found = read_letter(folder)
    slug = found.settings.slug
    async with db.write() as writer:
        letter_id = await insert_letter(
            writer,
            settings=found.settings,
            wording=found.wording,
            outcome=found.outcome,
            signer_key=secrets.token_bytes(32),
            at=now,
        )
        before = None if letter_id is not None else await lock_letter(writer, slug)
        if letter_id is not None:
            await insert_partner(
                writer,
                letter_id,
                HOUSE,
                name=_house_name(found.settings),
                origins=(),
                locale=None,
                contact=None,
                at=now,
            )
            await record(writer, at=now, actor=actor, action="letter.create", letter_id=letter_id, subject=slug)
            await bump_directory(writer)
        changed = new_version = before is None
        if before is not None:
            new_version = dict(before.wording) != dict(found.wording)
            changed = new_version or before.settings != found.settings or dict(before.outcome) != dict(found.outcome)
            if changed:
                await _update(writer, before, found, new_version=new_version, now=now, actor=actor)
        letter = await lock_letter(writer, slug)
    if letter is None:
        raise LookupError(slug)
    return Loaded(letter, created=before is None, changed=changed, new_version=new_version, notes=found.notes)


async def _update(
    writer: Writer, before: Letter, found: LetterFolder, *, new_version: bool, now: datetime, actor: str
) -> None:
    dropped = _dropped(before.settings, found.settings, await relied_on(writer, before.id))
    if dropped:
        raise Problems(dropped)
    version = before.version + 1 if new_version else before.version
    if new_version:
        await insert_text_version(writer, before.id, version, found.wording, now)
    await update_letter(writer, before.id, settings=found.settings, outcome=found.outcome, version=version)
    if before.settings.initiators != found.settings.initiators:
        await repin(writer, before.id, found.settings.initiators)
    await _rename_house(writer, before, found.settings)
    await record(
        writer,
        at=now,
        actor=actor,
        action="letter.update",
        letter_id=before.id,
        subject=before.slug,
        data={"version": version, "keys": _changed_keys(before.settings, found.settings)},
    )
    await bump_letter(writer, before.id)
    await bump_directory(writer)


def _dropped(before: LetterSettings, after: LetterSettings, relied: list[Relied]) -> list[str]:
    """What the new settings no longer have although signatures rely on it, one sentence each."""
    statements: dict[str, int] = {}
    countries: dict[tuple[str, str], int] = {}
    locales: dict[str, int] = {}
    for row in relied:
        statement = after.statement(row.statement)
        if statement is None:
            statements[row.statement] = statements.get(row.statement, 0) + row.number
        elif _covered(before, row) and row.country not in statement.countries and "*" not in statement.countries:
            key = (row.statement, row.country)
            countries[key] = countries.get(key, 0) + row.number
        if row.locale in before.locales and row.locale not in after.locales:
            locales[row.locale] = locales.get(row.locale, 0) + row.number
    return [
        *(
            f'{SETTINGS_FILE}: statements: "{code}" cannot be dropped, {_relying(number)} on it'
            for code, number in sorted(statements.items())
        ),
        *(
            f'{SETTINGS_FILE}: statements "{code}": countries: {country} cannot be dropped, {_relying(number)} on it'
            for (code, country), number in sorted(countries.items())
        ),
        *(
            f'{SETTINGS_FILE}: locales: "{locale}" cannot be dropped, {_relying(number)} on it'
            for locale, number in sorted(locales.items())
        ),
    ]


def _covered(settings: LetterSettings, row: Relied) -> bool:
    statement = settings.statement(row.statement)
    return statement is not None and (row.country in statement.countries or "*" in statement.countries)


def _relying(number: int) -> str:
    return "1 signature relies" if number == 1 else f"{number:,} signatures rely"


def _house_name(settings: LetterSettings) -> str:
    """The house partner goes by the one initiator, where there is one; else by the letter's title."""
    return settings.initiators[0] if len(settings.initiators) == 1 else settings.title[settings.locales[0]]


async def _rename_house(writer: Writer, before: Letter, after: LetterSettings) -> None:
    """Follows the letter, unless staff have given the house partner a name of its own."""
    name = _house_name(after)
    house = await lock_partner(writer, before.id, HOUSE)
    if house is not None and house.name == _house_name(before.settings) and house.name != name:
        await update_partner(writer, house.id, {"name": name})


def _changed_keys(before: LetterSettings, after: LetterSettings) -> list[str]:
    old: Mapping[str, object] = before.model_dump()
    new: Mapping[str, object] = after.model_dump()
    return sorted(key for key in new if old[key] != new[key])
