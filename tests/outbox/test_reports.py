"""What an integration tells of a send: each event apart, a person's own choice, an answer that never came, notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tests.conftest import Clock
from tests.outbox.conftest import AddDestination, Sign, sign_many
from tests.outbox.looking import CONFIRMED, found, log_of, only
from widget_server.contract import (
    Destination,
    Event,
    Integration,
    Limits,
    NotAuthorized,
    Permanent,
    Report,
    Response,
    Suppressed,
    Temporary,
    Tools,
    Unknown,
)
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.vault import Vault
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.store.db import Db
from widget_server.store.delivery_log import attempts_at, deliveries_of
from widget_server.store.tables import deliveries

OK = Response(200, {}, b"done")
Act = Callable[[Sequence[Event], Tools], Any]


class Scripted(Integration):
    """Does what it is told, send after send, and keeps what it was handed."""

    kind = "scripted"
    summary = "does what it is told"

    def __init__(self, *acts: Act, batch: int = 1) -> None:
        self.acts = list(acts)
        self.batch = batch
        self.handed: list[list[Event]] = []

    def limits(self, options: Mapping[str, str]) -> Limits:
        return Limits(batch=self.batch)

    def plan(
        self, events: Sequence[Event], *, options: Mapping[str, str], quiet_seconds: float, now: datetime
    ) -> Sequence[Sequence[Event]]:
        return [events]

    async def send(self, events: Sequence[Event], destination: Destination, tools: Tools) -> Response | Report:
        self.handed.append(list(events))
        act = self.acts.pop(0) if self.acts else lambda *_: OK
        result: Response | Report | Exception = act(events, tools)
        if isinstance(result, Exception):
            raise result
        return result


def by_name(**errors: Any) -> Act:
    """A report in which those named failed."""

    def act(events: Sequence[Event], _: Tools) -> Report:
        failed = {event.id: errors[event.data["name"]] for event in events if event.data["name"] in errors}
        return Report(OK, failed)

    return act


async def test_one_bad_person_in_a_batch_costs_nobody_else(
    db: Db,
    letter: Letter,
    partner: Partner,
    kinds: dict[str, Integration],
    add_destination: AddDestination,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    kinds["scripted"] = scripted = Scripted(
        by_name(
            Bad=Permanent("invalid_email", item=True, status_code=207),
            Gone=Suppressed("unsubscribed", "their own choice"),
            Slow=Temporary("http_503", retry_after_seconds=7),
            Late=Unknown("timeout"),
        ),
        batch=100,
    )
    id_ = await add_destination("https://example.org", "scripted", events=CONFIRMED)
    names = ["Ann", "Bad", "Gone", "Slow", "Late", "Zoe"]
    await sign_many(db, letter, partner, clock, [{"name": name} for name in names])
    await dispatcher.drain()
    rows = await deliveries_of(db, letter.id)
    states = {row.event_id: (row.status, row.attempts, row.last_error) for row in rows if row.destination_id}
    (events,) = scripted.handed
    assert {event.data["name"]: states[event.id] for event in events} == {
        "Ann": ("delivered", 1, None),
        "Bad": ("failed", 1, "invalid_email"),
        "Gone": ("cancelled", 1, "unsubscribed: their own choice"),
        "Slow": ("pending", 0, "http_503"),
        "Late": ("pending", 1, "timeout"),
        "Zoe": ("delivered", 1, None),
    }
    health = (await found(db, id_)).health
    assert health.status == "active"
    clock.advance(8)
    await dispatcher.drain()
    assert sorted((event.data["name"], event.doubtful) for event in scripted.handed[1]) == [
        ("Late", True),
        ("Slow", False),
    ]


async def test_credentials_refused_for_one_pause_for_all_and_keep_it(
    db: Db,
    letter: Letter,
    partner: Partner,
    kinds: dict[str, Integration],
    add_destination: AddDestination,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    kinds["scripted"] = Scripted(by_name(Bad=NotAuthorized("http_401")), batch=100)
    id_ = await add_destination("https://example.org", "scripted", events=CONFIRMED)
    await sign_many(db, letter, partner, clock, [{"name": "Ann"}, {"name": "Bad"}])
    await dispatcher.drain()
    assert (await found(db, id_)).health.status == "paused"
    assert sorted(row.status for row in await deliveries_of(db, letter.id)) == ["delivered", "pending"]


async def test_an_answer_that_never_came_is_unknown_and_the_next_attempt_is_doubtful(
    db: Db,
    letter: Letter,
    kinds: dict[str, Integration],
    add_destination: AddDestination,
    sign: Sign,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    kinds["scripted"] = scripted = Scripted(lambda *_: Unknown("timeout"), lambda *_: Temporary("http_500"))
    await add_destination("https://example.org", "scripted", events=CONFIRMED)
    await sign()
    for seconds in (0, 5, 300):
        clock.advance(seconds)
        await dispatcher.drain()
    assert [event.doubtful for (event,) in scripted.handed] == [False, True, True]
    row = await only(db, letter)
    assert row.status == "delivered"
    assert [one.outcome for one in await log_of(db, row)] == ["unknown", "retry", "delivered"]


async def test_somebodys_own_choice_is_no_trouble_of_the_destinations(
    db: Db,
    letter: Letter,
    kinds: dict[str, Integration],
    add_destination: AddDestination,
    sign: Sign,
    dispatcher: Dispatcher,
) -> None:
    kinds["scripted"] = Scripted(lambda *_: Suppressed("unsubscribed"))
    id_ = await add_destination("https://example.org", "scripted", events=CONFIRMED)
    await sign()
    await dispatcher.drain()
    (row,) = await deliveries_of(db, letter.id)
    assert (row.status, row.last_error) == ("cancelled", "unsubscribed")
    assert [one.outcome for one in await attempts_at(db, row.id)] == ["suppressed"]
    health = (await found(db, id_)).health
    assert (health.first_failed_at, health.told_at) == (None, None)


def noting(note: str, result: Any) -> Act:
    def act(events: Sequence[Event], tools: Tools) -> Any:
        for event in events:
            tools.remember(event.id, note)
        return result

    return act


async def test_a_note_is_kept_sealed_until_the_delivery_is_over(
    db: Db,
    letter: Letter,
    kinds: dict[str, Integration],
    add_destination: AddDestination,
    sign: Sign,
    dispatcher: Dispatcher,
    vault: Vault,
    clock: Clock,
) -> None:
    scripted = Scripted(noting("signup 7", Temporary("http_500")), noting("signup 8", KeyError("a bug")))
    kinds["scripted"] = scripted
    await add_destination("https://example.org", "scripted", events=CONFIRMED)
    await sign()

    async def kept() -> str | None:
        sealed = await db.value(select(deliveries.c.note))
        assert sealed is None or "signup" not in sealed
        return None if sealed is None else str(vault.open(sealed))

    await dispatcher.drain()
    assert await kept() == "signup 7"
    clock.advance(5)
    await dispatcher.drain()
    assert await kept() == "signup 8", "whatever became of the attempt"
    clock.advance(300)
    await dispatcher.drain()
    assert [event.note for (event,) in scripted.handed] == [None, "signup 7", "signup 8"]
    assert (await only(db, letter)).status == "delivered"
    assert await kept() is None


@pytest.mark.parametrize("batch", [1, 100])
async def test_a_report_about_others_changes_nothing(
    db: Db,
    letter: Letter,
    kinds: dict[str, Integration],
    add_destination: AddDestination,
    sign: Sign,
    dispatcher: Dispatcher,
    batch: int,
) -> None:
    kinds["scripted"] = Scripted(lambda *_: Report(OK, {"another": Permanent("x")}), batch=batch)
    await add_destination("https://example.org", "scripted", events=CONFIRMED)
    await sign()
    await dispatcher.drain()
    assert (await only(db, letter)).status == "delivered"


async def test_a_fault_of_ours_goes_on_for_two_weeks_and_then_ends(
    db: Db,
    letter: Letter,
    kinds: dict[str, Integration],
    add_destination: AddDestination,
    sign: Sign,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    kinds["scripted"] = scripted = Scripted(*[lambda *_: KeyError("a bug")] * 99)
    await add_destination("https://example.org", "scripted", events=CONFIRMED)
    await sign()
    await dispatcher.drain()
    began = clock()
    while (row := await only(db, letter)).status == "pending":
        assert row.attempts == 0
        assert row.next_attempt_at is not None
        clock.now = max(row.next_attempt_at, clock())
        await dispatcher.drain()
    assert timedelta(days=7) < clock() - began < timedelta(days=21)
    assert len(scripted.handed) == 21, "not in a loop"
