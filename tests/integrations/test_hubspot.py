"""What is HubSpot's own: batches that fail in part or whole, quotas, subscriptions."""

from __future__ import annotations

from typing import cast

import pytest

from tests.integrations.place import Place
from tests.integrations.targets.base import Answer
from tests.integrations.targets.hubspot import HubSpot
from tests.outbox.conftest import Sign
from widget_server.flows.withdraw import withdraw

ZOE = "zoe.gagne@example.org"
KIND = "hubspot"
UPSERT = "batch/upsert"
here = pytest.mark.parametrize("target", [KIND], indirect=True)


def there(place: Place) -> HubSpot:
    return cast(HubSpot, place.target)


def batches(place: Place) -> list[int]:
    return [len(one.json["inputs"]) for one in place.target.asked if one.path.endswith(UPSERT)]


async def many(sign: Sign, number: int, *, bad: tuple[int, ...] = ()) -> list[str]:
    good = []
    for index in range(number):
        email = f"bad.{index}@nowhere.invalid" if index in bad else f"good.{index:03}@example.org"
        await sign(email=email, contact_opt_in=True)
        good += [] if index in bad else [email]
    return good


@here
@pytest.mark.parametrize("partial", [True, False], ids=["207", "400"])
async def test_bad_ones_in_a_batch_cost_nobody_else(place: Place, sign: Sign, partial: bool) -> None:
    there(place).partial = partial
    good = await many(sign, 30, bad=(3, 17))
    await place.deliver()
    assert place.target.records() == good
    assert sorted(row["status"] for row in await place.rows()) == ["delivered"] * 28 + ["failed"] * 2
    assert batches(place)[0] == 30
    if partial:
        assert batches(place) == [30]
    assert (await place.status())[0] == "active"


@here
async def test_a_long_answer_is_read_to_its_errors(place: Place, sign: Sign) -> None:
    there(place).padding = "x" * 2000
    good = await many(sign, 40, bad=(39,))
    await place.deliver()
    assert place.target.records() == good
    assert sorted(row["status"] for row in await place.rows()) == ["delivered"] * 39 + ["failed"]


@here
async def test_whoever_the_answer_does_not_name_is_tried_again(place: Place, sign: Sign) -> None:
    emails = await many(sign, 3)
    half = {"status": "COMPLETE", "results": [{"id": "1", "properties": {"email": emails[0]}}], "errors": []}
    place.target.refuse_next(UPSERT, Answer(207, half))
    await place.deliver(1)
    assert sorted(row["status"] for row in await place.rows()) == ["delivered", "pending", "pending"]
    place.clock.advance(60)
    await place.deliver()
    assert place.target.records() == emails[1:]


@here
async def test_the_same_address_twice_goes_once_and_the_last_counts(place: Place, sign: Sign) -> None:
    await sign(email=ZOE, contact_opt_in=True, city="Montréal")
    await sign(email=ZOE.upper(), contact_opt_in=True, signer_hash="again", city="Québec")
    await place.deliver()
    assert batches(place) == [1]
    assert [row["status"] for row in await place.rows()] == ["delivered"] * 2
    assert there(place).contacts[ZOE]["city"] == "Québec"


@here
@pytest.mark.parametrize(("policy", "wait"), [("TEN_SECONDLY_ROLLING", 10), ("DAILY", 3600)])
async def test_a_quota_that_does_not_say_how_long(place: Place, sign: Sign, policy: str, wait: int) -> None:
    limit = {"status": "error", "errorType": "RATE_LIMIT", "policyName": policy, "message": "limit reached"}
    place.target.refuse_next(UPSERT, Answer(429, limit))
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver(1)
    place.clock.advance(wait - 5)
    await place.deliver(1)
    assert place.target.records() == []
    place.clock.advance(10)
    await place.deliver(1)
    assert place.target.records() == [ZOE]


@here
async def test_a_property_that_vanished_pauses_and_keeps_the_work(place: Place, sign: Sign) -> None:
    place.target.refuse_next(UPSERT, Answer(400, {"message": '[{"error":"PROPERTY_DOESNT_EXIST","name":"zip"}]'}))
    await many(sign, 3)
    await place.deliver()
    assert (await place.status())[0] == "paused"
    assert [row["status"] for row in await place.rows()] == ["pending"] * 3


@pytest.mark.parametrize(
    "target", [(KIND, {"subscription": "12345", "opt_in_property": "letters_opt_in"})], indirect=True
)
async def test_only_the_subscription_ends_where_one_is_named(place: Place, sign: Sign) -> None:
    id_ = await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    assert there(place).contacts[ZOE]["letters_opt_in"] == "true"
    assert await withdraw(place.turns, place.letter, id_)
    there(place).ended.add((ZOE, "12345"))
    place.clock.advance(5)
    await place.deliver()
    assert there(place).contacts[ZOE]["letters_opt_in"] == "false"
    assert there(place).unsubscribed == set()
    assert {row["status"] for row in await place.rows()} == {"delivered"}, "that it had ended already is no trouble"


@here
async def test_whoever_comes_back_is_added_after_the_end_that_came_before(place: Place, sign: Sign) -> None:
    """What waits while HubSpot is down goes in its order."""
    id_ = await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    place.clock.advance(5)
    assert await withdraw(place.turns, place.letter, id_)
    await sign(email="other@example.org", contact_opt_in=True)
    await sign(email=ZOE, contact_opt_in=True, signer_hash="again", city="Gatineau")
    place.clock.advance(5)
    await place.deliver(6)
    last = [one.path for one in place.target.asked if "unsubscribe-all" in one.path or one.path.endswith(UPSERT)]
    assert last[-1].endswith(UPSERT)
    assert there(place).contacts[ZOE]["city"] == "Gatineau"
