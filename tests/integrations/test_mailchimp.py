"""What is Mailchimp's own: compliance, the forgotten, double opt-in, tags."""

from __future__ import annotations

import hashlib
from typing import cast

import pytest
from sqlalchemy import select

from integrations.mailchimp import Mailchimp as Kind
from tests.integrations.place import Place
from tests.integrations.targets.mailchimp import Mailchimp, problem
from tests.outbox.conftest import Sign
from widget_server.flows.withdraw import withdraw
from widget_server.store.tables import attempts

ZOE = "Zoe.Gagne@Example.org"
HASHED = hashlib.md5(ZOE.lower().encode()).hexdigest()
KIND = "mailchimp"
MAP = f"{Kind.default_map}merge_fields.CITY = city"
here = pytest.mark.parametrize("target", [KIND], indirect=True)


def there(place: Place) -> Mailchimp:
    return cast(Mailchimp, place.target)


async def suppressed(place: Place) -> list[str]:
    return [row["outcome"] for row in await place.db.all(select(attempts.c.outcome))]


@here
@pytest.mark.parametrize("title", ["Member In Compliance State", "Forgotten Email Not Subscribed"])
async def test_their_own_choice_there_is_final_and_nobodys_fault(place: Place, sign: Sign, title: str) -> None:
    place.target.refuse_next("PUT ", problem(400, title, "cannot be subscribed"))
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    place.clock.advance(100_000)
    await place.deliver()
    assert await suppressed(place) == ["suppressed"]
    assert await place.status() == ("active", None)
    assert [one.method for one in place.target.asked] == ["PUT"]


@here
async def test_whoever_has_unsubscribed_there_stays_so_and_the_log_says_it(place: Place, sign: Sign) -> None:
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    there(place).members[HASHED]["status"] = "unsubscribed"
    place.clock.advance(5)
    await sign(email=ZOE, contact_opt_in=True, signer_hash="again")
    await place.deliver()
    assert place.target.mailable() == []
    assert await suppressed(place) == ["delivered", "suppressed"]


@pytest.mark.parametrize("target", [(KIND, {"double_opt_in": "yes"})], indirect=True)
async def test_double_opt_in_leaves_it_to_mailchimp(place: Place, sign: Sign) -> None:
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    assert there(place).members[HASHED]["status"] == "pending"


@pytest.mark.parametrize("target", [(KIND, {"tags": "open letter, june", "map": MAP})], indirect=True)
async def test_tags_and_fields_of_ones_own(place: Place, sign: Sign) -> None:
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    one = there(place).members[HASHED]
    assert one["tags"] == {"open letter", "june"}
    assert one["merge_fields"] == {"FNAME": "Zoë", "LNAME": "Gagné", "CITY": "Montréal"}
    assert one["language"] == "fr"


@here
async def test_an_end_that_compliance_has_made_already_is_no_trouble(place: Place, sign: Sign) -> None:
    id_ = await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    assert await withdraw(place.turns, place.letter, id_)
    place.target.refuse_next("PATCH ", problem(400, "Member In Compliance State"))
    place.clock.advance(5)
    await place.deliver()
    assert {row["status"] for row in await place.rows()} == {"delivered"}


@here
async def test_an_audience_that_is_gone_pauses_and_keeps_the_work(place: Place, sign: Sign) -> None:
    place.target.refuse_next("PUT ", problem(404, "Resource Not Found"))
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    assert (await place.status())[0] == "paused"
    assert [row["status"] for row in await place.rows()] == ["pending"]
