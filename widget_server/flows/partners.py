"""When staff add a partner, change what it says of itself, rotate its token or revoke it. Every change is
audited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from widget_server.domain.letters import Letter
from widget_server.domain.partner_changes import read_changes, slug_fault
from widget_server.domain.partners import Partner
from widget_server.domain.refusals import Problems
from widget_server.domain.tokens import Attribution, Seals, seal_attribution
from widget_server.store.audit import record
from widget_server.store.db import Db, Writer
from widget_server.store.partners import insert_partner, lock_partner, update_partner
from widget_server.store.revisions import bump_directory


def token_of(seals: Seals, letter: Letter, partner: Partner) -> str:
    """The attribution token that the partner's snippet carries today."""
    return seal_attribution(seals, Attribution(letter.slug, partner.slug, partner.version))


async def add_partner(
    db: Db,
    letter: Letter,
    slug: str,
    *,
    name: str,
    origins: Sequence[str],
    locale: str | None = None,
    contact: str | None = None,
    now: datetime,
    actor: str,
) -> Partner:
    """Raises `Problems`: every wrong value at once, or a slug that is taken."""
    given = {"name": name, "origins": " ".join(origins), "locale": locale, "contact": contact}
    problems = [problem] if (problem := slug_fault(slug)) else []
    try:
        changes = read_changes({key: text for key, text in given.items() if text is not None}, letter.locales)
    except Problems as wrong:
        raise Problems([*problems, *wrong.problems]) from wrong
    if problems:
        raise Problems(problems)
    async with db.write() as writer:
        partner_id = await insert_partner(
            writer,
            letter.id,
            slug,
            name=changes["name"],
            origins=changes["origins"],
            locale=changes.get("locale"),
            contact=changes.get("contact"),
            at=now,
        )
        if partner_id is None:
            raise Problems([f'letter {letter.slug} has a partner "{slug}" already; "partner set" changes it'])
        await _keep(writer, letter, slug, "partner.add", now, actor, {"origins": changes["origins"]})
        return await _lock(writer, letter, slug)


async def set_partner(
    db: Db, letter: Letter, slug: str, given: Mapping[str, str], *, now: datetime, actor: str
) -> Partner:
    """`given` by key, as text; an empty one clears what may be empty. Raises `Problems`, every wrong one at
    once.
    """
    changes = read_changes(given, letter.locales)
    async with db.write() as writer:
        partner = await _lock(writer, letter, slug)
        changed = {key: value for key, value in changes.items() if _stored(getattr(partner, key)) != value}
        if not changed:
            return partner
        await update_partner(writer, partner.id, changed)
        await _keep(writer, letter, slug, "partner.set", now, actor, {"keys": sorted(changed)})
        return await _lock(writer, letter, slug)


async def rotate_partner(db: Db, letter: Letter, slug: str, *, now: datetime, actor: str) -> Partner:
    """A new version of the token; older ones go on working and crediting until they are revoked."""
    async with db.write() as writer:
        partner = await _lock(writer, letter, slug)
        if partner.revoked_at is not None:
            raise Problems([f"partner {slug} is revoked: its tokens no longer work, whatever their version"])
        await update_partner(writer, partner.id, {"version": partner.version + 1})
        await _keep(writer, letter, slug, "partner.rotate", now, actor, {"version": partner.version + 1})
        return replace(partner, version=partner.version + 1)


async def revoke_partner(
    db: Db, letter: Letter, slug: str, *, version: int | None = None, now: datetime, actor: str
) -> Partner:
    """The whole partner, or one version of its token. Repeating it changes nothing."""
    async with db.write() as writer:
        partner = await _lock(writer, letter, slug)
        if partner.is_house:
            raise Problems(["the house partner cannot be revoked: the letter's own page signs through it"])
        if version is not None and not 1 <= version <= partner.version:
            raise Problems([f"partner {slug} has no version {version}; its versions are 1 to {partner.version}"])
        if version is None and partner.revoked_at is None:
            await update_partner(writer, partner.id, {"revoked_at": now})
        elif version is not None and version not in partner.revoked_versions:
            await update_partner(writer, partner.id, {"revoked_versions": sorted({*partner.revoked_versions, version})})
        else:
            return partner
        await _keep(writer, letter, slug, "partner.revoke", now, actor, {"version": version})
        return await _lock(writer, letter, slug)


async def _lock(writer: Writer, letter: Letter, slug: str) -> Partner:
    partner = await lock_partner(writer, letter.id, slug)
    if partner is None:
        raise Problems([f'letter {letter.slug} has no partner "{slug}"'])
    return partner


async def _keep(
    writer: Writer, letter: Letter, slug: str, action: str, now: datetime, actor: str, data: Mapping[str, Any]
) -> None:
    await record(writer, at=now, actor=actor, action=action, letter_id=letter.id, subject=slug, data=dict(data))
    await bump_directory(writer)


def _stored(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
