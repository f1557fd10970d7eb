"""What is NationBuilder's own: tokens that are good once, two steps that go on where they ended."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from integrations.nationbuilder import NationBuilder as Kind
from tests.integrations.place import Place
from tests.integrations.targets.base import Answer
from tests.integrations.targets.nationbuilder import NationBuilder
from tests.outbox.conftest import Sign
from widget_server.domain.ids import new_id
from widget_server.store.destinations import find_destination
from widget_server.store.events import EventRow, insert_events

ZOE = "zoe.gagne@example.org"
KIND = "nationbuilder"
MAP = f"{Kind.default_map}custom_values.town = city\ncomment = comment"
here = pytest.mark.parametrize("target", [KIND], indirect=True)


def there(place: Place) -> NationBuilder:
    return cast(NationBuilder, place.target)


def asked(place: Place, where: str) -> int:
    return sum(where in f"{one.method} {one.path}" for one in place.target.asked)


@here
async def test_a_token_is_renewed_once_a_day_and_kept(place: Place, sign: Sign) -> None:
    for number in range(3):
        await sign(email=f"{number}@example.org", contact_opt_in=True)
    await place.deliver()
    assert there(place).refreshed == 1
    place.clock.advance(24 * 3600)
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    assert there(place).refreshed == 2
    assert len(place.target.records()) == 4
    assert there(place).used_twice == 0


@here
async def test_a_token_that_expires_before_its_time_is_renewed_in_the_same_attempt(place: Place, sign: Sign) -> None:
    await sign(email="one@example.org", contact_opt_in=True)
    await place.deliver()
    there(place).expire()
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    assert ZOE in place.target.records()
    assert there(place).refreshed == 2
    assert [row["attempts"] for row in await place.rows()] == [1, 1]


@here
async def test_what_fails_between_the_steps_goes_on_at_the_second(place: Place, sign: Sign) -> None:
    place.target.refuse_next("POST /api/v2/petition_signatures", Answer(503, "down"))
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver(1)
    assert (asked(place, "push"), place.target.records()) == (1, [])
    place.clock.advance(60)
    await place.deliver()
    assert (asked(place, "push"), place.target.records()) == (1, [ZOE])


@here
async def test_a_token_that_has_been_used_by_somebody_else_pauses_until_a_new_one_is_given(
    place: Place, sign: Sign
) -> None:
    there(place).refresh_token = "somebody else's now"
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    status, reason = await place.status()
    assert status == "paused"
    assert reason is not None
    assert "authorize again" in reason
    assert [row["status"] for row in await place.rows()] == ["pending"]


@here
async def test_a_correction_does_not_opt_in_again_whoever_left(place: Place, sign: Sign) -> None:
    id_ = await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    (signup,) = there(place).signups.values()
    signup["email_opt_in"] = False
    async with place.db.write() as writer:
        event = EventRow(
            new_id(), "signature.updated", place.letter.id, None, id_, {"status": "confirmed"}, place.clock()
        )
        await insert_events(writer, [event])
    place.clock.advance(5)
    await place.deliver()
    assert asked(place, "push") == 2
    assert place.target.mailable() == []


@pytest.mark.parametrize("target", [(KIND, {"map": MAP})], indirect=True)
async def test_fields_of_ones_own(place: Place, sign: Sign) -> None:
    await sign(email=ZOE, contact_opt_in=True, comment="For my neighbours.", public=False)
    await place.deliver()
    (signup,) = there(place).signups.values()
    assert signup["custom_values"] == {"town": "Montréal"}
    assert signup["home_address_attributes"] == {"city": "Montréal", "zip": "H2X 1Y4", "country_code": "CA"}
    (signature,) = there(place).signatures
    assert (signature["comment"], signature["is_private"]) == ("For my neighbours.", True)
    assert signature["trigger_autoresponses"] is False


@here
@pytest.mark.parametrize("answer", [Answer(400, {"code": "invalid_custom_field"}), Answer(404, {"code": "not_found"})])
async def test_a_mapping_or_petition_that_is_gone_pauses_and_keeps_the_work(
    place: Place, sign: Sign, answer: Answer
) -> None:
    place.target.refuse_next("push" if answer.status == 400 else "POST /api/v2/petition_signatures", answer)
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    assert (await place.status())[0] == "paused"
    assert [row["status"] for row in await place.rows()] == ["pending"]


class TestSeveralDispatchers:
    """Two servers on one PostgreSQL: each has its own connections, and both find the token too old."""

    @pytest.fixture
    def database_url(self, migrated_postgresql: str) -> str:
        return migrated_postgresql

    @here
    async def test_one_of_them_renews_and_both_use_it(self, place: Place, sign: Sign) -> None:
        for number in range(12):
            await sign(email=f"{number:02}@example.org", contact_opt_in=True)
        dispatchers = [place.make() for _ in range(3)]
        for _ in range(14):
            await asyncio.gather(*(one.drain() for one in dispatchers))
            place.clock.advance(1)
        assert len(place.target.records()) == 12
        assert (there(place).refreshed, there(place).used_twice) == (1, 0)

    @here
    async def test_probes_at_the_same_moment_use_the_token_once(self, place: Place) -> None:
        row = await find_destination(place.db, place.destination_id)
        assert row is not None
        route = await place.routes.open(row)
        found = await asyncio.gather(*(place.sender.probe(route) for _ in range(5)))
        assert found == [[]] * 5
        assert (there(place).refreshed, there(place).used_twice) == (1, 0)
