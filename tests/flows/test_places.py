"""Whoever was merged, renamed, refused, taken back or erased before: a signer is counted once, and whoever was refused
stays out, on both engines. `test_life.py` looks for what is missing here."""

from __future__ import annotations

import pytest

from tests.flows.staff import STAFF, counts, stored, turns
from tests.flows.test_merge import for_
from tests.outbox.conftest import Sign
from widget_server.domain.letters import Letter
from widget_server.domain.refusals import Problems
from widget_server.domain.signers import signer_hash
from widget_server.flows.correct import correct
from widget_server.flows.edit import edit
from widget_server.flows.erase import erase_named, erase_own
from widget_server.flows.merge import merge
from widget_server.flows.reject import reject
from widget_server.flows.release import release
from widget_server.flows.restore import restore
from widget_server.flows.turn import Turns
from widget_server.flows.withdraw import withdraw
from widget_server.store.db import Db

__all__ = ["turns"]


async def repeat_of(db: Db, id_: str) -> str | None:
    one = await stored(db, id_)
    assert one.status == "confirmed"
    return one.repeat_of


async def test_a_restored_one_has_its_place_though_another_of_its_signers_was_refused_since(
    db: Db, letter: Letter, sign: Sign, turns: Turns
) -> None:
    first, other = await sign(**for_(letter, "Aid", "a")), await sign(**for_(letter, "The Aid Inc.", "b"))
    await merge(turns, letter, first, [other], STAFF)
    await reject(turns, letter, [first], STAFF)
    again = await sign(**for_(letter, "Aid", "a"))
    assert (await stored(db, again)).quarantine == "rejected_before"
    await release(turns, letter, [again], STAFF)
    await reject(turns, letter, [again], STAFF)
    await restore(turns, letter, [first], STAFF)
    assert await repeat_of(db, first) == other
    await reject(turns, letter, [other], STAFF)
    assert (await counts(db), await repeat_of(db, first)) == ({"organization": 1}, None)
    assert await repeat_of(db, await sign(**for_(letter, "Aid", "a"))) == first


async def test_an_erased_one_is_not_barred_with_whom_it_stood_behind_before(
    db: Db, letter: Letter, sign: Sign, turns: Turns
) -> None:
    keep, erased = await sign(**for_(letter, "Aid", "a")), await sign(**for_(letter, "The Aid Inc.", "b"))
    await merge(turns, letter, keep, [erased], STAFF)
    await erase_named(turns, letter, [erased], STAFF)
    head = await sign(**for_(letter, "Réseau du Nord", "a"))
    await merge(turns, letter, head, [keep], STAFF)
    await reject(turns, letter, [keep], STAFF)
    assert await repeat_of(db, await sign(**for_(letter, "The Aid Inc.", "b"))) == head
    assert await counts(db) == {"organization": 1}


async def test_whoever_repeats_an_erased_one_can_stand_for_it_alone(
    db: Db, letter: Letter, sign: Sign, turns: Turns
) -> None:
    keep, erased = await sign(**for_(letter, "Aid", "a")), await sign(**for_(letter, "The Aid Inc.", "b"))
    await merge(turns, letter, keep, [erased], STAFF)
    await erase_named(turns, letter, [erased], STAFF)
    again = await sign(**for_(letter, "The Aid Inc.", "b"))
    assert await repeat_of(db, again) == keep
    await withdraw(turns, letter, keep)
    assert (await counts(db), await repeat_of(db, again)) == ({"organization": 1}, None)
    assert await repeat_of(db, await sign(**for_(letter, "The Aid Inc.", "b"))) == again


async def test_an_earlier_spelling_goes_to_whoever_of_its_mailbox_stays(
    db: Db, letter: Letter, sign: Sign, turns: Turns
) -> None:
    renamed = await sign(**for_(letter, "Aid", "a"))
    await correct(turns, letter, renamed, {"organization": "Réseau du Nord"})
    again, keep = await sign(**for_(letter, "Aid", "a")), await sign(**for_(letter, "Réseau", "b"))
    assert await repeat_of(db, again) == renamed
    await merge(turns, letter, keep, [renamed], STAFF)
    await reject(turns, letter, [renamed], STAFF)
    await erase_own(turns, letter, keep)
    await restore(turns, letter, [again], STAFF)
    assert await counts(db) == {"organization": 1}
    await reject(turns, letter, [again], STAFF)
    for name in ("Aid", "Réseau du Nord"):
        assert (await stored(db, await sign(**for_(letter, name, "a")))).quarantine == "rejected_before", name


async def test_what_was_refused_alone_can_be_taken_apart_when_it_is_back(
    db: Db, letter: Letter, sign: Sign, turns: Turns
) -> None:
    keep, other = await sign(**for_(letter, "Aid", "a")), await sign(**for_(letter, "Réseau du Nord", "a"))
    await merge(turns, letter, keep, [other], STAFF)
    await reject(turns, letter, [other], STAFF)
    assert (await restore(turns, letter, [other], STAFF)).undone == {other: "rejection"}
    assert await repeat_of(db, other) == keep
    assert (await restore(turns, letter, [other], STAFF)).undone == {other: "merge"}
    assert (await counts(db), await repeat_of(db, other)) == ({"organization": 2}, None)


async def test_what_repeats_it_becomes_of_the_same_kind(db: Db, letter: Letter, sign: Sign, turns: Turns) -> None:
    person = for_(letter, "Aid", "a", kind="individual", name="Ana Roy", listing="listed")
    person |= {"organization": None, "signer_hash": signer_hash(letter.signer_key, "individual", person["email"], None)}
    first, again = await sign(**person), await sign(**person)
    assert await repeat_of(db, again) == first
    await edit(turns, letter, first, {"kind": "organization", "organization": "Aid"}, STAFF)
    assert ((await stored(db, again)).kind, (await stored(db, again)).organization) == ("organization", "Aid")
    keep = await sign(**for_(letter, "Aid Inc.", "b"))
    await merge(turns, letter, keep, [first], STAFF)
    await reject(turns, letter, [first], STAFF)
    await withdraw(turns, letter, keep)
    assert await counts(db) == {}


async def test_what_is_merged_with_it_keeps_its_kind(db: Db, letter: Letter, sign: Sign, turns: Turns) -> None:
    keep, other = await sign(**for_(letter, "Aid", "a")), await sign(**for_(letter, "Réseau du Nord", "a"))
    await merge(turns, letter, keep, [other], STAFF)
    with pytest.raises(Problems, match=f"{other}: this is merged with {keep}; restore it first"):
        await edit(turns, letter, keep, {"kind": "individual", "name": "Ana Roy"}, STAFF)
