"""What is Action Network's own: who is subscribed again, what its silence means, its one signature a person."""

from __future__ import annotations

from typing import cast

import pytest

from tests.integrations.place import Place
from tests.integrations.targets.action_network import ActionNetwork
from tests.integrations.targets.base import Answer
from tests.outbox.conftest import Sign
from widget_server.flows.withdraw import withdraw

ZOE = "zoe.gagne@example.org"
KIND = "action-network"
MAP = "given_name = given_name\nfamily_name = family_name\ncustom_fields.Town = city | upper"
here = pytest.mark.parametrize("target", [KIND], indirect=True)


def there(place: Place) -> ActionNetwork:
    return cast(ActionNetwork, place.target)


async def has_unsubscribed(place: Place, sign: Sign, email: str = ZOE) -> None:
    """They signed, opted in, and left the list over there."""
    await sign(email=email, contact_opt_in=True)
    await place.deliver()
    there(place).people[email].status = "unsubscribed"
    place.clock.advance(5)


@here
async def test_whoever_has_unsubscribed_there_stays_so(place: Place, sign: Sign) -> None:
    await has_unsubscribed(place, sign)
    await sign(email=ZOE, contact_opt_in=True, signer_hash="again", city="Québec")
    await place.deliver()
    assert place.target.mailable() == []
    assert there(place).people[ZOE].person["postal_addresses"][0]["locality"] == "Québec"


@pytest.mark.parametrize("target", [(KIND, {"resubscribe": "yes"})], indirect=True)
async def test_unless_the_owner_asked_for_that(place: Place, sign: Sign) -> None:
    await has_unsubscribed(place, sign)
    await sign(email=ZOE, contact_opt_in=True, signer_hash="again")
    await place.deliver()
    assert place.target.mailable() == [ZOE]


@here
async def test_an_unknown_key_answers_200_with_nothing_and_pauses(place: Place, sign: Sign) -> None:
    place.target.credentials_good = False
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    status, reason = await place.status()
    assert status == "paused"
    assert reason is not None
    assert reason.startswith("blind_post")


@here
async def test_a_petition_that_is_gone_pauses_and_keeps_the_work(place: Place, sign: Sign) -> None:
    place.target.refuse_next("POST ", Answer(404, {"error": "Not found"}))
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    assert (await place.status())[0] == "paused"
    assert [row["status"] for row in await place.rows()] == ["pending"]


@pytest.mark.parametrize(
    "target",
    [(KIND, {"tags": "open letter, june, unknown", "map": MAP})],
    indirect=True,
)
async def test_tags_and_fields_of_ones_own(place: Place, sign: Sign) -> None:
    await sign(email=ZOE, contact_opt_in=True, name="Marie Claude Tremblay")
    await place.deliver()
    one = there(place).people[ZOE]
    assert one.tags == {"open letter", "june"}
    assert one.person["custom_fields"] == {"Town": "MONTRÉAL"}
    assert (one.person["given_name"], one.person["family_name"]) == ("Marie Claude", "Tremblay")


@here
async def test_an_address_with_a_quote_in_it_is_found(place: Place, sign: Sign) -> None:
    odd = "o'brien+letters&more@example.org"
    id_ = await sign(email=odd, contact_opt_in=True)
    await place.deliver()
    assert place.target.mailable() == [odd]
    assert await withdraw(place.turns, place.letter, id_)
    place.clock.advance(5)
    await place.deliver()
    assert place.target.mailable() == []
    assert place.target.records() == [odd], "their signature is not ours to delete"
