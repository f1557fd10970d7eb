"""Hiding names and correcting what the list shows, on both engines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.flows.staff import ORGANIZATION, PENDING, STAFF, counts, noted, stored, told, turns
from tests.outbox.conftest import Sign
from widget_server.domain.letters import Letter
from widget_server.domain.refusals import Problems
from widget_server.domain.signers import address_hash, signer_hash
from widget_server.flows.approve import approve
from widget_server.flows.by_staff import Done
from widget_server.flows.correct import show_name
from widget_server.flows.edit import EDIT, Edited, edit
from widget_server.flows.hide import HIDE, hide
from widget_server.flows.restore import restore
from widget_server.flows.turn import Turns
from widget_server.store.db import Db
from widget_server.store.tables import audit

__all__ = ["turns"]


async def test_a_hidden_name_still_counts_and_comes_back(db: Db, letter: Letter, sign: Sign, turns: Turns) -> None:
    id_ = await sign()
    assert await hide(turns, letter, [id_], STAFF) == Done((id_,), ())
    assert ((await stored(db, id_)).listing, await counts(db)) == ("hidden_by_staff", {"individual": 1})
    assert await hide(turns, letter, [id_], STAFF) == Done((), (id_,)), "twice changes nothing"
    assert await told(db) == [("signature.updated", id_)]
    assert await noted(db, HIDE) == [{"actor": "ana", "reason": "known to us", "subject": id_, "data": None}]
    assert not await show_name(turns, letter, id_, public=True), "its signer had not hidden it"
    assert (await stored(db, id_)).listing == "hidden_by_staff"
    assert (await restore(turns, letter, [id_], STAFF)).undone == {id_: "hiding"}
    assert (await stored(db, id_)).listing == "listed"


async def test_a_hidden_organization_comes_back_as_it_was_reviewed(
    db: Db, letter: Letter, sign: Sign, turns: Turns
) -> None:
    approved, waiting = await sign(**ORGANIZATION), await sign(**{**ORGANIZATION, "organization": "Boat"})
    await approve(turns, letter, [approved], STAFF)
    await hide(turns, letter, [approved, waiting], STAFF)
    with pytest.raises(Problems, match="restore it first"):
        await approve(turns, letter, [approved], STAFF)
    await restore(turns, letter, [approved, waiting], STAFF)
    assert [(await stored(db, one)).listing for one in (approved, waiting)] == ["listed", "awaiting_review"]


async def test_what_its_signer_hid_is_the_signers(db: Db, letter: Letter, sign: Sign, turns: Turns) -> None:
    theirs = await sign(public=False, listing="hidden_by_signer")
    other = await sign()
    with pytest.raises(Problems, match="its signer hid it"):
        await hide(turns, letter, [other, theirs], STAFF)
    assert (await stored(db, other)).listing == "listed", "all or none"
    assert (await restore(turns, letter, [theirs], STAFF)).repeated == (theirs,), "nothing of staff's to undo"
    assert (await stored(db, theirs)).listing == "hidden_by_signer"
    with pytest.raises(Problems, match="which staff cannot undo"):
        await edit(turns, letter, theirs, {"kind": "organization", "organization": "Aid"}, STAFF)


async def test_a_spelling_is_corrected_and_the_log_does_not_repeat_it(
    db: Db, letter: Letter, sign: Sign, turns: Turns
) -> None:
    id_ = await sign(name="Zoe Gagne")
    assert await edit(turns, letter, id_, {"name": "  Zoë   Gagné "}, STAFF) == Edited(id_, ("name",))
    assert ((await stored(db, id_)).name, (await stored(db, id_)).listing) == ("Zoë Gagné", "listed")
    assert await told(db) == [("signature.updated", id_)]
    assert (await edit(turns, letter, id_, {"name": "Zoë Gagné"}, STAFF)).changed == ()
    (line,) = await noted(db, EDIT)
    assert line["data"] == {"fields": ["name"]}
    assert "Gagn" not in json.dumps(await db.all(select(audit)), default=str)


async def test_every_problem_of_an_edit_is_named(letter: Letter, sign: Sign, turns: Turns) -> None:
    id_ = await sign()
    with pytest.raises(Problems) as caught:
        await edit(turns, letter, id_, {"name": "", "email": "x@y.example", "role": "see https://x.example"}, STAFF)
    assert [problem.partition(":")[0] for problem in sorted(caught.value.problems)] == ["email", "name", "role"]
    with pytest.raises(Problems, match="neither individual nor organization"):
        await edit(turns, letter, id_, {"kind": "club"}, STAFF)
    with pytest.raises(Problems, match="say which name is shown"):
        await edit(turns, letter, await sign(**{**ORGANIZATION, "name": "Jo Roy"}), {"kind": "individual"}, STAFF)
    with pytest.raises(Problems, match="this is withdrawn"):
        await edit(turns, letter, await sign(status="withdrawn"), {"name": "Jo"}, STAFF)


async def test_another_kind_counts_there_and_is_reviewed(db: Db, letter: Letter, sign: Sign, turns: Turns) -> None:
    email, key = "jo@example.org", letter.signer_key
    person = await sign(
        email=email, signer_hash=signer_hash(key, "individual", email, None), address_hash=address_hash(key, email)
    )
    assert (await edit(turns, letter, person, {"kind": "organization", "organization": "Aid"}, STAFF)).changed
    now = await stored(db, person)
    assert (now.kind, now.listing, now.signer_hash) == (
        "organization", "awaiting_review", signer_hash(key, "organization", email, "Aid"),
    )  # fmt: skip
    assert await counts(db) == {"organization": 1}

    again = await sign(email=email, signer_hash=signer_hash(key, "individual", email, None))
    assert await counts(db) == {"organization": 1, "individual": 1}, "the person's place was free"
    with pytest.raises(Problems, match=person):
        await edit(turns, letter, again, {"kind": "organization", "organization": "The Aid Inc."}, STAFF)
    assert await counts(db) == {"organization": 1, "individual": 1}


async def test_an_edit_of_one_that_waits_counts_nothing(db: Db, letter: Letter, sign: Sign, turns: Turns) -> None:
    id_ = await sign(**PENDING)
    await edit(turns, letter, id_, {"kind": "organization", "organization": "Aid"}, STAFF)
    assert ((await stored(db, id_)).kind, await counts(db)) == ("organization", {})


async def test_nobody_keeps_the_top_under_another_name(
    db: Db, letter: Letter, sign: Sign, turns: Turns, letter_folder: Path
) -> None:
    id_ = await sign(**{**ORGANIZATION, "organization": "The Harbour Coalition"})
    await approve(turns, letter, [id_], STAFF)
    assert (await stored(db, id_)).initiator_rank == 0
    await edit(turns, letter, id_, {"organization": "Harbor Club"}, STAFF)
    assert (await stored(db, id_)).initiator_rank is None
    await edit(turns, letter, id_, {"organization": "Réseau d'accueil du Nord"}, STAFF)
    assert (await stored(db, id_)).initiator_rank == 1, "staff vouched for it"
