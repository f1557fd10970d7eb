"""The end of a consent reaches whoever has the address, and nobody else; an erasure leaves nothing but that."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tests.conftest import Clock
from tests.outbox.conftest import AddDestination, Sign
from tests.outbox.receiver import Answer, Receiver
from widget_server.domain.consents import Consents
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.vault import Vault
from widget_server.flows.by_staff import Staff
from widget_server.flows.change_consents import Choice, change_consents
from widget_server.flows.erase import erase_named, erase_own
from widget_server.flows.turn import Turns
from widget_server.flows.withdraw import withdraw
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.store.db import Db
from widget_server.store.signatures import update_signature
from widget_server.store.tables import attempts, consents, deliveries, events, signatures

ADDRESS = "odile.marchand@example.org"


@dataclass(frozen=True, slots=True)
class Place:
    """What a test needs to change a signature and see who hears of it."""

    db: Db
    letter: Letter
    turns: Turns
    dispatcher: Dispatcher
    receiver: Receiver

    async def heard(self) -> list[tuple[str, dict[str, Any]]]:
        """What has arrived since the last time, by the path that it was sent to."""
        await self.dispatcher.drain()
        found = [(one.path, one.json) for one in self.receiver.received]
        self.receiver.received.clear()
        return found


@pytest.fixture
def place(db: Db, letter: Letter, vault: Vault, clock: Clock, dispatcher: Dispatcher, receiver: Receiver) -> Place:
    return Place(db, letter, Turns(db, vault, clock), dispatcher, receiver)


async def everything(db: Db) -> str:
    """All that the tables hold about signatures and what was sent, as one text."""
    rows = [await db.all(select(table)) for table in (signatures, events, deliveries, attempts, consents)]
    return json.dumps(rows, default=str)


async def test_withdrawing_tells_those_who_have_the_address_whatever_they_listen_to(
    place: Place, add_destination: AddDestination, sign: Sign, partner: Partner
) -> None:
    url = place.receiver.url
    await add_destination(f"{url}/letter", events=("signature.confirmed",))
    await add_destination(f"{url}/partner", partner=partner, events=("signature.confirmed",))
    await add_destination(f"{url}/room", "slack")
    id_ = await sign(email=ADDRESS, contact_opt_in=True, partner_opt_in=False)
    sent = dict(await place.heard())
    assert sent["/hook/letter"]["data"]["email"] == ADDRESS
    assert sent["/hook/partner"]["data"]["email"] is None

    assert await withdraw(place.turns, place.letter, id_)
    told = dict(await place.heard())
    assert told.keys() == {"/hook/letter"}, "the partner never had the address and does not listen to this type"
    assert told["/hook/letter"]["type"] == "signature.withdrawn"
    data = told["/hook/letter"]["data"]
    assert (data["id"], data["email"], data["contact_opt_in"], data["name"]) == (id_, ADDRESS, False, None)
    assert not await withdraw(place.turns, place.letter, id_), "twice changes nothing"
    assert await place.heard() == []


async def test_a_consent_taken_back_leaves_the_other_and_is_told_once(
    place: Place, add_destination: AddDestination, sign: Sign, partner: Partner
) -> None:
    url = place.receiver.url
    await add_destination(f"{url}/letter")
    await add_destination(f"{url}/partner", partner=partner)
    id_ = await sign(email=ADDRESS, contact_opt_in=True, partner_opt_in=True)
    await place.heard()
    taken_back = Choice("partner", given=False, partner_id=partner.id)
    assert await change_consents(place.turns, place.letter, id_, [taken_back], "page") == 1
    told = dict(await place.heard())
    letter, theirs = told["/hook/letter"]["data"], told["/hook/partner"]["data"]
    assert (theirs["email"], theirs["partner_opt_in"]) == (ADDRESS, False), "to take it out"
    assert theirs["postal_code"] is None, "nothing but the address"
    assert (letter["email"], letter["contact_opt_in"], letter["partner_opt_in"]) == (ADDRESS, True, False)

    await withdraw(place.turns, place.letter, id_)
    told = dict(await place.heard())
    assert told["/hook/partner"]["data"]["email"] is None, "it was told to take the address out before"
    assert told["/hook/letter"]["data"]["email"] == ADDRESS


async def test_an_erasure_keeps_the_address_only_in_the_delivery_that_tells_of_it(
    place: Place, add_destination: AddDestination, sign: Sign, vault: Vault
) -> None:
    await add_destination(place.receiver.url)
    place.receiver.always = lambda one: Answer(200, body=one.body)  # it quotes what it was sent
    id_ = await sign(email=ADDRESS, contact_opt_in=True, comment="Only for you")
    await place.heard()
    assert ADDRESS in await everything(place.db), "its answer is in the log"

    assert await erase_own(place.turns, place.letter, id_)
    kept = await everything(place.db)
    for typed in (ADDRESS, "Zoë", "Only for you", "H2X"):
        assert typed not in kept
    sealed = [row["sealed"] for row in await place.db.all(select(deliveries.c.sealed)) if row["sealed"]]
    assert [vault.open(one) for one in sealed] == [{"email": ADDRESS}]

    ((_, told),) = await place.heard()
    assert (told["type"], told["data"]["email"], told["data"]["erased"]) == ("signature.withdrawn", ADDRESS, True)
    assert told["data"]["name"] is None
    assert [row for row in await place.db.all(select(deliveries.c.sealed)) if row["sealed"]] == []


async def test_an_erasure_is_given_up_with_its_delivery(
    place: Place, add_destination: AddDestination, sign: Sign
) -> None:
    await add_destination(place.receiver.url)
    id_ = await sign(email=ADDRESS, contact_opt_in=True)
    await place.heard()
    place.receiver.always = lambda _: Answer(400)
    await erase_own(place.turns, place.letter, id_)
    await place.heard()
    rows = await place.db.all(select(deliveries.c.status, deliveries.c.sealed))
    assert [row for row in rows if row["sealed"]] == []
    assert "failed" in {row["status"] for row in rows}


async def test_what_waits_for_a_dead_receiver_never_reaches_it_once_erased(
    place: Place, add_destination: AddDestination, sign: Sign, clock: Clock
) -> None:
    await add_destination(place.receiver.url)
    place.receiver.always = lambda _: Answer(500)
    id_ = await sign(email=ADDRESS, contact_opt_in=True)
    assert len(await place.heard()) == 2
    place.receiver.always = lambda _: Answer()
    await erase_own(place.turns, place.letter, id_)
    clock.now += timedelta(hours=1)
    ((_, told),) = await place.heard()
    # It answered 500, and may have kept what it was sent all the same: it is told.
    assert (told["type"], told["data"]["email"], told["data"]["name"]) == ("signature.withdrawn", ADDRESS, None)


async def test_nobody_who_was_not_sent_the_address_ever_gets_it(
    place: Place, add_destination: AddDestination, sign: Sign, partner: Partner
) -> None:
    url = place.receiver.url
    await add_destination(f"{url}/letter")
    await add_destination(f"{url}/partner", partner=partner)
    await add_destination(f"{url}/room", "slack")
    withdrawn = await sign(email=ADDRESS)
    erased = await sign(email=ADDRESS, signer_hash="another")
    seen = await place.heard()
    await withdraw(place.turns, place.letter, withdrawn)
    await erase_own(place.turns, place.letter, erased)
    seen += await place.heard()
    assert ADDRESS not in json.dumps(seen)


async def test_consent_given_later_is_told_with_the_address(
    place: Place, add_destination: AddDestination, sign: Sign, partner: Partner
) -> None:

    await add_destination(place.receiver.url)
    id_ = await sign(email=ADDRESS, locale="fr")
    await place.heard()
    offered = Consents("v1", {"fr": {"initiators": "Oui"}, "en": {}})
    given = Choice("initiators", given=True, offered=offered, page="https://letters.example.org/signatures")
    assert await change_consents(place.turns, place.letter, id_, [given], "page") == 1
    ((_, told),) = await place.heard()
    assert (told["type"], told["data"]["email"], told["data"]["contact_opt_in"]) == ("signature.updated", ADDRESS, True)
    (kept,) = await place.db.all(select(consents))
    assert (kept["purpose"], kept["version"], kept["locale"], kept["way"]) == ("initiators", "v1", "fr", "page")
    assert (bool(kept["given"]), bool(kept["shown"]), kept["page"]) == (True, True, given.page)

    nothing_offered = Choice("partner", given=True, partner_id=partner.id, offered=Consents("v2", {"fr": {}}))
    assert await change_consents(place.turns, place.letter, id_, [nothing_offered], "page") == 0, "no box, no consent"


async def test_the_address_stays_where_another_consent_of_the_same_mailbox_stands(
    place: Place, add_destination: AddDestination, sign: Sign, partner: Partner
) -> None:
    url = place.receiver.url
    await add_destination(f"{url}/letter")
    await add_destination(f"{url}/partner", partner=partner)
    both = {"email": ADDRESS, "address_hash": "odile", "contact_opt_in": True}
    person = await sign(**both, partner_opt_in=True)
    organization = await sign(**both, kind="organization", organization="Maple")
    await place.heard()

    await withdraw(place.turns, place.letter, person)
    told = dict(await place.heard())
    assert told["/hook/letter"]["data"]["email"] is None, "for the organization they may still write there"
    assert told["/hook/partner"]["data"]["email"] == ADDRESS, "this consent stands nowhere else"

    taken_back = Choice("initiators", given=False)
    assert await change_consents(place.turns, place.letter, organization, [taken_back], "page") == 1
    told = dict(await place.heard())
    assert told["/hook/letter"]["data"]["email"] == ADDRESS, "it was the last"
    assert told["/hook/partner"]["data"]["email"] is None


async def test_whoever_ends_all_their_consents_at_once_is_told_of_once(
    place: Place, add_destination: AddDestination, sign: Sign
) -> None:
    await add_destination(place.receiver.url, events=("signature.confirmed",))
    both = {"email": ADDRESS, "address_hash": "odile", "contact_opt_in": True}
    first, second = await sign(**both), await sign(**both)
    await place.heard()
    async with place.db.write() as writer:
        await update_signature(writer, second, repeat_of=first)
    await erase_named(place.turns, place.letter, [first], Staff("staff"))
    assert [body["data"]["email"] for _, body in await place.heard()] == [ADDRESS]


async def test_an_address_written_in_another_way_is_another_one_on_a_list(
    place: Place, add_destination: AddDestination, sign: Sign
) -> None:
    await add_destination(place.receiver.url, events=("signature.confirmed",))
    first = await sign(email=ADDRESS, address_hash="odile", contact_opt_in=True)
    await sign(email=ADDRESS.replace("@", "+maple@"), address_hash="odile", contact_opt_in=True)
    await place.heard()
    await withdraw(place.turns, place.letter, first)
    assert [body["data"]["email"] for _, body in await place.heard()] == [ADDRESS]


async def test_who_gets_ids_only_was_not_sent_the_address(
    place: Place, add_destination: AddDestination, sign: Sign
) -> None:
    await add_destination(place.receiver.url, events=("signature.confirmed",), body="thin")
    id_ = await sign(email=ADDRESS, contact_opt_in=True)
    assert len(await place.heard()) == 1
    await erase_own(place.turns, place.letter, id_)
    assert [row for row in await place.db.all(select(deliveries.c.sealed)) if row["sealed"]] == []
    assert await place.heard() == [], "there is nothing to take out, and it does not listen to this type"
