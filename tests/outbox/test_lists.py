"""Mailing lists: nobody is put on one without having asked for it, and who takes that back is taken out."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.conftest import Clock
from tests.outbox.conftest import AddDestination, Sign
from tests.outbox.looking import found
from tests.outbox.receiver import Receiver
from widget_server.contract import Destination, Event, Integration, Response, Temporary, Tools
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.vault import Vault
from widget_server.flows.deliveries import Chosen, replay
from widget_server.flows.turn import Turns
from widget_server.flows.withdraw import withdraw
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.store.db import Db
from widget_server.store.delivery_log import deliveries_of


class Newsletter(Integration):
    """A mailing list that keeps what it was told."""

    kind = "newsletter"
    summary = "a mailing list"
    lists = True

    def __init__(self) -> None:
        self.told: list[Event] = []
        self.down = False

    async def send(self, events: Sequence[Event], destination: Destination, tools: Tools) -> Response:
        if self.down:
            raise Temporary("http_503")
        self.told += events
        return Response(200, {}, b"")


@pytest.fixture
def newsletter(kinds: dict[str, Integration]) -> Newsletter:
    kinds["newsletter"] = made = Newsletter()
    return made


@pytest.fixture
def turns(db: Db, vault: Vault, clock: Clock) -> Turns:
    return Turns(db, vault, clock)


async def test_only_who_asked_for_it_is_handed_over_and_nothing_else_is_even_written(
    db: Db,
    letter: Letter,
    newsletter: Newsletter,
    add_destination: AddDestination,
    sign: Sign,
    dispatcher: Dispatcher,
) -> None:
    await add_destination("https://example.org", "newsletter")
    await sign(name="No")
    await sign(name="Test", contact_opt_in=True, test=True)
    await sign(name="Suspect", contact_opt_in=True, quarantine="honeypot")
    await sign(name="Elsewhere", partner_opt_in=True)
    listed = await sign(name="Yes", contact_opt_in=True, email="zoe@example.org")
    await dispatcher.drain()
    assert {(event.data["id"], event.data["email"], event.opted_in) for event in newsletter.told} == {
        (listed, "zoe@example.org", True)
    }
    assert len(await deliveries_of(db, letter.id)) == len(newsletter.told), "no milestone, no opening either"


async def test_a_partners_list_hears_of_those_who_let_this_partner_write(
    partner: Partner, newsletter: Newsletter, add_destination: AddDestination, sign: Sign, dispatcher: Dispatcher
) -> None:
    await add_destination("https://example.org", "newsletter", partner=partner, events=("signature.confirmed",))
    await sign(name="Initiators", contact_opt_in=True)
    own = await sign(name="Partner", partner_opt_in=True)
    await dispatcher.drain()
    assert [event.data["id"] for event in newsletter.told] == [own]


async def test_who_withdraws_is_taken_out_by_the_address_that_was_given(
    letter: Letter,
    newsletter: Newsletter,
    add_destination: AddDestination,
    sign: Sign,
    dispatcher: Dispatcher,
    turns: Turns,
) -> None:
    await add_destination("https://example.org", "newsletter", events=("signature.confirmed",))
    listed = await sign(contact_opt_in=True, email="zoe@example.org")
    other = await sign(email="jo@example.org")
    await dispatcher.drain()
    for id_ in (listed, other):
        await withdraw(turns, letter, id_)
    await dispatcher.drain()
    (joined, left) = newsletter.told
    assert (joined.opted_in, joined.ended) == (True, False)
    assert (left.type, left.data["email"], left.opted_in, left.ended) == (
        "signature.withdrawn",
        "zoe@example.org",
        False,
        True,
    )


async def test_who_withdrew_before_it_was_sent_is_never_put_on_it(
    db: Db,
    letter: Letter,
    newsletter: Newsletter,
    add_destination: AddDestination,
    sign: Sign,
    dispatcher: Dispatcher,
    turns: Turns,
    clock: Clock,
) -> None:
    await add_destination("https://example.org", "newsletter", events=("signature.confirmed",))
    newsletter.down = True
    id_ = await sign(contact_opt_in=True)
    await dispatcher.drain()
    await withdraw(turns, letter, id_)
    newsletter.down = False
    clock.advance(6)
    await dispatcher.drain()
    assert [event.opted_in for event in newsletter.told] == [False], "a failed attempt may have been read: take it out"
    assert newsletter.told[0].ended
    row = next(row for row in await deliveries_of(db, letter.id) if row.event_type == "signature.confirmed")
    assert (row.status, (row.last_error or "").partition(":")[0]) == ("cancelled", "not_opted_in")


async def test_a_replay_puts_nobody_on_it_who_did_not_ask(
    db: Db,
    kinds: dict[str, Integration],
    newsletter: Newsletter,
    add_destination: AddDestination,
    sign: Sign,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    await sign()
    listed = await sign(contact_opt_in=True)
    clock.advance(1)
    id_ = await add_destination("https://example.org", "newsletter", events=("signature.confirmed",))
    assert await replay(db, await found(db, id_), kinds, Chosen(), now=clock(), actor="test") == 1
    await dispatcher.drain()
    assert [event.data["id"] for event in newsletter.told] == [listed]


async def test_a_webmasters_test_goes_to_kinds_that_know_what_to_do_with_it(
    kinds: dict[str, Integration],
    add_destination: AddDestination,
    receiver: Receiver,
    sign: Sign,
    dispatcher: Dispatcher,
) -> None:
    class Register(Newsletter):
        kind = "register"
        lists = False

    kinds["register"] = register = Register()
    await add_destination("https://example.org", "register", events=("signature.created",))
    await add_destination(receiver.url, events=("signature.created",))
    await sign(test=True)
    real = await sign()
    await dispatcher.drain()
    assert [event.data["id"] for event in register.told] == [real]
    assert sorted(one.json.get("test", False) for one in receiver.received) == [False, True]
