"""One organization under several signatures: proposed, merged by staff, and taken apart again, on both engines."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from tests.flows.staff import ORGANIZATION, PENDING, STAFF, counts, noted, stored, told, turns
from tests.outbox.conftest import Sign
from widget_server.domain.letters import Letter
from widget_server.domain.refusals import Problems
from widget_server.domain.signers import address_hash, signer_hash
from widget_server.flows.approve import approve
from widget_server.flows.by_staff import Done
from widget_server.flows.duplicates import find_duplicates
from widget_server.flows.edit import edit
from widget_server.flows.merge import MERGE, merge
from widget_server.flows.restore import restore
from widget_server.flows.turn import Turns
from widget_server.flows.withdraw import withdraw
from widget_server.store.db import Db
from widget_server.store.tables import signatures

__all__ = ["turns"]


def for_(letter: Letter, organization: str, mailbox: str, **changes: Any) -> dict[str, Any]:
    """A signature for an organization, from a mailbox, with the keys that its letter gives it."""
    key, email = letter.signer_key, f"{mailbox}@example.org"
    return {
        **ORGANIZATION, "organization": organization, "email": email,
        "signer_hash": signer_hash(key, "organization", email, organization),
        "address_hash": address_hash(key, email), **changes,
    }  # fmt: skip


@pytest.mark.parametrize(
    "other",
    ["ECLAIR", "The Éclair", "Éclair Inc.", "Éclair (ECL)", "éclair e.V.", "L'Éclair", "Éclair, ltée", "É c l a i r"],
)
async def test_names_that_are_the_same_are_named_first(db: Db, letter: Letter, sign: Sign, other: str) -> None:
    near = await sign(**for_(letter, "Harbour Coalition of Halifax", "c"))
    nearly = await sign(**for_(letter, "Harbor Coalition of Halifax", "d"))
    await sign(**for_(letter, "Réseau du Nord", "e"))
    first = await sign(**for_(letter, "Éclair", "a"))
    second = await sign(**for_(letter, other, "b"))
    found = await find_duplicates(db, letter)
    if other == "É c l a i r":
        assert [one.score == 100 for one in found] == [False], "letters apart are another name"
        return
    assert [(one.keep.id, [o.id for o in one.others], one.score == 100) for one in found] == [
        (first, [second], True), (near, [nearly], False),
    ]  # fmt: skip
    assert (await counts(db), await told(db)) == ({"organization": 5}, []), "nothing is merged by itself"


async def test_alike_under_different_statements_is_named_last_and_apart(db: Db, letter: Letter, sign: Sign) -> None:
    north = await sign(**for_(letter, "Réseau du Nord", "a"))
    south = await sign(**for_(letter, "Reseau du Nord Inc.", "b", statement="us"))
    harbour = await sign(**for_(letter, "Harbour Coalition of Halifax", "c"))
    harbor = await sign(**for_(letter, "Harbor Coalition of Halifax", "d", statement="us"))
    twice = await sign(**for_(letter, "Harbour Coalition of Halifax Inc.", "e", statement="us"))
    found = [
        (one.mergeable, one.keep.id, [other.id for other in one.others]) for one in await find_duplicates(db, letter)
    ]
    assert found == [
        (True, harbor, [twice]), (False, north, [south]), (False, harbour, [twice]),
    ]  # fmt: skip


async def test_only_what_counts_is_proposed_and_the_listed_one_stays(
    db: Db, letter: Letter, sign: Sign, turns: Turns
) -> None:
    early = await sign(**for_(letter, "Aid", "a"))
    listed = await sign(**for_(letter, "AID", "b"))
    await sign(**for_(letter, "Aid", "c", **PENDING))
    await sign(**for_(letter, "Aid", "d", status="withdrawn"))
    elsewhere = await sign(**for_(letter, "Aid", "e", statement="us"))
    await sign(name="Aid")
    await approve(turns, letter, [listed], STAFF)
    found, apart = await find_duplicates(db, letter)
    assert (found.keep.id, [one.id for one in found.others]) == (listed, [early])
    await merge(turns, letter, listed, [early], STAFF)
    assert await find_duplicates(db, letter) == [apart]
    assert (apart.keep.id, [one.id for one in apart.others], apart.mergeable) == (listed, [elsewhere], False)


async def test_merged_one_counts_and_taken_apart_both_do(db: Db, letter: Letter, sign: Sign, turns: Turns) -> None:
    keep, other = await sign(**for_(letter, "Aid", "a")), await sign(**for_(letter, "The Aid Inc.", "b"))
    assert await merge(turns, letter, keep, [other], STAFF) == Done((other,), ())
    assert await merge(turns, letter, keep, [other], STAFF) == Done((), (other,)), "twice changes nothing"
    assert (await counts(db), (await stored(db, other)).repeat_of) == ({"organization": 1}, keep)
    assert await told(db) == [("signature.updated", other)]
    assert [(line["subject"], line["data"]) for line in await noted(db, MERGE)] == [
        (other, {"into": keep}), (keep, {"with": [other]}),
    ]  # fmt: skip
    assert (await restore(turns, letter, [other], STAFF)).undone == {other: "merge"}
    assert (await counts(db), (await stored(db, other)).repeat_of) == ({"organization": 2}, None)


async def test_what_has_become_one_by_a_new_name_is_not_taken_apart(
    db: Db, letter: Letter, sign: Sign, turns: Turns
) -> None:
    keep, other = await sign(**for_(letter, "Réseau du Nord", "a")), await sign(**for_(letter, "Aid", "a"))
    await merge(turns, letter, keep, [other], STAFF)
    await edit(turns, letter, keep, {"organization": "The Aid Inc."}, STAFF)
    assert (await restore(turns, letter, [other], STAFF)).repeated == (other,)
    assert (await counts(db), (await stored(db, other)).repeat_of) == ({"organization": 1}, keep)


async def test_whoever_signs_for_a_merged_one_again_is_not_counted(
    db: Db, letter: Letter, sign: Sign, turns: Turns
) -> None:
    keep, other = await sign(**for_(letter, "Aid", "a")), await sign(**for_(letter, "The Aid Inc.", "b"))
    await merge(turns, letter, keep, [other], STAFF)
    again = await sign(**for_(letter, "The Aid Inc.", "b"))
    assert (await counts(db), (await stored(db, again)).repeat_of) == ({"organization": 1}, keep)


async def test_where_the_one_that_stays_is_taken_back_the_other_counts(
    db: Db, letter: Letter, sign: Sign, turns: Turns
) -> None:
    keep, *others = [await sign(**for_(letter, name, name[-1])) for name in ("Aid a", "Aid b", "Aid c")]
    await merge(turns, letter, keep, others, STAFF)
    assert await withdraw(turns, letter, keep)
    assert await counts(db) == {"organization": 1}
    repeats = [(await stored(db, one)).repeat_of for one in others]
    assert repeats == [None, others[0]], "the earlier one, and the rest stand behind it"


async def test_every_wrong_one_is_named_and_none_is_merged(db: Db, letter: Letter, sign: Sign, turns: Turns) -> None:
    keep, fine = await sign(**for_(letter, "Aid", "a")), await sign(**for_(letter, "Aid", "b"))
    wrong = {
        "only organizations": await sign(),
        "not confirmed": await sign(**for_(letter, "Aid", "c", **PENDING)),
        "in quarantine": await sign(**for_(letter, "Aid", "d", **PENDING, quarantine="honeypot")),
        "withdrawn": await sign(**for_(letter, "Aid", "e", status="withdrawn")),
        "a test": await sign(**for_(letter, "Aid", "f", test=True)),
    }
    with pytest.raises(Problems) as caught:
        await merge(turns, letter, keep, [fine, *wrong.values()], STAFF)
    for words, id_ in wrong.items():
        assert any(problem.startswith(id_) and words in problem for problem in caught.value.problems), words
    elsewhere = await sign(**for_(letter, "Aid", "g", statement="us"))
    with pytest.raises(Problems, match='under the statement "us"'):
        await merge(turns, letter, keep, [elsewhere], STAFF)
    with pytest.raises(Problems, match="two signatures at least"):
        await merge(turns, letter, keep, [keep], STAFF)
    assert [row for row in await db.all(select(signatures.c.repeat_of)) if row["repeat_of"]] == []
