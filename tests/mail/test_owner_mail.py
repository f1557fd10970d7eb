"""Those whose destinations they are hear of trouble by mail, in their language; it is tried again like any delivery."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import LETTER_TOML, Clock
from tests.mail.conftest import SENDER
from tests.mail.postbox import Postbox
from tests.outbox.conftest import AddDestination, sign_many
from tests.outbox.receiver import Answer, Receiver, receiving
from widget_server.contract import Destination, Event, Integration, NotAuthorized, Response, Tools
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.flows.directory import Directory
from widget_server.flows.partners import add_partner
from widget_server.i18n import Texts
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.store.db import Db
from widget_server.store.delivery_log import DeliveryRow, deliveries_of
from widget_server.store.events import EventRow, insert_events
from widget_server.store.owner_mails import promise_owner_mails

__all__ = ["receiver"]
CONFIRMED = ("signature.confirmed",)


@pytest.fixture
async def receiver() -> Any:
    async with receiving() as one:
        yield one


@pytest.fixture
def notify() -> Sequence[str]:
    return ("ana@example.org", "ben@example.org")


@pytest.fixture
def letter_folder(letter_folder: Path, notify: Sequence[str]) -> Path:
    told = LETTER_TOML.replace("goal = 100", f"goal = 100\nnotify = {list(notify)!r}")
    (letter_folder / "letter.toml").write_text(told, "utf-8")
    return letter_folder


async def mails_of(db: Db, letter: Letter) -> list[DeliveryRow]:
    return [row for row in await deliveries_of(db, letter.id) if row.kind == "owner-mail"]


async def test_the_coordinators_hear_when_a_delivery_first_gives_up_and_when_it_is_switched_off(
    db: Db,
    letter: Letter,
    partner: Partner,
    add_destination: AddDestination,
    receiver: Receiver,
    dispatcher: Dispatcher,
    box: Postbox,
    clock: Clock,
) -> None:
    id_ = await add_destination(receiver.url, events=CONFIRMED)
    receiver.answers = [Answer(400, body=b"<b>no</b> zoe@example.org"), Answer(400), Answer(410)]
    await sign_many(db, letter, partner, clock, [{}, {}])
    await dispatcher.drain()
    assert [one.recipient for one in box.mails] == ["ana@example.org", "ben@example.org"], "once in a streak"
    mail = box.mails[0]
    assert mail.sender == SENDER
    assert mail.mail["Reply-To"] == "hello@example.org"
    assert mail.mail["Subject"] == "A delivery failed (webhook): An Open Letter on Safe Passage"
    for part in ("plain", "html"):
        assert "http_400" in mail.part(part)
        assert id_ in mail.part(part)
        assert "zoe" not in mail.part(part), "what a receiver answers may quote a signer"
    assert f"destination test {id_}" in mail.part("plain")
    await sign_many(db, letter, partner, clock, [{}])
    await dispatcher.drain()
    assert [one.mail["Subject"] for one in box.mails[2:]] == [
        "Your destination is switched off (webhook): An Open Letter on Safe Passage"
    ] * 2
    assert "<" not in box.mails[2].part("plain")
    assert {(row.status, row.destination_id) for row in await mails_of(db, letter)} == {("delivered", None)}


async def test_a_partners_contact_hears_of_its_own_destination_in_its_language(
    db: Db,
    letter: Letter,
    directory: Directory,
    add_destination: AddDestination,
    receiver: Receiver,
    dispatcher: Dispatcher,
    box: Postbox,
    clock: Clock,
) -> None:
    await add_partner(
        db,
        letter,
        "erable",
        name="Maison de l'Érable",
        origins=["https://erable.example"],
        locale="fr",
        contact="lea@erable.example",
        now=clock(),
        actor="test",
    )
    await directory.refresh(now_please=True)
    owner = await directory.partner(letter.id, "erable")
    assert owner is not None
    await add_destination(receiver.url, partner=owner, events=CONFIRMED)
    receiver.always = lambda _: Answer(422)
    await sign_many(db, letter, owner, clock, [{}])
    await dispatcher.drain()
    (mail,) = box.mails
    assert mail.recipient == "lea@erable.example"
    assert mail.mail["Content-Language"] == "fr"
    assert "a échoué" in mail.mail["Subject"]
    assert "undersigned destination" not in mail.part("plain"), "a partner has no command line here"
    assert "hello@example.org" in mail.part("plain")


class Locked(Integration):
    kind = "locked"
    summary = "no longer lets us in"

    async def send(self, events: Sequence[Event], destination: Destination, tools: Tools) -> Response:
        raise NotAuthorized("http_401", status_code=401)


async def test_credentials_that_stop_working_are_told_with_what_to_do(
    db: Db,
    letter: Letter,
    partner: Partner,
    kinds: dict[str, Integration],
    add_destination: AddDestination,
    dispatcher: Dispatcher,
    box: Postbox,
    clock: Clock,
) -> None:
    kinds["locked"] = Locked()
    id_ = await add_destination("https://example.org", "locked", events=CONFIRMED)
    await sign_many(db, letter, partner, clock, [{}])
    await dispatcher.drain()
    assert {one.mail["Subject"] for one in box.mails} == {
        "Your destination is paused (locked): An Open Letter on Safe Passage"
    }
    assert f"destination enable {id_}" in box.mails[0].part("plain")
    assert "waits until" in box.mails[0].part("plain")


async def test_while_the_mail_server_is_away_it_waits_and_a_refused_address_does_not_keep_it_from_the_other(
    db: Db,
    letter: Letter,
    partner: Partner,
    add_destination: AddDestination,
    receiver: Receiver,
    dispatcher: Dispatcher,
    box: Postbox,
    clock: Clock,
) -> None:
    await add_destination(receiver.url, events=CONFIRMED)
    receiver.always = lambda _: Answer(400)
    box.on_mail = lambda _: "451 4.3.0 later"
    await sign_many(db, letter, partner, clock, [{}])
    await dispatcher.drain()
    (row,) = await mails_of(db, letter)
    assert (row.status, row.attempts) == ("pending", 1)
    box.on_mail = lambda _: None
    box.on_rcpt = lambda to: "550 5.1.1 no such user" if to == "ana@example.org" else None
    clock.advance(6)
    await dispatcher.drain()
    assert [one.recipient for one in box.mails] == ["ben@example.org"]
    (row,) = await mails_of(db, letter)
    assert (row.status, row.attempts) == ("delivered", 2)


@pytest.mark.parametrize("notify", [()])
async def test_where_nobody_is_named_none_is_promised(
    db: Db,
    letter: Letter,
    partner: Partner,
    add_destination: AddDestination,
    receiver: Receiver,
    dispatcher: Dispatcher,
    box: Postbox,
    clock: Clock,
) -> None:
    for owner in (None, partner):
        await add_destination(receiver.url, partner=owner, events=CONFIRMED)
    receiver.always = lambda _: Answer(400)
    await sign_many(db, letter, partner, clock, [{}])
    await dispatcher.drain()
    assert [row.status for row in await deliveries_of(db, letter.id)] == ["failed", "failed"]
    assert box.mails == []


@pytest.mark.parametrize(
    ("of", "named", "words"),
    [
        ("client", "a1b2c3d4", "client a1b2c3d4"),
        ("domain", "spam.example", "spam.example"),
        ("partner", "maple", "maple"),
    ],
)
async def test_unusually_many_signatures_are_told_too(
    db: Db, letter: Letter, dispatcher: Dispatcher, box: Postbox, clock: Clock, of: str, named: str, words: str
) -> None:
    data = {"of": of, of: named, "number": 1200, "minutes": 10}
    async with db.write() as writer:
        event = EventRow("01900000-0000-7000-8000-00000000000a", "abuse.spike", letter.id, None, None, data, clock())
        await insert_events(writer, [event])
        await promise_owner_mails(writer, [event], clock())
    await dispatcher.drain()
    assert len(box.mails) == 2
    assert "1,200 signatures" in box.mails[0].part("plain")
    assert words in box.mails[0].part("plain")


@pytest.mark.parametrize(
    ("of", "said"), [("client", "d’un même ordinateur"), ("domain", "d’adresses chez"), ("partner", "de la page de")]
)
def test_french_elides_where_unusually_many_come_from(texts: Texts, of: str, said: str) -> None:
    origin = texts(f"trouble.from_{of}", "fr", named="x")
    assert f"sont arrivées {said}" in texts("trouble.abuse", "fr", title="T", number=1200, minutes=10, origin=origin)
