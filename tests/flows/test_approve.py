"""Approving organizations, on both engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from tests.conftest import KEY, Clock
from widget_server.domain.ids import new_id
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.refusals import Problems
from widget_server.domain.vault import Vault
from widget_server.flows.approve import approve
from widget_server.flows.by_staff import Done, Staff
from widget_server.flows.directory import Directory
from widget_server.flows.load_letter import load_letter
from widget_server.flows.turn import Turns
from widget_server.store.db import Db
from widget_server.store.letters import all_letters
from widget_server.store.new_signatures import NO_EXTRAS, NewSignature, write_signatures
from widget_server.store.tables import audit, events, signatures


def organization(letter: Letter, partner: Partner, clock: Clock, called: str, **changes: Any) -> NewSignature:
    values: dict[str, Any] = {
        **dict.fromkeys(NewSignature._fields),
        "id": new_id(), "letter_id": letter.id, "partner_id": partner.id, "statement": "ca",
        "kind": "organization", "status": "confirmed", "listing": "awaiting_review", "test": False,
        "organization": called, "authorized": True, "email": "x@example.org",
        "signer_hash": f"{called:x<43}"[:43],
        "country": "CA", "locale": "en", "public": True, "contact_opt_in": False, "partner_opt_in": False,
        "origin_flagged": False, "text_version": 1, "shown": True,
        "sort_key": f"{called.lower()}\x01{called}",
        "created_at": clock(), "confirmed_at": clock(),
        **changes,
    }  # fmt: skip
    return NewSignature(**values)


async def store(db: Db, *rows: NewSignature) -> None:
    async with db.write() as writer:
        await writer.play(write_signatures(db.engine, [(row, NO_EXTRAS) for row in rows]))


async def approved(db: Db, clock: Clock, *ids: str, slug: str = "letter") -> Done:
    turns = Turns(db, Vault([KEY]), clock)
    [letter] = [letter for letter in await all_letters(db) if letter.slug == slug]
    return await approve(turns, letter, ids, Staff("ana", "known to us"))


async def updated_events(db: Db) -> list[str]:
    query = select(events.c.signature_id).where(events.c.type == "signature.updated").order_by(events.c.seq)
    return [row["signature_id"] for row in await db.all(query)]


async def test_organizations_are_listed(
    db: Db, directory: Directory, letter: Letter, partner: Partner, clock: Clock
) -> None:
    first, second = (organization(letter, partner, clock, name) for name in ("Aid", "Réseau d'accueil du Nord"))
    await store(db, first, second)
    await directory.refresh(now_please=True)
    revision = await directory.revision(letter)
    done = await approved(db, clock, second.id, first.id.upper())
    assert done == Done((second.id, first.id), ())
    rows = await db.all(select(signatures).order_by(signatures.c.organization))
    assert [(row["listing"], row["initiator_rank"]) for row in rows] == [("listed", None), ("listed", 1)]
    assert sorted(await updated_events(db)) == sorted([first.id, second.id])
    await directory.refresh(now_please=True)
    assert await directory.revision(letter) > revision
    kept = await db.all(select(audit).where(audit.c.action == "signatures.approve"))
    assert sorted(row["subject"] for row in kept) == sorted([first.id, second.id])
    assert {(row["actor"], row["reason"]) for row in kept} == {("ana", "known to us")}


async def test_repeating_is_harmless(
    db: Db, directory: Directory, letter: Letter, partner: Partner, clock: Clock
) -> None:
    row = organization(letter, partner, clock, "Aid")
    await store(db, row)
    await approved(db, clock, row.id, row.id)
    await directory.refresh(now_please=True)
    revision = await directory.revision(letter)
    assert await approved(db, clock, row.id) == Done((), (row.id,))
    assert await updated_events(db) == [row.id]
    await directory.refresh(now_please=True)
    assert await directory.revision(letter) == revision


async def test_an_organization_listed_unseen_is_pinned_once_approved(
    db: Db, letter: Letter, partner: Partner, clock: Clock
) -> None:
    row = organization(letter, partner, clock, "The Harbour Coalition", listing="listed")
    await store(db, row)
    assert (await approved(db, clock, row.id)).done == (row.id,)
    assert await db.value(select(signatures.c.initiator_rank)) == 0
    assert await updated_events(db) == []


async def test_a_pin_outlives_loading_the_letter_again(
    db: Db, letter: Letter, partner: Partner, letter_folder: Path, clock: Clock
) -> None:
    row = organization(letter, partner, clock, "The Harbour Coalition", sort_key="the harbour coalition\x01x")
    await store(db, row)
    await approved(db, clock, row.id)
    settings = letter_folder / "letter.toml"
    text = settings.read_text("utf-8")
    settings.write_text(text.replace('["The Harbour Coalition",', '["Somebody New", "The Harbour Coalition",'), "utf-8")
    assert (await load_letter(db, letter_folder, now=clock(), actor="test")).changed
    assert await db.value(select(signatures.c.initiator_rank)) == 1


async def test_every_wrong_id_is_named_and_nothing_is_approved(
    db: Db, letter: Letter, partner: Partner, clock: Clock
) -> None:
    good = organization(letter, partner, clock, "Good")
    wrong = {
        "a person's": organization(letter, partner, clock, "P", kind="individual", name="P", organization=None),
        "a test": organization(letter, partner, clock, "T", test=True),
        "in quarantine": organization(letter, partner, clock, "Q", quarantine="honeypot"),
        "not confirmed": organization(letter, partner, clock, "C", status="pending", confirmed_at=None),
        "withdrawn": organization(letter, partner, clock, "W", status="withdrawn"),
        "staff cannot undo": organization(letter, partner, clock, "H", listing="hidden_by_signer"),
        "hidden by staff": organization(letter, partner, clock, "S", listing="hidden_by_staff"),
    }
    again = organization(letter, partner, clock, "Good", email="y@example.org")
    await store(db, good, *wrong.values())
    await store(db, again)
    unknown = new_id()
    with pytest.raises(Problems) as caught:
        await approved(db, clock, good.id, *(row.id for row in wrong.values()), again.id, unknown, "abc")
    problems = caught.value.problems
    for expected, row in wrong.items():
        assert any(problem.startswith(row.id) and expected in problem for problem in problems)
    assert any(problem.startswith(again.id) and good.id in problem for problem in problems)
    assert any(problem.startswith(unknown) and "no such signature" in problem for problem in problems)
    assert any(problem.startswith('"abc"') for problem in problems)
    assert len(problems) == len(wrong) + 3
    listed = await db.value(select(func.count()).where(signatures.c.listing == "listed"))
    assert listed == 0


async def test_another_letters_signature_is_not_found(
    db: Db, letter: Letter, partner: Partner, letter_folder: Path, clock: Clock
) -> None:
    row = organization(letter, partner, clock, "Aid")
    await store(db, row)
    settings = letter_folder / "letter.toml"
    settings.write_text(settings.read_text("utf-8").replace('slug = "letter"', 'slug = "other"'), "utf-8")
    await load_letter(db, letter_folder, now=clock(), actor="test")
    with pytest.raises(Problems, match="letter other has no such signature"):
        await approved(db, clock, row.id, slug="other")


async def test_a_revoked_listing_can_be_approved_again(db: Db, letter: Letter, partner: Partner, clock: Clock) -> None:
    row = organization(letter, partner, clock, "Aid")
    await store(db, row)
    await approved(db, clock, row.id)
    async with db.write() as writer:
        await writer.execute(update(signatures).values(listing="awaiting_review"))
    assert (await approved(db, clock, row.id)).done == (row.id,)
