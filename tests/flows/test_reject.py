"""Refusing signatures by id and by pattern, with the count first and a way back, on both engines."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tests.conftest import Clock
from tests.flows.staff import PENDING, STAFF, counts, noted, stored, told, turns
from tests.outbox.conftest import Sign, sign_many
from widget_server.domain.letters import Letter
from widget_server.domain.names import sort_key
from widget_server.domain.partners import Partner
from widget_server.domain.patterns import Given, Pattern, read_pattern
from widget_server.domain.refusals import Problems
from widget_server.domain.signers import address_hash, signer_hash
from widget_server.flows.confirm import confirm
from widget_server.flows.erase import erase_named
from widget_server.flows.reject import REJECT, reject, reject_matching, survey
from widget_server.flows.restore import RESTORE, find_rejected, restore, undo_rejection
from widget_server.flows.turn import Turns
from widget_server.flows.withdraw import withdraw
from widget_server.store.db import Db
from widget_server.store.tables import audit, rejections, signatures

__all__ = ["turns"]


def from_(letter: Letter, email: str, **changes: Any) -> dict[str, Any]:
    """A person's signature, with the keys that its letter gives it."""
    key = letter.signer_key
    return {
        "email": email, "signer_hash": signer_hash(key, "individual", email, None),
        "address_hash": address_hash(key, email),
        "sort_key": sort_key(changes.get("name", "Zoë Gagné")), **changes,
    }  # fmt: skip


def pattern(letter: Letter, partner_id: int | None = None, **given: Any) -> Pattern:
    return read_pattern(
        Given(**given), partner_id=partner_id, hash_address=lambda canonical: address_hash(letter.signer_key, canonical)
    )


async def statuses(db: Db) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in await db.all(select(signatures.c.status)):
        found[row["status"]] = found.get(row["status"], 0) + 1
    return found


async def test_one_that_is_refused_is_uncounted_and_comes_back(
    db: Db, letter: Letter, sign: Sign, turns: Turns
) -> None:
    id_, waiting = await sign(), await sign(**PENDING)
    done = await reject(turns, letter, [id_, waiting], STAFF)
    assert (done.done, await counts(db), await statuses(db)) == ((id_, waiting), {}, {"rejected": 2})
    again = await reject(turns, letter, [id_], STAFF)
    assert (again.id, again.repeated) == (None, (id_,)), "twice changes nothing"
    assert await told(db) == [("signature.rejected", id_), ("signature.rejected", waiting)]
    assert {line["subject"] for line in await noted(db, REJECT)} == {id_, waiting}
    assert (await restore(turns, letter, [id_, waiting], STAFF)).undone == {id_: "rejection", waiting: "rejection"}
    assert (await counts(db), await statuses(db)) == ({"individual": 1}, {"confirmed": 1, "pending": 1})


async def test_whoever_was_refused_signs_into_quarantine(db: Db, letter: Letter, sign: Sign, turns: Turns) -> None:
    await reject(turns, letter, [await sign(**from_(letter, "zoe@example.org"))], STAFF)
    again = await sign(**from_(letter, "zoe@example.org"))
    assert ((await stored(db, again)).quarantine, await counts(db)) == ("rejected_before", {})


async def test_what_its_signer_took_back_is_not_refused_nor_a_test(letter: Letter, sign: Sign, turns: Turns) -> None:
    taken_back, test = await sign(status="withdrawn"), await sign(test=True)
    with pytest.raises(Problems) as caught:
        await reject(turns, letter, [taken_back, test], STAFF)
    assert ["its signer took it back" in caught.value.problems[0], "test" in caught.value.problems[1]] == [True, True]


@pytest.fixture
async def flood(db: Db, letter: Letter, partner: Partner, clock: Clock) -> list[str]:
    """450 signatures from one domain, more than two batches, among three honest ones."""
    many = [
        from_(letter, f"bot{n}@mail.spam.example", name=f"Bot Né {n}", client=f"{n % 2}-keyed-hash") for n in range(450)
    ]
    honest = [from_(letter, f"h{n}@example.org", country="US", statement="us") for n in range(3)]
    return await sign_many(db, letter, partner, clock, [*many, *honest])


async def test_a_flood_is_counted_first_then_refused_and_taken_back_as_one(
    db: Db, letter: Letter, flood: list[str], turns: Turns
) -> None:
    fits = pattern(letter, domain="*.spam.example")
    seen = await survey(db, letter, fits)
    assert (seen.number, seen.counted, len(seen.examples)) == (450, 450, 5)
    assert (await counts(db), await statuses(db), await told(db)) == (
        {"individual": 453}, {"confirmed": 453}, [],
    ), "looking changes nothing"  # fmt: skip

    steps: list[int] = []
    done = await reject_matching(turns, letter, fits, STAFF, steps.append)
    assert (done.number, steps) == (450, [200, 200, 50]), "in short transactions"
    assert (await counts(db), await statuses(db)) == ({"individual": 3}, {"confirmed": 3, "rejected": 450})
    assert await survey(db, letter, fits) == type(seen)(0, 0, ()), "nothing is left to refuse"
    assert (await reject_matching(turns, letter, fits, STAFF)).id is None
    (line,) = await noted(db, REJECT)
    assert (line["subject"], line["reason"], line["data"]) == (
        done.id, "known to us", {"pattern": {"domain": "*.spam.example"}},
    )  # fmt: skip

    assert not await withdraw(turns, letter, flood[0]), "it has ended"
    assert done.id is not None
    rejection = await find_rejected(db, letter, done.id)
    assert rejection.number == 450
    undone = await undo_rejection(turns, letter, rejection, STAFF)
    assert (undone.number, undone.left) == (450, ())
    assert (await counts(db), await statuses(db)) == ({"individual": 453}, {"confirmed": 453})
    repeated = await undo_rejection(turns, letter, await find_rejected(db, letter, done.id), STAFF)
    assert (repeated.number, repeated.repeated) == (0, True)
    assert [line["data"] for line in await noted(db, RESTORE)] == [{"number": 450, "left": 0}]


async def test_cut_short_it_can_still_be_undone_as_one(db: Db, letter: Letter, flood: list[str], turns: Turns) -> None:
    class Enough(Exception):
        """The operator has gone home."""

    def stop(_: int) -> None:
        raise Enough

    with pytest.raises(Enough):
        await reject_matching(turns, letter, pattern(letter, domain="*.spam.example"), STAFF, stop)
    assert await statuses(db) == {"confirmed": 253, "rejected": 200}
    (row,) = await db.all(select(rejections.c.id))
    await undo_rejection(turns, letter, await find_rejected(db, letter, row["id"]), STAFF)
    assert (await statuses(db), await counts(db)) == ({"confirmed": 453}, {"individual": 453})


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ({"name": "bot NE 1?"}, 10),
        ({"name": "BOT NÉ 7"}, 1),
        ({"email": "bot*@mail.spam.example"}, 450),
        ({"email": "Bot7+tag@mail.spam.example"}, 1),
        ({"domain": "mail.spam.example"}, 450),
        ({"domain": "spam.example"}, 0),
        ({"country": "US"}, 3),
        ({"clients": ("1-keyed-",)}, 225),
        ({"domain": "*.example", "country": "US"}, 0),
        ({"domain": "*", "country": "US"}, 3),
        ({"status": "pending", "domain": "*"}, 0),
    ],
)
async def test_what_fits(db: Db, letter: Letter, flood: list[str], given: dict[str, Any], number: int) -> None:
    assert (await survey(db, letter, pattern(letter, **given))).number == number


async def test_by_partner_and_by_time(db: Db, letter: Letter, partner: Partner, sign: Sign, clock: Clock) -> None:
    await sign()
    clock.advance(3600)
    now = clock()
    await sign()
    assert (await survey(db, letter, pattern(letter, since=now))).number == 1
    assert (await survey(db, letter, pattern(letter, until=now))).number == 1
    assert (await survey(db, letter, pattern(letter, since=now, until=now + timedelta(seconds=1)))).number == 1
    assert (await survey(db, letter, pattern(letter, partner.id, partner="maple"))).number == 2
    assert (await survey(db, letter, pattern(letter, partner.id + 1, partner="oak"))).number == 0


async def test_no_person_stands_in_the_log(db: Db, letter: Letter, flood: list[str], turns: Turns) -> None:
    for given in ({"email": "bot7@mail.spam.example"}, {"name": "Bot Né 8"}, {"clients": ("1-keyed-",)}):
        assert (await reject_matching(turns, letter, pattern(letter, **given), STAFF)).number > 0
    kept = json.dumps([*await db.all(select(audit)), *await db.all(select(rejections))], default=str)
    for typed in ("bot7", "Bot N", "1-keyed"):
        assert typed not in kept


async def test_who_signed_anew_and_took_it_back_stays_out(
    db: Db, letter: Letter, sign: Sign, turns: Turns, clock: Clock
) -> None:
    id_ = await sign(**from_(letter, "zoe@example.org"))
    done = await reject(turns, letter, [id_], STAFF)
    clock.advance(60)
    again = await sign(**from_(letter, "zoe@example.org", **PENDING))
    await confirm(turns, letter, again)
    clock.advance(60)
    assert await withdraw(turns, letter, again), "it was in quarantine, and is taken back all the same"
    with pytest.raises(Problems, match="its signer has withdrawn since"):
        await restore(turns, letter, [id_], STAFF)
    assert done.id is not None
    undone = await undo_rejection(turns, letter, await find_rejected(db, letter, done.id), STAFF)
    assert (undone.number, undone.left) == (0, (id_,))
    assert ((await stored(db, id_)).status, await counts(db)) == ("rejected", {})


async def test_what_was_erased_meanwhile_is_no_trouble(db: Db, letter: Letter, flood: list[str], turns: Turns) -> None:
    done = await reject_matching(turns, letter, pattern(letter, email="bot1?@mail.spam.example"), STAFF)
    await erase_named(turns, letter, flood[10:12], STAFF)
    assert done.id is not None
    assert (await undo_rejection(turns, letter, await find_rejected(db, letter, done.id), STAFF)).number == 8
    with pytest.raises(Problems, match="has no rejection"):
        await find_rejected(db, letter, flood[0])
