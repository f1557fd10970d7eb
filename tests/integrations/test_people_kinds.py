"""Every kind that keeps people, on the real path: a dispatcher, a database, its target on loopback."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.integrations.place import Place
from tests.integrations.targets.base import Answer
from tests.integrations.targets.people import TARGETS
from tests.outbox.conftest import Sign
from widget_server.domain.ids import new_id
from widget_server.flows.change_consents import Choice, change_consents
from widget_server.flows.erase import erase_own
from widget_server.flows.withdraw import withdraw
from widget_server.outbox.trial import try_destination
from widget_server.store.destinations import find_destination
from widget_server.store.tables import deliveries

ZOE = "zoe.gagne@example.org"
WRITES = {
    "action-network": "POST /api/v2/petitions/",
    "civicrm": "Activity/create",
    "google-sheets": ":append",
    "hubspot": "POST /crm/objects/2026-03/contacts/batch/upsert",
    "mailchimp": "PUT /3.0/lists/",
    "nationbuilder": "POST /api/v2/petition_signatures",
}
"""The request that makes the record; method and path contain it."""
LISTS = sorted(TARGETS.keys() - {"google-sheets"})
"""All but the register: a sheet refuses nobody, and hears of withdrawals too."""


async def test_whoever_opts_in_is_there_and_of_nobody_else_a_byte_is_sent(place: Place, sign: Sign) -> None:
    await sign(email=ZOE, contact_opt_in=True)
    await sign(email="nobody@example.org", name="Private Person", public=False, postal_code="K1A 0B1")
    await place.deliver()
    assert place.target.mailable() == [ZOE]
    sent = place.target.all_sent()
    for typed in ("nobody@example.org", "Private Person", "K1A"):
        assert typed not in sent
    assert "Gagné" in sent
    assert ZOE in sent.replace("%40", "@")
    outcomes = {row["status"] for row in await place.rows()}
    assert outcomes <= {"delivered", "cancelled"}
    assert (await place.status()) == ("active", None)


async def test_a_pending_signer_is_not_sent(place: Place, sign: Sign) -> None:
    await sign(email=ZOE, contact_opt_in=True, status="pending", confirmed_at=None)
    await place.deliver()
    assert place.target.records() == []
    assert ZOE not in place.target.all_sent()


async def test_an_answer_that_is_lost_leaves_one_record(place: Place, sign: Sign) -> None:
    place.target.close_after(WRITES[place.target.kind])
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver(1)
    assert place.target.mailable() == [ZOE], "it had arrived"
    place.clock.advance(10)
    await place.deliver()
    assert place.target.records() == [ZOE]
    assert [row["status"] for row in await place.rows()] == ["delivered"]


async def test_a_process_that_ends_before_it_wrote_the_result_leaves_one_record(place: Place, sign: Sign) -> None:
    place.target.lose_answer(WRITES[place.target.kind])
    await sign(email=ZOE, contact_opt_in=True)
    ending = asyncio.create_task(place.make().drain())
    async with asyncio.timeout(20):
        await place.target.lost.wait()
    ending.cancel()
    await asyncio.wait([ending])
    assert [row["status"] for row in await place.rows()] == ["pending"]
    place.clock.advance(30)
    await place.deliver()
    assert place.target.records() == [ZOE]
    assert [row["status"] for row in await place.rows()] == ["delivered"]


async def test_the_same_delivery_again_changes_nothing(place: Place, sign: Sign) -> None:
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    async with place.db.write() as writer:
        again = {"status": "pending", "next_attempt_at": place.clock(), "finished_at": None, "note": None}
        await writer.execute(deliveries.update().values(**again))
    place.clock.advance(5)
    await place.deliver()
    assert place.target.records() == [ZOE]
    assert place.target.mailable() == [ZOE]
    assert len(await place.tries()) == 2


async def test_a_throttle_waits_as_it_is_told_and_spends_no_attempt(place: Place, sign: Sign) -> None:
    place.target.refuse_next(WRITES[place.target.kind], Answer(429, {"message": "slow down"}, {"retry-after": "30"}))
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    (row,) = await place.rows()
    assert (row["status"], row["attempts"]) == ("pending", 0)
    asked = len(place.target.asked)
    place.clock.advance(20)
    await place.deliver(1)
    assert len(place.target.asked) == asked, "not sooner than it asked for"
    place.clock.advance(10)
    await place.deliver()
    assert place.target.records() == [ZOE]
    (row,) = await place.rows()
    assert (row["status"], row["attempts"]) == ("delivered", 1)


@pytest.mark.parametrize("status", [500, 503])
async def test_trouble_there_is_tried_again(place: Place, sign: Sign, status: int) -> None:
    place.target.refuse_next(WRITES[place.target.kind], Answer(status, "<html>Bad Gateway</html>"))
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    assert [row["status"] for row in await place.rows()] == ["pending"]
    place.clock.advance(60)
    await place.deliver()
    assert place.target.records() == [ZOE]


async def test_a_target_that_says_it_is_gone_switches_the_destination_off(place: Place, sign: Sign) -> None:
    place.target.refuse_next(WRITES[place.target.kind], Answer(410, {"message": "this account is closed"}))
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    assert (await place.status())[0] == "disabled"
    assert [row["status"] for row in await place.rows()] == ["failed"]


async def test_a_page_instead_of_an_answer_is_no_success(place: Place, sign: Sign) -> None:
    for where in ("/", WRITES[place.target.kind]):
        place.target.refuse_next(where, Answer(200, "<html>Please sign in to the café's wifi</html>"))
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    place.clock.advance(60)
    await place.deliver()
    place.clock.advance(600)
    await place.deliver()
    assert place.target.records() == [ZOE]


async def test_refused_credentials_pause_and_lose_nothing(place: Place, sign: Sign) -> None:
    place.target.credentials_good = False
    await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    status, reason = await place.status()
    assert status == "paused"
    assert reason
    (row,) = await place.rows()
    assert (row["status"], row["attempts"]) == ("pending", 0)
    place.target.credentials_good = True
    await place.enable()
    await place.deliver()
    assert place.target.records() == [ZOE]
    assert await place.status() == ("active", None)


@pytest.mark.parametrize("target", LISTS, indirect=True)
async def test_one_who_is_refused_costs_nobody_else(place: Place, sign: Sign) -> None:
    await sign(email="bad@nowhere.invalid", contact_opt_in=True)
    good = [f"good.{number}@example.org" for number in range(3)]
    for email in good:
        await sign(email=email, contact_opt_in=True)
    await place.deliver(8)
    for _ in range(3):
        place.clock.advance(2000)
        await place.deliver()
    assert place.target.mailable() == good
    assert place.target.records() == good
    assert sorted(row["status"] for row in await place.rows()) == ["delivered"] * 3 + ["failed"]
    assert (await place.status())[0] == "active"


@pytest.mark.parametrize("how", ["taken back", "withdrawn", "erased"])
async def test_the_end_of_a_consent_takes_them_out(place: Place, sign: Sign, how: str) -> None:
    id_ = await sign(email=ZOE, contact_opt_in=True)
    await sign(email="stays@example.org", contact_opt_in=True)
    await place.deliver(6)
    assert place.target.mailable() == ["stays@example.org", ZOE]
    match how:
        case "taken back":
            ended = Choice("initiators", given=False)
            assert await change_consents(place.turns, place.letter, id_, [ended], "page") == 1
        case "withdrawn":
            assert await withdraw(place.turns, place.letter, id_)
        case _:
            assert await erase_own(place.turns, place.letter, id_)
    place.clock.advance(5)
    await place.deliver(6)
    assert place.target.mailable() == ["stays@example.org"]
    assert {row["status"] for row in await place.rows()} == {"delivered"}
    assert [row["sealed"] for row in await place.rows() if row["sealed"]] == []


async def test_an_end_whose_answer_is_lost_is_told_again(place: Place, sign: Sign) -> None:
    id_ = await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    assert await withdraw(place.turns, place.letter, id_)
    place.clock.advance(5)
    ends = {"action-network": "PUT ", "civicrm": "api4", "google-sheets": "batchUpdate", "hubspot": "unsubscribe-all",
            "mailchimp": "PATCH ", "nationbuilder": "PATCH "}  # fmt: skip
    place.target.close_after(ends[place.target.kind])
    await place.deliver(1)
    place.clock.advance(60)
    await place.deliver()
    assert place.target.mailable() == []
    assert {row["status"] for row in await place.rows()} == {"delivered"}


async def test_whoever_is_gone_there_already_is_no_trouble(place: Place, sign: Sign) -> None:
    id_ = await sign(email=ZOE, contact_opt_in=True)
    await place.deliver()
    for name in ("people", "contacts", "members", "signups"):
        if hasattr(place.target, name):
            getattr(place.target, name).clear()
    if sheets := getattr(place.target, "sheets", None):
        del sheets["Sheet1"][1:]
    assert await withdraw(place.turns, place.letter, id_)
    place.clock.advance(5)
    await place.deliver()
    assert {row["status"] for row in await place.rows()} == {"delivered"}
    assert place.target.mailable() == []


async def test_a_test_of_the_destination_adds_nobody(place: Place) -> None:
    row = await find_destination(place.db, place.destination_id)
    assert row is not None
    trial = await try_destination(place.db, place.routes, place.sender, row, place.clock())
    assert trial.verdict.status == "delivered", trial.verdict
    assert place.target.records() == []
    place.target.credentials_good = False
    for name in ("access_token", "token"):
        if hasattr(place.target, name):
            setattr(place.target, name, "")
    trial = await try_destination(place.db, place.routes, place.sender, row, place.clock())
    assert trial.verdict.status == "failed", trial.verdict


MISSING: dict[str, dict[str, str]] = {
    "action-network": {"petition": new_id(), "tags": "open letter, unknown", "map": "custom_fields.Nothing = city"},
    "civicrm": {"petition": "8", "group": "no_such_group", "map": "No_such.Field = city"},
    "mailchimp": {"map": "merge_fields.NOTHING = city"},
    "hubspot": {"subscription": "999", "opt_in_property": "no_such_property", "map": "nothing = city"},
    "nationbuilder": {"petition": "12", "map": "custom_values.nothing = city"},
    "google-sheets": {"map": "id = id\nNo such heading = city"},
}


async def test_what_the_options_name_and_the_target_has_not_is_reported_at_once(place: Place) -> None:
    assert await place.probed() == []
    wanted = MISSING[place.target.kind]
    found = await place.probed(**wanted)
    assert {one.option for one in found} == set(wanted), found
    assert place.target.records() == []


async def test_refused_credentials_are_reported_by_the_name_of_an_option(place: Place) -> None:
    place.target.credentials_good = False
    secrets = {option.name for option in place.office.kinds[place.target.kind].options if option.secret}
    (found,) = await place.probed()
    assert found.option in secrets
    assert found.message


@pytest.mark.parametrize("target", LISTS, indirect=True)
async def test_what_is_tried_again_does_not_bring_back_whoever_left(place: Place, sign: Sign) -> None:
    """The target is down while somebody signs and leaves: nothing of them ever arrives."""
    id_ = await sign(email=ZOE, contact_opt_in=True)
    place.target.refuse_next("/", Answer(503, "down"), times=1)
    await place.deliver(1)
    assert await withdraw(place.turns, place.letter, id_)
    place.clock.now += timedelta(hours=1)
    await place.deliver()
    assert place.target.mailable() == []
    assert place.target.records() == []
