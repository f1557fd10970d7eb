"""What is CiviCRM's own: its 500 for everything, its 200 that is half a failure, its addresses."""

from __future__ import annotations

from typing import cast

import pytest

from integrations.civicrm import CiviCRM as Kind
from tests.integrations.place import Place
from tests.integrations.samples import RecordingClient, destination, event, options_of, tools
from tests.integrations.targets.base import Answer
from tests.integrations.targets.civicrm import CiviCRM
from tests.outbox.conftest import Sign
from widget_server.contract import DeliveryError

ZOE = "zoe.gagne@example.org"
KIND = "civicrm"
here = pytest.mark.parametrize("target", [KIND], indirect=True)


def there(place: Place) -> CiviCRM:
    return cast(CiviCRM, place.target)


@here
async def test_a_500_without_a_reason_is_tried_three_times(place: Place, sign: Sign) -> None:
    there(place).failing = {"Contact.save"}
    await sign(email=ZOE, contact_opt_in=True)
    for _ in range(6):
        await place.deliver(1)
        place.clock.advance(3000)
    (row,) = await place.rows()
    assert (row["status"], row["attempts"]) == ("failed", 3)
    assert row["last_error"].startswith("refused")
    assert (await place.status())[0] == "active"


@here
@pytest.mark.parametrize("failing", ["GroupContact.save", "ActivityContact.get", "Activity.create"])
async def test_what_failed_in_part_is_made_good_and_nothing_twice(place: Place, sign: Sign, failing: str) -> None:
    there(place).failing = {failing}
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver(1)
    assert [row["status"] for row in await place.rows()] == ["pending"]
    there(place).failing = set()
    place.clock.advance(60)
    await place.deliver()
    assert place.target.mailable() == [ZOE]
    assert place.target.records() == [ZOE]
    assert len(there(place).contacts) == 1


@here
@pytest.mark.parametrize("flag", ["is_opt_out", "do_not_email"])
async def test_whoever_has_opted_out_there_is_left_alone(place: Place, sign: Sign, flag: str) -> None:
    there(place).contacts[1] = {"email_primary.email": ZOE, "first_name": "Z", flag: True}
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    assert there(place).contacts == {1: {"email_primary.email": ZOE, "first_name": "Z", flag: True}}
    assert [row["status"] for row in await place.rows()] == ["cancelled"]


@pytest.mark.parametrize("target", [(KIND, {"resubscribe": "yes"})], indirect=True)
async def test_unless_the_owner_asked_for_that(place: Place, sign: Sign) -> None:
    there(place).contacts[1] = {"email_primary.email": ZOE, "is_opt_out": True}
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    assert place.target.mailable() == [ZOE]
    assert len(there(place).contacts) == 1


@here
async def test_no_civicrm_at_the_address_pauses(place: Place, sign: Sign) -> None:
    place.target.refuse_next("POST ", Answer(404, "<html>Not found</html>"))
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    assert (await place.status())[0] == "paused"


@pytest.mark.parametrize(
    ("base", "asked"),
    [
        ("https://crm.example.org", "https://crm.example.org/civicrm/ajax/api4/Contact/get"),
        ("https://crm.example.org/site/", "https://crm.example.org/site/civicrm/ajax/api4/Contact/get"),
        ("https://crm.example.org/civicrm/ajax/api4", "https://crm.example.org/civicrm/ajax/api4/Contact/get"),
        (
            "https://example.org/?civiwp=CiviCRM&q=civicrm/ajax/api4",
            "https://example.org/?civiwp=CiviCRM&q=civicrm/ajax/api4/Contact/get",
        ),
    ],
)
async def test_where_it_asks(base: str, asked: str) -> None:
    kind = Kind()
    client = RecordingClient()
    one = event(opted_in=True, email=ZOE)
    with pytest.raises(DeliveryError):
        await kind.send([one], destination(base, signed=False, **options_of(kind)), tools(client))
    assert client.posts[0][0] == asked
