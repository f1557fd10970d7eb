"""How many mails a mailbox may get, and that it gets its one reminder once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.conftest import Clock
from tests.mail.conftest import ODILE, Log, MailOutTo, SignPending
from tests.mail.postbox import Postbox
from tests.outbox.conftest import MakeDispatcher
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.refusals import Invalid
from widget_server.domain.signers import mail_key
from widget_server.domain.tokens import Seals
from widget_server.flows.ask_again import ask_for_link, ask_for_page
from widget_server.flows.confirm import confirm
from widget_server.flows.directory import Directory
from widget_server.flows.letter_status import change_letter_status
from widget_server.flows.retention import sweep
from widget_server.flows.turn import Turns
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.store.db import Db
from widget_server.store.mail_quotas import is_taken, take
from widget_server.store.tables import events

DAYS = 24 * 3600
OVER = ("cancelled", 0, "over_limit: this mailbox has had its mails of the day")


async def test_five_a_day_to_a_mailbox_however_it_is_spelled(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, clock: Clock
) -> None:
    for spelling in (ODILE, ODILE.upper(), "odile.marchand+a@example.org", ODILE, ODILE, ODILE, ODILE):
        await sign(spelling)
    await sign("jo@example.org")
    await dispatcher.drain()
    assert sorted(one.recipient for one in box.mails).count("jo@example.org") == 1
    assert len(box.mails) == 6
    assert (await log.states()).count(OVER) == 2
    clock.advance(DAYS - 1)
    await sign()
    await dispatcher.drain()
    assert len(box.mails) == 6
    clock.advance(1)
    await sign()
    await dispatcher.drain()
    assert len(box.mails) == 7, "24 hours from the first"


async def test_of_an_organization_the_first_is_not_counted_up_to_fifty(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log
) -> None:
    for number in range(3):
        await sign(kind="organization", organization=f"Club {number}")
    for _ in range(6):
        await sign()
    await dispatcher.drain()
    assert len(box.mails) == 3 + 5
    await sign(kind="organization", organization="Club 1")
    await dispatcher.drain()
    assert len(box.mails) == 8, "its second mail is counted, and the five are gone"
    for number in range(3, 53):
        await sign(kind="organization", organization=f"Club {number}")
    await dispatcher.drain()
    assert len(box.mails) == 50 + 5


async def test_concurrent_claims_count_together(db: Db, database_url: str, letter: Letter, clock: Clock) -> None:
    dbs = [Db(database_url) for _ in range(4)]
    for one in dbs:
        await one.connect()

    async def claim(one: Db) -> bool:
        async with one.write() as writer:
            return await take(writer, letter.id, "somebody", 5, clock())

    taken = await asyncio.gather(*(claim(dbs[number % 4]) for number in range(24)))
    assert sum(taken) == 5
    for one in dbs:
        await one.disconnect()


async def test_two_dispatchers_keep_to_one_limit(
    make_dispatcher: MakeDispatcher,
    mail_out: MailOutTo,
    sign: SignPending,
    box: Postbox,
    database_url: str,
    seals: Seals,
) -> None:
    for _ in range(12):
        await sign()
    other = Db(database_url)
    await other.connect()
    both = [
        make_dispatcher(mail=mail_out(box.url)),
        make_dispatcher(mail=mail_out(box.url), db=other, directory=Directory(other, seals)),
    ]
    await asyncio.gather(*(one.drain() for one in both))
    assert len(box.mails) == 5
    await other.disconnect()


async def test_tried_again_a_mail_is_counted_once(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, clock: Clock
) -> None:
    box.on_rcpt = lambda _: "451 later"
    for _ in range(5):
        await sign()
    for _ in range(3):
        await dispatcher.drain()
        clock.advance(400)
    assert {one[:2] for one in await log.states()} == {("pending", 3)}
    box.on_rcpt = lambda _: None
    clock.advance(7200)
    await dispatcher.drain()
    assert len(box.mails) == 5


async def test_one_reminder_after_two_days_and_never_a_second(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, clock: Clock
) -> None:
    id_ = await sign()
    await dispatcher.drain()
    row = await log.only("reminder")
    assert (row.status, row.next_attempt_at) == ("pending", clock() + timedelta(days=2))
    clock.advance(2 * DAYS - 1)
    await dispatcher.drain()
    assert len(box.mails) == 1
    clock.advance(1)
    await dispatcher.drain()
    assert [one.recipient for one in box.mails] == [ODILE, ODILE]
    assert box.mails[1].mail["Subject"] == (
        "Votre signature reste à confirmer\u00a0: Lettre ouverte pour un passage sûr"
    )
    await ask_for_link(log.db, await log.signature(id_), clock())
    await sign(kind="organization", organization="A Club")
    await dispatcher.drain()
    assert len(box.mails) == 4
    clock.advance(40 * DAYS)
    await dispatcher.drain()
    assert len(box.mails) == 4, "not for another signature of the mailbox either, nor a month later"
    assert len(await log.states("reminder")) == 1


async def test_two_signatures_of_a_mailbox_share_one_reminder(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, clock: Clock
) -> None:
    await sign()
    await sign(kind="organization", organization="A Club")
    await dispatcher.drain()
    clock.advance(2 * DAYS)
    await dispatcher.drain()
    assert len(box.mails) == 3
    assert sorted(await log.states("reminder"), key=str) == [
        ("cancelled", 0, "reminded: this mailbox has had its one reminder"),
        ("delivered", 1, None),
    ]


@pytest.mark.parametrize("ended", ["confirmed", "counts already", "refused", "closed"])
async def test_who_needs_none_is_not_reminded(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, clock: Clock, letter: Letter, turns: Turns,
    directory: Directory, ended: str,
) -> None:  # fmt: skip
    id_ = await sign()
    await dispatcher.drain()
    why = ""
    if ended == "confirmed":
        await confirm(turns, letter, id_)
        why = "not_pending: it was confirmed, withdrawn or refused before this was sent"
    elif ended == "counts already":
        await confirm(turns, letter, await sign())
        why = "counts_already: this signer has confirmed another signature meanwhile"
    elif ended == "refused":
        box.on_rcpt = lambda _: "550 gone"
        await sign(kind="organization", organization="A Club")
        await dispatcher.drain()
        why = "refused: the mail server takes nothing for this address"
    else:
        await change_letter_status(log.db, "letter", "close", now=clock() - timedelta(hours=30), actor="test")
        await directory.refresh(now_please=True)
        why = "closed: the letter has been closed for too long to confirm anything"
    box.on_rcpt = lambda _: None
    before = len(box.mails)
    clock.advance(2 * DAYS)
    await dispatcher.drain()
    assert len(box.mails) == before
    assert (await log.states("reminder"))[0] == ("cancelled", 0, why)


async def test_what_is_remembered_of_a_reminder_goes_when_the_letter_takes_nothing_more(
    dispatcher: Dispatcher, sign: SignPending, log: Log, clock: Clock, letter: Letter, directory: Directory
) -> None:
    id_ = await sign()
    await dispatcher.drain()
    clock.advance(2 * DAYS)
    await dispatcher.drain()
    key = mail_key(letter.signer_key, "reminder", await log.address_hash(id_))
    async with log.db.write() as writer:
        assert await is_taken(writer, letter.id, key)
    clock.advance(60 * DAYS)
    await sweep(log.db, await directory.letters(), clock(), actor="test")
    async with log.db.write() as writer:
        assert await is_taken(writer, letter.id, key), "never a second one while it can be signed"
    await change_letter_status(log.db, "letter", "close", now=clock(), actor="test")
    clock.advance(4 * DAYS)
    await directory.refresh(now_please=True)
    await sweep(log.db, await directory.letters(), clock(), actor="test")
    async with log.db.write() as writer:
        assert not await is_taken(writer, letter.id, key)


async def test_three_more_a_day_for_who_asks_for_their_page_counted_apart(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, letter: Letter, clock: Clock
) -> None:
    for _ in range(5):
        await sign()
    for spelling in (ODILE, ODILE.upper(), ODILE, ODILE, ODILE):
        await ask_for_page(log.db, letter, spelling, clock())
    await dispatcher.drain()
    assert len(box.mails) == 8
    assert (await log.states("signer")).count(OVER) == 2


async def test_asking_does_the_same_whether_or_not_anybody_signed(
    dispatcher: Dispatcher, sign: SignPending, box: Postbox, log: Log, letter: Letter, clock: Clock
) -> None:
    await ask_for_page(log.db, letter, "nobody@example.org", clock())
    await sign("nobody.else@example.org", test=True)
    await ask_for_page(log.db, letter, "nobody.else@example.org", clock())
    await dispatcher.drain()
    nobody = ("cancelled", 0, "nobody: this mailbox has signed nothing here that we may write to")
    assert await log.states("signer") == [nobody, nobody]
    assert (box.mails, await log.states()) == ([], [])


@pytest.mark.parametrize(("typed", "code"), [("", "missing"), ("odile", "email"), ("a@" + "b" * 260, "too_long")])
async def test_what_is_no_address_is_refused(db: Db, letter: Letter, clock: Clock, typed: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        await ask_for_page(db, letter, typed, clock())
    assert [(error.field, error.code) for error in refused.value.errors] == [("email", code)]


async def test_whoever_asked_is_forgotten_once_the_mail_is_over(
    log: Log, dispatcher: Dispatcher, letter: Letter, clock: Clock
) -> None:
    await ask_for_page(log.db, letter, "nobody@example.org", clock())
    asked = select(events.c.data).where(events.c.type == "signer.mail", events.c.signature_id.is_(None))
    assert [row["data"].keys() for row in await log.db.all(asked)] == [{"mail", "to"}]
    await dispatcher.drain()
    assert [row["data"] for row in await log.db.all(asked)] == [{"mail": "signer"}]


async def test_another_letter_counts_for_itself(db: Db, letter: Letter, partner: Partner, clock: Clock) -> None:
    async with db.write() as writer:
        assert await take(writer, letter.id, "who", 1, clock())
        assert not await take(writer, letter.id, "who", 1, clock())
        assert await take(writer, letter.id, "another", 1, clock())
    clock.advance(DAYS)
    async with db.write() as writer:
        assert await take(writer, letter.id, "who", 1, clock())
