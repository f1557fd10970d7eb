"""E-mail to coordinators: what is due when, what it says, and over a real mail server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from math import inf
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.email import Email
from integrations.email.schedule import GATHER_SECONDS, last_strike
from tests.conftest import KEY, Clock
from tests.integrations.samples import NOW, RecordingMailer, destination, event, tools
from tests.mail.postbox import Postbox, postbox
from tests.outbox.conftest import PUBLIC_URL, AddDestination, MakeDispatcher, Sign, sign_many
from widget_server.contract import Event
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.tokens import Seals
from widget_server.i18n import Texts
from widget_server.mail.layout import Layout
from widget_server.mail.servers import read_mail_server
from widget_server.mail.smtp import Smtp
from widget_server.outbox.mail_lane import MailOut
from widget_server.outbox.mail_writing import MailWriter
from widget_server.store.db import Db
from widget_server.store.delivery_log import deliveries_of

KIND = Email()
RECIPIENTS = "amal@letters.example.org\nsam@letters.example.org, amal@letters.example.org"


def test_every_problem_at_once() -> None:
    wrong = {"recipients": "amal@letters.example.org, nobody, x@", "hour": "24", "timezone": "Ottawa"}
    found = {problem.option: problem.message for problem in KIND.check("", wrong)}
    assert set(found) == {"recipients", "hour", "timezone"}
    assert "nobody, x@" in found["recipients"]
    assert "amal" not in found["recipients"]
    many = ",".join(f"a{number}@letters.example.org" for number in range(21))
    assert [problem.option for problem in KIND.check("", {"recipients": many})] == ["recipients"]
    assert [problem.option for problem in KIND.check("", {"recipients": ","})] == ["recipients"]
    for hour in ("0", "23"):
        assert list(KIND.check("", {"recipients": RECIPIENTS, "hour": hour, "timezone": "America/St_Johns"})) == []
    for hour in ("-1", "7.5", "²", "08:00"):
        assert [problem.option for problem in KIND.check("", {"recipients": RECIPIENTS, "hour": hour})] == ["hour"]


def due(events: list[Event], now: datetime, quiet: float = 60, **options: str) -> list[str]:
    groups = KIND.plan(events, options=options, quiet_seconds=quiet, now=now)
    return [one.type for group in groups for one in group]


def test_at_once_the_first_goes_at_once_and_the_others_together() -> None:
    signed = event()
    assert due([signed], NOW, inf) == ["signature.confirmed"]
    assert due([signed], NOW, 60) == []
    assert due([signed], NOW, GATHER_SECONDS) == ["signature.confirmed"]
    later = NOW + timedelta(seconds=GATHER_SECONDS)
    assert due([signed, event("letter.milestone", at=later)], later, 60) == ["signature.confirmed", "letter.milestone"]
    assert due([signed, event("abuse.spike")], NOW, 60) == ["abuse.spike"], "trouble waits for nobody"


def test_a_digest_goes_once_its_hour_has_struck_where_its_readers_live() -> None:
    options = {"mode": "daily", "hour": "8", "timezone": "America/Toronto"}
    evening = datetime(2026, 6, 20, 23, 30, tzinfo=UTC)  # half past seven in Toronto
    signed = event(at=evening)
    assert due([signed], datetime(2026, 6, 21, 11, 59, 59, tzinfo=UTC), inf, **options) == []
    assert due([signed], datetime(2026, 6, 21, 12, 0, tzinfo=UTC), inf, **options) == ["signature.confirmed"]
    assert due([signed], datetime(2026, 6, 25, 3, 0, tzinfo=UTC), inf, **options) == ["signature.confirmed"]
    assert due([signed, event("destination.failing", at=evening)], evening, 60, **options) == ["destination.failing"]


@pytest.mark.parametrize(
    ("now", "hour", "struck"),
    [
        ("2026-03-08T06:59:59", 2, "2026-03-07T07:00:00"),  # the night on which two o'clock is skipped in Toronto
        ("2026-03-08T07:00:00", 2, "2026-03-08T07:00:00"),
        ("2026-11-01T05:30:00", 1, "2026-11-01T05:00:00"),  # and the one on which one o'clock comes twice
        ("2026-11-01T06:30:00", 1, "2026-11-01T05:00:00"),
    ],
)
def test_a_night_on_which_the_clocks_change_has_one_digest(now: str, hour: int, struck: str) -> None:
    def at(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    assert last_strike(hour, ZoneInfo("America/Toronto"), at(now)) == at(struck)


@given(
    st.integers(1_704_067_200, 1_893_456_000),  # from 2024 to 2030
    st.integers(0, 23),
    st.sampled_from(["America/Toronto", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe"]),
)
def test_the_hour_strikes_once_in_a_day_or_so(seconds: int, hour: int, zone: str) -> None:
    now = datetime.fromtimestamp(seconds, UTC)
    struck = last_strike(hour, ZoneInfo(zone), now)
    assert timedelta(0) <= now - struck < timedelta(hours=26)
    assert last_strike(hour, ZoneInfo(zone), struck) == struck


async def test_what_was_typed_is_no_html_and_no_header() -> None:
    mailer = RecordingMailer()
    name = "<b>Zoë</b>\r\nBcc: all@example.org"
    where = destination("", signed=False, recipients=RECIPIENTS)
    await KIND.send([event(name=name, organization="a & b")], where, tools(mail=mailer))
    (mail,) = mailer.mails
    assert mail.to == ("amal@letters.example.org", "sam@letters.example.org")
    assert "\n" not in mail.subject
    assert "&lt;b&gt;Zoë&lt;/b&gt; Bcc: all@example.org (a &amp; b) signed" in mail.html
    assert "<b>Zoë</b> Bcc: all@example.org (a & b) signed" in mail.text


async def test_the_same_events_are_the_same_mail_and_others_are_not() -> None:
    mailer = RecordingMailer()
    where = destination("", signed=False, recipients=RECIPIENTS)
    one, another = event(), event()
    for group in ([one, another], [another, one], [one]):
        await KIND.send(group, where, tools(mail=mailer))
    first, again, less = (mail.reference for mail in mailer.mails)
    assert first == again != less


@pytest.fixture
async def box() -> AsyncIterator[Postbox]:
    async with postbox() as one:
        yield one


@pytest.fixture
async def way_out(box: Postbox, texts: Texts) -> AsyncIterator[MailOut]:
    smtp = Smtp(read_mail_server(box.url), hello="letters.example.org", deadline_seconds=5.0)
    yield MailOut(MailWriter(texts, Seals([KEY]), PUBLIC_URL, "undersigned@letters.example.org", Layout()), smtp)
    await smtp.aclose()


async def test_coordinators_are_written_to_at_once_and_a_quarter_of_an_hour_later(
    box: Postbox,
    way_out: MailOut,
    make_dispatcher: MakeDispatcher,
    add_destination: AddDestination,
    sign: Sign,
    clock: Clock,
    db: Db,
    letter: Letter,
) -> None:
    dispatcher = make_dispatcher(mail=way_out)
    await add_destination("", "email", recipients=RECIPIENTS, locale="fr")
    await sign(name="Zoë Gagné", email="zoe@example.org", contact_opt_in=True)
    await dispatcher.drain()
    assert sorted(handed.recipient for handed in box.mails) == ["amal@letters.example.org", "sam@letters.example.org"]
    (first, _) = box.mails
    assert first.mail["Subject"].endswith("Zoë Gagné a signé")
    assert "1 signature au total" in first.part("plain")
    assert 'lang="fr"' in first.part("html")
    for number in range(3):
        clock.advance(100)
        await sign(name=f"Person {number}", public=number > 0)
        await dispatcher.drain()
    assert len(box.mails) == 2
    clock.advance(GATHER_SECONDS)
    await dispatcher.drain()
    assert len(box.mails) == 4
    assert "3 personnes ont signé" in box.mails[-1].part("plain")
    heard = "".join(handed.content.decode() + handed.part("plain") + handed.part("html") for handed in box.mails)
    for secret in ("zoe@example.org", "H2X", "For my neighbours", "Person 0"):
        assert secret not in heard
    assert {one.status for one in await deliveries_of(db, letter.id)} == {"delivered"}


async def test_a_day_is_told_in_one_mail(
    box: Postbox,
    way_out: MailOut,
    make_dispatcher: MakeDispatcher,
    add_destination: AddDestination,
    db: Db,
    letter: Letter,
    partner: Partner,
    clock: Clock,
) -> None:
    dispatcher = make_dispatcher(mail=way_out)
    options = {"mode": "daily", "hour": "8", "timezone": "America/Toronto", "locale": "en"}
    await add_destination("", "email", recipients="amal@letters.example.org", **options)
    clock.now = datetime(2026, 6, 20, 13, 0, tzinfo=UTC)
    for _ in range(4):
        await sign_many(db, letter, partner, clock, [{"name": "A"}] * 30)
        clock.advance(3 * 3600)
        await dispatcher.drain()
    assert box.mails == []
    clock.now = datetime(2026, 6, 21, 12, 0, 1, tzinfo=UTC)
    await dispatcher.drain()
    (handed,) = box.mails
    assert "120 people signed:" in handed.part("plain")
    assert "and 20 more" in handed.part("plain")
    clock.advance(24 * 3600)
    await dispatcher.drain()
    assert len(box.mails) == 1, "a day on which nothing happened has no mail"


async def test_a_mail_server_that_is_away_keeps_nobody_from_being_told(
    box: Postbox,
    way_out: MailOut,
    make_dispatcher: MakeDispatcher,
    add_destination: AddDestination,
    sign: Sign,
    clock: Clock,
    db: Db,
    letter: Letter,
) -> None:
    dispatcher = make_dispatcher(mail=way_out)
    await add_destination("", "email", recipients="amal@letters.example.org", locale="en")
    box.on_data = lambda _: "451 try again later"
    await sign(name="Zoë")
    await dispatcher.drain()
    (waiting,) = await deliveries_of(db, letter.id)
    assert waiting.status == "pending"
    box.on_data = lambda _: None
    clock.advance(60)
    await dispatcher.drain()
    (handed,) = box.mails
    assert "Zoë signed" in handed.part("plain")
