"""Adding, changing, rotating and revoking partners, on both engines."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from tests.conftest import Clock
from widget_server.domain.letters import Letter
from widget_server.domain.partners import HOUSE, Partner
from widget_server.domain.refusals import NotAllowed, Problems
from widget_server.domain.tokens import Seals
from widget_server.flows.directory import Directory
from widget_server.flows.partners import add_partner, revoke_partner, rotate_partner, set_partner, token_of
from widget_server.store.db import Db
from widget_server.store.letters import directory_revision
from widget_server.store.tables import audit


async def credited(directory: Directory, token: str) -> str:
    """The partner that a token credits, or the code of the refusal."""
    await directory.refresh(now_please=True)
    try:
        return (await directory.credit(token)).partner.slug
    except NotAllowed as refusal:
        return refusal.code


async def test_a_partner_has_a_token_that_credits_it(directory: Directory, partner: Partner, token: str) -> None:
    assert partner.origins == ("https://maple.example",)
    assert partner.version == 1
    assert await credited(directory, token) == "maple"


async def test_every_wrong_value_comes_at_once(db: Db, letter: Letter, clock: Clock) -> None:
    with pytest.raises(Problems) as caught:
        await add_partner(
            db, letter, "Bad Slug", name=" ", origins=["maple.example", "https://x.example"], locale="de",
            contact="nobody", now=clock(), actor="test",
        )  # fmt: skip
    assert len(caught.value.problems) == 5
    assert any('"maple.example" is no origin' in problem for problem in caught.value.problems)


@pytest.mark.parametrize("slug", ["maple", HOUSE])
async def test_a_slug_is_taken_once(db: Db, letter: Letter, partner: Partner, clock: Clock, slug: str) -> None:
    with pytest.raises(Problems, match="already"):
        await add_partner(db, letter, slug, name="X", origins=["https://x.example"], now=clock(), actor="test")


async def test_setting_keys(db: Db, directory: Directory, letter: Letter, partner: Partner, clock: Clock) -> None:
    revision = await directory_revision(db)
    given = {
        "origins": "https://a.example https://b.example",
        "strict_origins": "yes",
        "legal_name": "Maple House Inc.",
        "postal_address": "1 Main St",
        "privacy_url": "https://maple.example/privacy",
        "phone": "555-0100",
    }
    changed = await set_partner(db, letter, "maple", given, now=clock(), actor="test")
    assert changed.origins == ("https://a.example", "https://b.example")
    assert changed.strict_origins is True
    assert changed.may_ask_consent
    assert await directory_revision(db) > revision
    await directory.refresh(now_please=True)
    assert await directory.partner(letter.id, "maple") == changed

    revision = await directory_revision(db)
    assert await set_partner(db, letter, "maple", given, now=clock(), actor="test") == changed
    assert await directory_revision(db) == revision
    assert not (await set_partner(db, letter, "maple", {"phone": ""}, now=clock(), actor="test")).may_ask_consent


async def test_one_wrong_value_sets_nothing(db: Db, letter: Letter, partner: Partner, clock: Clock) -> None:
    with pytest.raises(Problems, match="locale"):
        await set_partner(db, letter, "maple", {"name": "New", "locale": "de"}, now=clock(), actor="test")
    unchanged = await set_partner(db, letter, "maple", {}, now=clock(), actor="test")
    assert unchanged == partner


async def test_rotated_older_versions_still_credit_until_they_are_revoked(
    db: Db, directory: Directory, seals: Seals, letter: Letter, partner: Partner, token: str, clock: Clock
) -> None:
    rotated = await rotate_partner(db, letter, "maple", now=clock(), actor="test")
    newer = token_of(seals, letter, rotated)
    assert newer != token
    assert await credited(directory, token) == "maple"
    assert await credited(directory, newer) == "maple"
    await revoke_partner(db, letter, "maple", version=1, now=clock(), actor="test")
    assert await credited(directory, token) == "token_revoked"
    assert await credited(directory, newer) == "maple"
    await revoke_partner(db, letter, "maple", now=clock(), actor="test")
    assert await credited(directory, newer) == "partner_revoked"
    with pytest.raises(Problems, match="revoked"):
        await rotate_partner(db, letter, "maple", now=clock(), actor="test")


async def test_revoking_twice_keeps_the_first_time(db: Db, letter: Letter, partner: Partner, clock: Clock) -> None:
    first = await revoke_partner(db, letter, "maple", now=clock(), actor="test")
    clock.advance(60)
    assert await revoke_partner(db, letter, "maple", now=clock(), actor="test") == first
    assert first.revoked_at is not None


async def test_what_cannot_be_revoked(db: Db, letter: Letter, partner: Partner, clock: Clock) -> None:
    with pytest.raises(Problems, match="house"):
        await revoke_partner(db, letter, HOUSE, now=clock(), actor="test")
    with pytest.raises(Problems, match="no version 2"):
        await revoke_partner(db, letter, "maple", version=2, now=clock(), actor="test")
    with pytest.raises(Problems, match="no partner"):
        await revoke_partner(db, letter, "oak", now=clock(), actor="test")


async def test_every_change_is_audited(db: Db, letter: Letter, partner: Partner, clock: Clock) -> None:
    await set_partner(db, letter, "maple", {"name": "Maple"}, now=clock(), actor="ana")
    await rotate_partner(db, letter, "maple", now=clock(), actor="ana")
    await revoke_partner(db, letter, "maple", version=1, now=clock(), actor="ana")
    rows = await db.all(select(audit).where(audit.c.subject == "maple").order_by(audit.c.seq))
    assert [(row["action"], row["actor"]) for row in rows] == [
        ("partner.add", "test"), ("partner.set", "ana"), ("partner.rotate", "ana"), ("partner.revoke", "ana"),
    ]  # fmt: skip
