"""Every type of event is made by what really happens, arrives at real receivers, and fits its schema there.

One letter lives a whole life. Whatever arrived is held to the catalogue: no type is missing, none is unknown.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, update
from standardwebhooks import Webhook as Verifier

from tests.conftest import Clock
from tests.integrations.test_event_schemas import fits
from tests.outbox.conftest import Sign
from tests.outbox.receiver import Answer, Received, Receiver
from tests.store.test_ingest import signature
from widget_server.domain.events import EVENT_TYPES, TEST
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.vault import Vault
from widget_server.flows.by_staff import Staff
from widget_server.flows.change_consents import Choice, change_consents
from widget_server.flows.destinations import Office, Wanted
from widget_server.flows.directory import Directory
from widget_server.flows.erase import erase_own
from widget_server.flows.hide import hide
from widget_server.flows.letter_status import change_letter_status
from widget_server.flows.partners import add_partner
from widget_server.flows.reject import reject
from widget_server.flows.spikes import tell_of_spikes
from widget_server.flows.turn import Turns
from widget_server.flows.withdraw import withdraw
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.outbox.routes import Routes
from widget_server.outbox.sending import Sender
from widget_server.outbox.trial import try_destination
from widget_server.store.db import Db
from widget_server.store.destinations import find_destination
from widget_server.store.tables import signature_counts, signatures

STAFF = Staff("ana", "a test")
FORM_AT = {
    "letter": "full",
    "details": "full",
    "thin": "thin",
    "flat": "flat",
    "partner": "full",
    "partner-flat": "flat",
}


@dataclass(frozen=True, slots=True)
class Life:
    """A letter, and destinations of every sort that listen to it. `secrets` and `ids` by the path they are sent to."""

    db: Db
    letter: Letter
    receiver: Receiver
    secrets: dict[str, str]
    ids: dict[str, str]

    def arrived(self) -> list[tuple[str, Received]]:
        return [(one.path.rsplit("/", 1)[-1], one) for one in self.receiver.received]


@pytest.fixture
async def life(
    db: Db,
    letter: Letter,
    partner: Partner,
    directory: Directory,
    office: Office,
    receiver: Receiver,
    vault: Vault,
    sign: Sign,
    dispatcher: Dispatcher,
    texts: Any,
    clock: Clock,
) -> Life:
    clock.now = datetime.now(UTC)  # the reference library compares with its own clock
    options: dict[str, dict[str, str]] = {
        "letter": {},
        "details": {"contact_details": "all", "signature": "both"},
        "thin": {"body": "thin"},
        "flat": {"body": "flat"},
        "partner": {},
        "partner-flat": {"body": "flat"},
        "refuses": {},
        "gone": {},
    }
    secrets, ids = {}, {}
    for path, chosen in options.items():
        owner = partner if path.startswith("partner") else None
        added = await office.add(letter, owner, Wanted("webhook", f"{receiver.url}/{path}", chosen))
        assert added.secret is not None
        secrets[path], ids[path] = added.secret, added.id
    status = {"refuses": 400, "gone": 410}
    receiver.always = lambda one: Answer(status.get(one.path.rsplit("/", 1)[-1], 200))

    await add_partner(db, letter, "birch", name="Birch", origins=["https://birch.example"], now=clock(), actor="test")
    await directory.refresh(now_please=True)
    birch = await directory.partner(letter.id, "birch")
    assert birch is not None
    turns = Turns(db, vault, clock)
    ana = await sign(contact_opt_in=True, partner_opt_in=True)
    bo = await sign(kind="organization", organization="The Union", role="Clerk", contact_opt_in=True)
    cleo = await sign(public=False, partner_opt_in=True)
    await sign(partner_id=birch.id, signer_hash="eve")
    await sign(signer_hash="eve")  # maple's assist
    await sign(status="pending", confirmed_at=None)
    await sign(test=True)
    await dispatcher.drain()

    await hide(turns, letter, [ana], STAFF)
    await change_consents(turns, letter, cleo, [Choice("partner", given=False, partner_id=partner.id)], "page")
    await withdraw(turns, letter, ana)
    await erase_own(turns, letter, cleo)
    await reject(turns, letter, [bo], STAFF)
    await dispatcher.drain()

    crowd = [
        signature(letter.id, partner.id, f"s{n}", email=f"s{n}@d{n}.example", client="c" * 22, created_at=clock())
        for n in range(30)
    ]
    async with db.write() as writer:
        await writer.execute(insert(signatures).values([one._asdict() for one in crowd]))
        await writer.execute(update(signature_counts).values(number=250))
    assert await tell_of_spikes(db, directory, clock()) == 1
    for status_wanted in ("close", "open"):
        await change_letter_status(db, "letter", status_wanted, now=clock(), actor="test")
        await dispatcher.drain()

    routes = Routes(directory=directory, vault=vault, kinds=office.kinds, public_url="https://letters.example.org")
    sender = dispatcher._sender
    assert isinstance(sender, Sender)
    for path in ("letter", "thin", "flat"):
        row = await find_destination(db, ids[path])
        assert row is not None
        trial = await try_destination(db, routes, sender, row, clock())
        assert trial.verdict.status == "delivered"
    return Life(db, letter, receiver, secrets, ids)


async def test_a_whole_life_arrives_as_the_catalogue_says(life: Life) -> None:
    every_type_arrived_in_every_form_and_fits_its_schema(life)
    trouble_was_told_to_others_and_never_to_the_destination_it_is_about(life)
    a_thin_destination_never_got_what_anybody_typed(life)


def every_type_arrived_in_every_form_and_fits_its_schema(life: Life) -> None:
    seen: dict[str, set[str]] = {}
    for path, one in life.arrived():
        if path not in FORM_AT:
            continue
        fits(one.body, FORM_AT[path])
        Verifier(life.secrets[path]).verify(one.body, {key.lower(): value for key, value in one.headers.items()})
        seen.setdefault(path, set()).add(one.json["type"])
    everything = {*EVENT_TYPES, TEST}
    assert seen["letter"] == seen["thin"] == seen["flat"] == everything
    assert seen["details"] == everything - {TEST}
    theirs = {type_ for type_ in EVENT_TYPES if not type_.startswith(("abuse.", "destination."))}
    assert seen["partner"] == seen["partner-flat"] == theirs


def trouble_was_told_to_others_and_never_to_the_destination_it_is_about(life: Life) -> None:
    def told_to(path: str) -> set[tuple[str, str]]:
        return {
            (one.json["type"], one.json["data"]["destination"])
            for where, one in life.arrived()
            if where == path and one.json["type"] in ("destination.failing", "destination.disabled")
        }

    refuses, gone = life.ids["refuses"], life.ids["gone"]
    about_gone = {("destination.failing", gone), ("destination.disabled", gone)}
    assert told_to("letter") == {("destination.failing", refuses), *about_gone}
    assert told_to("refuses") <= about_gone
    assert told_to("gone") == set(), "disabled with its first refusal"


def a_thin_destination_never_got_what_anybody_typed(life: Life) -> None:
    bodies = [one.body.decode() for path, one in life.arrived() if path == "thin"]
    assert bodies
    for typed in ("@", "Zoë", "Montréal", "H2X", "neighbours", "The Union", "Clerk", "maple"):
        assert not any(typed in body for body in bodies), typed
    assert all(set(json.loads(body)) <= {"type", "test", "timestamp", "data"} for body in bodies)
