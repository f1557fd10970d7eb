"""Letting signatures out of quarantine: each becomes what it would have been, on both engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.flows.staff import PENDING, STAFF, counts, noted, stored, turns
from tests.outbox.conftest import Sign
from widget_server.domain.letters import Letter
from widget_server.domain.refusals import Problems
from widget_server.flows.confirm import confirm
from widget_server.flows.reject import reject
from widget_server.flows.release import RELEASE, release
from widget_server.flows.turn import Turns
from widget_server.flows.withdraw import withdraw
from widget_server.store.db import Db
from widget_server.store.tables import events

__all__ = ["turns"]

HELD: dict[str, Any] = {**PENDING, "quarantine": "fast,not_shown"}
TRAPPED: dict[str, Any] = {**PENDING, "quarantine": "honeypot"}


@pytest.fixture
def letter_folder(letter_folder: Path) -> Path:
    """The letter confirms by mail."""
    settings = letter_folder / "letter.toml"
    settings.write_text(settings.read_text("utf-8").replace('confirmation = "none"', 'confirmation = "email"'), "utf-8")
    return letter_folder


async def happened(db: Db, id_: str) -> list[str]:
    query = select(events.c.type).where(events.c.signature_id == id_).order_by(events.c.seq)
    return [row["type"] for row in await db.all(query)]


async def test_whoever_had_pressed_the_link_is_confirmed_now(db: Db, letter: Letter, sign: Sign, turns: Turns) -> None:
    id_ = await sign(**HELD)
    assert (await confirm(turns, letter, id_)).ended == "confirmed", "its signer notices nothing"
    assert (await counts(db), await happened(db, id_)) == ({}, ["signer.mail"])
    assert (await release(turns, letter, [id_], STAFF)).status == {id_: "confirmed"}
    assert (await counts(db), (await stored(db, id_)).quarantine) == ({"individual": 1}, None)
    assert await happened(db, id_) == ["signer.mail", "signature.created", "signature.confirmed"]
    assert (await release(turns, letter, [id_], STAFF)).repeated == (id_,), "twice changes nothing"
    (line,) = await noted(db, RELEASE)
    assert (line["subject"], line["data"]) == (id_, {"quarantine": "fast,not_shown"})


async def test_who_was_trapped_gets_their_mail_and_the_others_no_second(
    db: Db, letter: Letter, sign: Sign, turns: Turns
) -> None:
    trapped, held = await sign(**TRAPPED), await sign(**HELD)
    assert (await happened(db, trapped), await happened(db, held)) == ([], ["signer.mail"])
    assert (await release(turns, letter, [trapped, held], STAFF)).status == {trapped: "pending", held: "pending"}
    assert sorted(await happened(db, trapped)) == ["signature.created", "signer.mail"]
    assert await happened(db, held) == ["signer.mail", "signature.created"]
    assert await counts(db) == {}
    assert (await confirm(turns, letter, trapped)).ended == "confirmed"
    assert await counts(db) == {"individual": 1}


async def test_whoever_had_been_refused_before_is_vouched_for(db: Db, letter: Letter, sign: Sign, turns: Turns) -> None:
    zoe = {**PENDING, "signer_hash": "zoe", "address_hash": "at-zoe"}
    first, second = await sign(**zoe), await sign(**zoe)
    await confirm(turns, letter, first)
    await reject(turns, letter, [first], STAFF)
    await confirm(turns, letter, second)
    assert ((await stored(db, second)).quarantine, await counts(db)) == ("rejected_before", {})
    assert (await release(turns, letter, [second], STAFF)).status == {second: "confirmed"}
    assert await counts(db) == {"individual": 1}
    third = await sign(**zoe)
    assert (await confirm(turns, letter, third)).ended == "repeated", "the bar is lifted"


async def test_what_ended_or_was_taken_back_stays_in(db: Db, letter: Letter, sign: Sign, turns: Turns) -> None:
    rejected, fine = await sign(**HELD), await sign(**HELD)
    await reject(turns, letter, [rejected], STAFF)
    with pytest.raises(Problems, match="restore it first"):
        await release(turns, letter, [fine, rejected], STAFF)
    assert (await stored(db, fine)).quarantine is not None, "all or none"
    taken_back = await sign(**HELD)
    await withdraw(turns, letter, taken_back)
    with pytest.raises(Problems, match="its signer took it back"):
        await release(turns, letter, [taken_back], STAFF)
    assert await counts(db) == {}
