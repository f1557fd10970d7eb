"""Mails to signers through the real outbox: what arrives, what does not, when it is tried again, and who else waits."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import structlog
from sqlalchemy import select

from tests.conftest import Clock
from tests.mail.conftest import ODILE, PUBLIC_URL, SENDER, Log, MailOutTo, SignPending
from tests.mail.postbox import Postbox, postbox, silent
from tests.outbox.conftest import AddDestination, MakeDispatcher
from tests.outbox.receiver import Answer, receiving
from widget_server.contract import Response
from widget_server.domain.ids import new_id
from widget_server.domain.letters import Letter
from widget_server.domain.links import open_link
from widget_server.domain.tokens import Seals
from widget_server.flows.confirm import confirm
from widget_server.flows.deliveries import retry
from widget_server.flows.directory import Directory
from widget_server.flows.due_mails import take_due_mails
from widget_server.flows.erase import erase_own
from widget_server.flows.turn import Turns
from widget_server.mail.message import Message
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.outbox.mail_lane import LEASE_SECONDS, MailOut
from widget_server.outbox.mail_writing import MailWriter
from widget_server.store.db import Db
from widget_server.store.delivery_log import attempts_at
from widget_server.store.tables import attempts, deliveries


async def test_a_mail_arrives_once_with_its_link_first(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, seals: Seals, clock: Clock, db: Db
) -> None:
    id_ = await sign()
    await dispatcher.drain()
    await dispatcher.drain()
    (handed,) = box.mails
    assert (handed.sender, handed.recipient) == (SENDER, ODILE)
    row = await log.only()
    assert handed.mail["Message-ID"] == f"<{row.id}@letters.example.org>"
    first = next(line for line in handed.part("plain").splitlines() if line.startswith("http"))
    assert first.startswith(f"{PUBLIC_URL}/confirm/")
    link = open_link(seals, "confirm", first.rpartition("/")[2])
    assert (link.signature_id, link.issued_at) == (id_, clock())
    assert (row.status, row.attempts, row.destination_id) == ("delivered", 1, None)
    (attempt,) = await attempts_at(db, row.id)
    assert (attempt.outcome, attempt.status_code, attempt.response) == ("delivered", 250, "2.0.0 queued for …")


async def test_a_refused_address_is_given_up_and_marked_on_all_that_it_signed(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, clock: Clock
) -> None:
    box.on_rcpt = lambda to: f"550 5.1.1 <{to}> no such user" if to.lower() == ODILE else None
    person = await sign()
    club = await sign(ODILE.upper(), kind="organization", organization="A Club")
    other = await sign("jo@example.org")
    await dispatcher.drain()
    assert [one.recipient for one in box.mails] == ["jo@example.org"]
    assert await log.states() == [
        ("failed", 1, "smtp_550: the address was refused"),
        ("failed", 1, "smtp_550: the address was refused"),
        ("delivered", 1, None),
    ]
    for id_ in (person, club):
        assert (await log.signature(id_)).mail_refused_at == clock()
    assert (await log.signature(other)).mail_refused_at is None
    clock.advance(24 * 3600)
    await dispatcher.drain()
    assert len(box.tried) == 3, "never again by itself"


async def test_greylisting_and_trouble_of_the_operators_are_tried_again_on_the_schedule(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, clock: Clock, db: Db
) -> None:
    box.on_rcpt = lambda to: "451 4.7.1 greylisted" if len(box.tried) < 2 else None
    box.on_data = lambda to: "554 5.7.1 policy" if len(box.tried) < 3 else None
    id_ = await sign()
    await dispatcher.drain()
    row = await log.only()
    assert (row.status, row.attempts, row.last_error) == ("pending", 1, "smtp_451")
    assert row.next_attempt_at == clock() + timedelta(seconds=5)
    clock.advance(5)
    await dispatcher.drain()
    row = await log.only()
    assert (row.attempts, row.last_error) == (2, "smtp_554")
    assert row.next_attempt_at == clock() + timedelta(minutes=5)
    clock.advance(300)
    await dispatcher.drain()
    assert await log.states() == [("delivered", 3, None)]
    assert (await log.signature(id_)).mail_refused_at is None
    assert [(one.outcome, one.status_code) for one in await attempts_at(db, row.id)] == [
        ("retry", 451),
        ("retry", 554),
        ("delivered", 250),
    ]


async def test_a_server_that_refuses_everything_costs_ten_attempts_and_no_address(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, clock: Clock
) -> None:
    box.on_data = lambda _: "554 no"
    id_ = await sign()
    for _ in range(12):
        await dispatcher.drain()
        clock.advance(24 * 3600)
    assert await log.states() == [("failed", 10, "smtp_554")]
    assert (await log.signature(id_)).mail_refused_at is None


async def test_while_the_server_is_away_the_others_wait_without_spending_attempts(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, clock: Clock
) -> None:
    await box.close()
    for number in range(5):
        await sign(f"person{number}@example.org")
    await dispatcher.drain()
    assert sorted(await log.states(), key=lambda one: -one[1]) == [
        ("pending", 1, "smtp_unreachable: no way out (connect) ConnectionRefusedError"),
        *[("pending", 0, None)] * 4,
    ]
    await dispatcher.drain()
    assert sum(one[1] for one in await log.states()) == 1, "it rests"
    rests = []
    for spent in (2, 3, 4, 5, 6):
        waited = 0
        while sum(one[1] for one in await log.states()) < spent:
            clock.advance(1)
            waited += 1
            await dispatcher.drain()
        rests.append(waited)
    assert rests == [5, 10, 20, 40, 60]

    await box.open()
    clock.advance(60)
    await dispatcher.drain()
    assert len(box.mails) == 5, "those on their schedule too, at once"
    assert {one[0] for one in await log.states()} == {"delivered"}


async def test_after_a_long_outage_all_goes_at_once(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, clock: Clock
) -> None:
    await box.close()
    await sign()
    for hours in (0, 1, 1, 2, 4, 8):
        clock.advance(hours * 3600)
        await dispatcher.drain()
    row = await log.only()
    assert row.attempts > 4
    assert row.next_attempt_at is not None
    assert row.next_attempt_at > clock() + timedelta(hours=2)
    await box.open()
    clock.advance(60)
    await sign("jo@example.org")
    await dispatcher.drain()
    assert sorted(one.recipient for one in box.mails) == ["jo@example.org", ODILE]


async def test_a_mail_that_breaks_off_is_pulled_forward_a_few_times_only(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, clock: Clock
) -> None:
    box.on_data = lambda to: box.cut() if to == ODILE else None
    await sign()
    for number in range(9):
        await dispatcher.drain()
        clock.advance(61)
        await sign(f"person{number}@example.org")
        await dispatcher.drain()
    states = {one.row.attempts: one.row for one in await log.all() if one.row.status == "pending"}
    assert len([one for one in box.mails if one.recipient != ODILE]) == 9
    assert 4 <= max(states) <= 6, "it is on its schedule, and the others go on"
    assert next(iter(states.values())).last_error == "smtp_no_reply: no way out (data) SMTPServerDisconnected"


async def test_a_mail_that_breaks_off_as_it_is_handed_over_may_have_arrived(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, db: Db
) -> None:
    box.on_data = lambda _: box.cut()
    await sign()
    await dispatcher.drain()
    row = await log.only()
    assert (row.status, row.attempts) == ("pending", 1)
    assert [one.outcome for one in await attempts_at(db, row.id)] == ["unknown"]


async def test_one_slow_receiver_is_no_reason_to_rest(
    make_dispatcher: MakeDispatcher, mail_out: MailOutTo, sign: SignPending, box: Postbox, log: Log
) -> None:
    ending = asyncio.Event()

    async def slow(to: str) -> str | None:
        if to == ODILE:
            await ending.wait()
        return None

    box.on_rcpt = slow
    dispatcher = make_dispatcher(mail=mail_out(box.url, deadline_seconds=1.0))
    await sign("first@example.org")
    await dispatcher.drain()
    await sign()
    for number in range(6):
        await sign(f"person{number}@example.org")
    await dispatcher.drain()
    assert len(box.mails) == 7
    assert ("pending", 1, "smtp_timeout: no way out (rcpt) for 1 s") in await log.states()
    await sign("last@example.org")
    await dispatcher.drain()
    assert len(box.mails) == 8, "nobody waits for it"
    ending.set()


async def test_in_doubt_it_is_sent_again_under_the_same_id(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, clock: Clock
) -> None:
    box.on_data = lambda _: None if box.mails else box.cut()
    await sign()
    await dispatcher.drain()
    before = await log.only()
    assert (before.attempts, before.status) == (1, "pending")
    clock.advance(5)
    await dispatcher.drain()
    assert [one.mail["Message-ID"] for one in box.mails] == [f"<{before.id}@letters.example.org>"] * len(box.mails)
    assert await log.states() == [("delivered", 2, None)]


async def test_a_crash_between_claim_and_result_is_taken_up_again(
    db: Db, directory: Directory, dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, clock: Clock
) -> None:
    await sign()
    until = clock() + timedelta(seconds=LEASE_SECONDS)
    claimed = await take_due_mails(db, directory, limit=5, lease=new_id(), now=clock(), until=until)
    assert len(claimed.mails) == 1
    await dispatcher.drain()
    assert box.mails == [], "somebody has it"
    clock.advance(30)
    await dispatcher.drain()
    assert len(box.mails) == 1
    assert await log.states() == [("delivered", 1, None)]


async def test_two_dispatchers_send_each_mail_once(
    make_dispatcher: MakeDispatcher, mail_out: MailOutTo, sign: SignPending, box: Postbox, log: Log, database_url: str,
    seals: Seals,
) -> None:  # fmt: skip
    for number in range(40):
        await sign(f"person{number}@example.org")
    other = Db(database_url)
    await other.connect()
    both = [
        make_dispatcher(mail=mail_out(box.url)),
        make_dispatcher(mail=mail_out(box.url), db=other, directory=Directory(other, seals)),
    ]
    await asyncio.gather(*(one.drain() for one in both))
    assert sorted(one.recipient for one in box.mails) == sorted(f"person{number}@example.org" for number in range(40))
    assert {one[:2] for one in await log.states()} == {("delivered", 1)}
    await other.disconnect()


async def test_a_dead_mail_server_holds_up_no_webhook_nor_the_reverse(
    make_dispatcher: MakeDispatcher, mail_out: MailOutTo, sign: SignPending, box: Postbox, db: Db, letter: Letter,
    add_destination: AddDestination,
) -> None:  # fmt: skip
    async with receiving() as hook, silent() as port:
        await add_destination(hook.url, events=("signature.created",))
        dispatcher = make_dispatcher(mail=mail_out(f"smtp://127.0.0.1:{port}", deadline_seconds=600.0))
        await sign()
        running = asyncio.create_task(dispatcher.run())
        dispatcher.wake()
        await hook.wait_for(1)  # while the mail server still says nothing
        running.cancel()
        await asyncio.wait({running})
    async with receiving() as hook:
        hook.always = lambda _: Answer(hang=True)
        await add_destination(hook.url, events=("signature.created",))
        dispatcher = make_dispatcher(mail=mail_out(box.url))
        running = asyncio.create_task(dispatcher.run())
        await sign("jo@example.org")
        dispatcher.wake()
        await hook.wait_for(1)
        assert await box.wait_for(1)
        running.cancel()
        await asyncio.wait({running})


async def test_on_a_stop_mails_under_way_are_finished(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def hold(_: str) -> str | None:
        begun.set()
        await go_on.wait()
        return None

    box.on_data = hold
    await sign()
    running = asyncio.create_task(dispatcher.run())
    await begun.wait()
    running.cancel()
    go_on.set()
    await asyncio.wait({running})
    assert await log.states() == [("delivered", 1, None)]


async def test_a_bug_of_ours_holds_up_no_other_mail(
    make_dispatcher: MakeDispatcher, writer: MailWriter, mail_out: MailOutTo, sign: SignPending, box: Postbox, log: Log
) -> None:
    smtp = mail_out(box.url).transport

    class Stumbles:
        async def send(self, mail: Message) -> Response:
            if mail.recipient == ODILE:
                raise RuntimeError(f"a bug about {mail.recipient}")
            return await smtp.send(mail)

        def rest(self) -> None: ...

        async def aclose(self) -> None: ...

    dispatcher = make_dispatcher(mail=MailOut(writer, Stumbles()))
    with structlog.testing.capture_logs() as lines:
        await sign()
        await sign("jo@example.org")
        await dispatcher.drain()
    assert [one.recipient for one in box.mails] == ["jo@example.org"]
    broken = next(one.row for one in await log.all() if one.row.status == "pending")
    assert (broken.attempts, (broken.last_error or "")[:10]) == (0, "internal: ")
    assert ODILE not in json.dumps(lines, default=str)


async def test_a_failed_mail_can_be_sent_again_by_hand(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, clock: Clock, db: Db
) -> None:
    box.on_rcpt = lambda _: "550 no"
    await sign()
    await dispatcher.drain()
    row = await log.only()
    box.on_rcpt = lambda _: None
    await retry(db, row, now=clock(), actor="test")
    await dispatcher.drain()
    assert await log.states() == [("delivered", 1, None)]
    assert len(await attempts_at(db, row.id)) == 2


async def test_nothing_identifying_is_logged_or_kept_of_an_attempt(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, db: Db, clock: Clock
) -> None:
    answers = iter(
        [
            "421 {} closing",
            "451 4.2.0 <{}> try later",
            "554 5.7.1 {} not from you",
            "550 5.1.1 unknown user odile.marchand, we know no {} at example.org",
        ]
    )
    box.on_rcpt = lambda to: next(answers).format(to)
    with structlog.testing.capture_logs() as lines:
        await sign(name="Odile Marchand")
        for _ in range(4):
            await dispatcher.drain()
            clock.advance(3600)
    kept = json.dumps(
        [await db.all(select(table)) for table in (attempts, deliveries)] + [lines], default=str, ensure_ascii=False
    )
    assert len(await db.all(select(attempts))) == 4
    for typed in ("odile", "marchand", "Odile", "example.org"):
        assert typed not in kept
    assert any(line["event"] == "mail.no_way_out" for line in lines)


async def test_an_erased_signature_gets_no_mail(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, letter: Letter, turns: Turns
) -> None:
    id_ = await sign()
    await erase_own(turns, letter, id_)
    await dispatcher.drain()
    assert (box.mails, [one[0] for one in await log.states()]) == ([], ["cancelled"])


async def test_a_confirmed_one_gets_no_second_mail_and_says_why(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, letter: Letter, turns: Turns
) -> None:
    id_ = await sign()
    await confirm(turns, letter, id_)
    await dispatcher.drain()
    ((status, spent, why),) = await log.states()
    assert (box.mails, status, spent) == ([], "cancelled", 0)
    assert why == "not_pending: it was confirmed, withdrawn or refused before this was sent"


async def test_another_server_gets_the_mail_after_a_move(
    make_dispatcher: MakeDispatcher, mail_out: MailOutTo, sign: SignPending, box: Postbox, clock: Clock
) -> None:
    """A new process knows nothing of the trouble that another one had; what waited for it is due all the same."""
    await box.close()
    for number in range(3):
        await sign(f"person{number}@example.org")
    old = make_dispatcher(mail=mail_out(box.url))
    for _ in range(3):
        await old.drain()
        clock.advance(60)
    async with postbox() as new:
        await make_dispatcher(mail=mail_out(new.url)).drain()
        assert len(new.mails) == 3
