"""Handing mails to real SMTP servers: one that takes them, and those that do not, each in its own way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.mail.postbox import authority, only, postbox, silent
from widget_server.contract import DeliveryError, Permanent, Temporary
from widget_server.mail.message import Message
from widget_server.mail.servers import MailServer, hello, read_mail_server
from widget_server.mail.smtp import Smtp
from widget_server.mail.trouble import NoWayOut, shown

SENDER = "undersigned@letters.example.org"
TO = "odile.marchand@example.org"
CONTENT = b"Subject: x\r\n\r\n.hidden dot\r\nlast line\r\n"

Connect = Callable[..., Smtp]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    made: list[Smtp] = []

    def make(url: str, **changes: Any) -> Smtp:
        smtp = Smtp(read_mail_server(url), **{"hello": "letters.example.org", "deadline_seconds": 5.0, **changes})
        made.append(smtp)
        return smtp

    yield make
    for smtp in made:
        await smtp.aclose()


def a_mail(to: str = TO, content: bytes = CONTENT) -> Message:
    return Message("name", SENDER, to, content, utf8=not to.isascii())


async def refusal(smtp: Smtp, mail: Message | None = None) -> DeliveryError:
    with pytest.raises(DeliveryError) as refused:
        await smtp.send(mail or a_mail())
    return refused.value


def said(error: DeliveryError) -> tuple[type, str, int | None]:
    return type(error), error.code, error.status_code


async def test_it_arrives_as_it_is_over_one_connection(connect: Connect) -> None:
    async with postbox() as box:
        smtp = connect(box.url)
        answers = [await smtp.send(a_mail()) for _ in range(3)]
        assert [one.content for one in box.mails] == [CONTENT] * 3
        assert {(one.sender, one.recipient) for one in box.mails} == {(SENDER, TO)}
        assert box.connections == 1
        assert answers[0].text == "2.0.0 queued for …"
        assert f"SIZE={len(CONTENT)}" in box.mails[0].options


async def test_a_few_at_once_and_a_kept_connection_that_has_gone(connect: Connect) -> None:
    async with postbox() as box:
        smtp = connect(box.url)
        await asyncio.gather(*(smtp.send(a_mail()) for _ in range(3)))
        assert box.connections == 3
        await box.close()
        await box.open()
        await smtp.send(a_mail())
        box.cut()  # without a word, and we may not have noticed yet
        await smtp.send(a_mail())
        assert len(box.mails) == 5


async def test_what_is_not_used_is_closed_politely(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    async with postbox() as box:
        smtp = connect(box.url)
        await smtp.send(a_mail())
        smtp.rest()
        await smtp.send(a_mail())
        assert box.connections == 1, "it may be needed again in a moment"
        monkeypatch.setattr("widget_server.mail.smtp.IDLE_SECONDS", -1.0)
        smtp.rest()
        await smtp.aclose()
        assert box.quits == 1
        await smtp.send(a_mail())
        assert box.connections == 2


async def test_a_server_that_ends_a_connection_after_some_mails_is_dialled_again(connect: Connect) -> None:
    async with postbox() as box:
        smtp = connect(box.url)
        box.on_mail = lambda _: None if len(box.mails) != 2 or box.connections > 1 else "421 4.7.0 enough for now"
        for _ in range(4):
            await smtp.send(a_mail())
        assert len(box.mails) == 4
        assert box.connections == 2


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        ("550 5.1.1 <odile.marchand@example.org>: no such user", Permanent, "smtp_550"),
        ("550 User unknown", Permanent, "smtp_550"),
        ("552 5.2.2 mailbox is full", Permanent, "smtp_552"),
        ("451 4.7.1 greylisted, come back", Temporary, "smtp_451"),
        ("450 4.2.1 busy", Temporary, "smtp_450"),
        ("530 5.7.0 log in first", Temporary, "smtp_530"),
        ("554 5.7.1 our list does not like your network", Temporary, "smtp_554"),
        ("550 relay not permitted", Temporary, "smtp_550"),
        ("550 5.1.8 <x@y.org>: Sender address rejected: Domain not found", Temporary, "smtp_550"),
        ("504 5.5.2 <y>: Helo command rejected: need fully-qualified hostname", Temporary, "smtp_504"),
        ("421 4.3.2 going down", NoWayOut, "smtp_421"),
    ],
)
async def test_what_a_no_to_the_receiver_means(connect: Connect, answer: str, kind: type, code: str) -> None:
    async with postbox() as box:
        smtp = connect(box.url)
        box.on_rcpt = lambda _: answer
        error = await refusal(smtp)
        assert said(error) == (kind, code, int(answer[:3]))
        assert "odile" not in f"{error} {error.response}"
        box.on_rcpt = lambda _: None
        await smtp.send(a_mail())
        assert box.connections == (2 if kind is NoWayOut else 1), "one refusal is no reason to dial again"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("554 5.7.1 looks like spam", Temporary),
        ("550 no", Temporary),
        ("451 4.3.0 later", Temporary),
        ("550 5.1.1 there is nobody of that name", Permanent),
        ("550 5.1.8 we do not like the sender", Temporary),
    ],
)
async def test_a_no_to_the_mail_is_held_against_the_address_only_where_it_says_so(
    connect: Connect, answer: str, kind: type
) -> None:
    async with postbox() as box:
        box.on_data = lambda _: answer
        assert said(await refusal(connect(box.url))) == (kind, f"smtp_{answer[:3]}", int(answer[:3]))


async def test_a_no_to_the_sender_is_ours(connect: Connect) -> None:
    async with postbox() as box:
        box.on_mail = lambda _: "553 5.1.8 not from here"
        assert said(await refusal(connect(box.url))) == (Temporary, "smtp_553", 553)


async def test_nobody_there_silence_and_what_is_no_smtp(connect: Connect) -> None:
    async with silent() as port:
        closed = port
    assert said(await refusal(connect(f"smtp://127.0.0.1:{closed}"))) == (NoWayOut, "smtp_unreachable", None)
    async with silent() as port:
        error = await refusal(connect(f"smtp://127.0.0.1:{port}", deadline_seconds=0.2))
        assert str(error) == "smtp_timeout: no way out (connect) for 0.2 s"
    async with silent(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        assert said(await refusal(connect(f"smtp://127.0.0.1:{port}")))[1] == "smtp_protocol"
    async with silent(b"554 no mail today\r\n") as port:
        assert said(await refusal(connect(f"smtp://127.0.0.1:{port}"))) == (NoWayOut, "smtp_554", 554)


@pytest.mark.parametrize("where", ["on_mail", "on_rcpt", "on_data"])
async def test_a_server_that_stalls_is_given_up_in_time_and_dialled_again(connect: Connect, where: str) -> None:
    async with postbox() as box:
        ending = asyncio.Event()

        async def stall(_: str) -> str | None:
            await ending.wait()
            return None

        setattr(box, where, stall)
        smtp = connect(box.url, deadline_seconds=0.3)
        error = await refusal(smtp)
        assert str(error) == f"smtp_timeout: no way out ({where.removeprefix('on_')}) for 0.3 s"
        ending.set()
        await smtp.send(a_mail())
        assert box.connections == 2


async def test_a_server_that_dies_after_the_mail_leaves_us_in_doubt(connect: Connect) -> None:
    async with postbox() as box:
        kept: list[str] = []

        def die(to: str) -> None:
            kept.append(to)
            box.cut()

        box.on_data = die
        smtp = connect(box.url)
        assert str(await refusal(smtp)).startswith("smtp_no_reply: no way out (data)")
        assert kept == [TO], "it is not tried a second time by itself"


async def test_login_over_starttls_with_an_authority_of_our_own(connect: Connect, tmp_path: Path) -> None:
    server, client = authority(tmp_path)
    user, password = "lettres@example.org", "p@ss:wörd/%"
    options = {"tls_context": server, "require_starttls": True, "auth_required": True}
    async with postbox(**options, authenticator=only(user, password)) as box:
        given = "lettres%40example.org:p%40ss%3Aw%C3%B6rd%2F%25"
        url = f"smtp://{given}@127.0.0.1:{box.port}?starttls=true"
        await connect(url, tls=client).send(a_mail())
        assert box.mails[0].secure

        wrong = await refusal(connect(url.replace("p%40ss", "guess"), tls=client))
        assert said(wrong) == (NoWayOut, "smtp_auth", 535)
        assert str(await refusal(connect(url))).startswith("smtp_tls: no way out (connect) unable to get local issuer")
        assert str(await refusal(connect(f"smtp://127.0.0.1:{box.port}"))).startswith("smtp_530")
        assert len(box.mails) == 1


async def test_tls_from_the_start(connect: Connect, tmp_path: Path) -> None:
    server, client = authority(tmp_path)
    async with postbox(implicit_tls=server) as box:
        await connect(f"smtps://127.0.0.1:{box.port}", tls=client).send(a_mail())
        assert len(box.mails) == 1
        assert said(await refusal(connect(f"smtps://127.0.0.1:{box.port}")))[1] == "smtp_tls"


async def test_what_is_asked_for_and_not_offered_is_not_done_without(connect: Connect) -> None:
    async with postbox() as box:
        assert said(await refusal(connect(f"{box.url}?starttls=true"))) == (NoWayOut, "smtp_tls", None)
        login = f"smtp://user:password@127.0.0.1:{box.port}"
        assert said(await refusal(connect(login))) == (NoWayOut, "smtp_auth", None)
        assert box.mails == []


async def test_an_address_beyond_ascii_needs_a_server_that_takes_such(connect: Connect) -> None:
    to, content = "jörg@xn--exmple-cua.org", "To: jörg@xn--exmple-cua.org\r\n\r\nx\r\n".encode()
    async with postbox() as plain, postbox(enable_SMTPUTF8=True) as modern:
        assert said(await refusal(connect(plain.url), a_mail(to, content))) == (Permanent, "smtp_utf8", None)
        assert plain.tried == []
        await connect(modern.url).send(a_mail(to, content))
        (arrived,) = modern.mails
        assert (arrived.recipient, arrived.content) == (to, content)
        assert {"SMTPUTF8", "BODY=8BITMIME"} <= set(arrived.options)


@pytest.mark.parametrize("to", [f"{TO}\r\nRCPT TO:<other@example.org>", f"{TO}>\nDATA", "a@example.org> SIZE=1"])
def test_an_address_is_one_argument_of_one_command(to: str) -> None:
    with pytest.raises(ValueError):
        a_mail(to)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("5.1.1 <Odile.Marchand@Example.org>: Recipient address rejected", "5.1.1 <…>: Recipient address rejected"),
        ("unknown user odile.marchand at example.org", "unknown user … at …"),
        ("try prvs=12=odile.marchand@relay.test, or none", "try …, or none"),
        ("queued as 4Xy12 by mx.example.com", "queued as 4Xy12 by mx.example.com"),
        ("two\nlines\x00\x1b[31m \udcff", "two lines [31m �"),
    ],
)
def test_no_address_is_shown(text: str, left: str) -> None:
    assert shown(text, TO) == left


def test_an_address_in_its_other_spelling_is_not_shown_either() -> None:
    assert shown("no jörg at exämple.org (xn--exmple-cua.org)", "jörg@xn--exmple-cua.org") == "no … at … (…)"
    assert shown("no odile here", "odile+letters@example.org") == "no … here"
    assert "@" not in shown("a@b " * 10_000, TO)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example.org", MailServer("mail.example.org", 25, "none")),
        ("smtp://mail.example.org?starttls=true", MailServer("mail.example.org", 587, "starttls")),
        ("smtps://u:p%40@mail.example.org", MailServer("mail.example.org", 465, "tls", "u", "p@")),
        ("smtp://u%2Bx:p@[::1]:2525/?starttls=false", MailServer("::1", 2525, "none", "u+x", "p")),
        ("smtp://poste.exämple.org", MailServer("poste.xn--exmple-cua.org", 25, "none")),
    ],
)
def test_a_server_is_read(url: str, server: MailServer) -> None:
    assert read_mail_server(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.org", "http://mail.example.org", "smtp://", "smtp://h:port", "smtp://h:99999", "smtp://u@h",
        "smtp://h?starttls=yes", "smtps://h?starttls=true", "smtp://h?tls=1", "smtp://h/path", "smtp://u:%ff@h",
        "smtp://h?starttls=true&starttls=false", "smtp://:p@h",
    ],
)  # fmt: skip
def test_anything_else_is_refused_without_repeating_a_password(url: str) -> None:
    with pytest.raises(ValueError) as refused:
        read_mail_server(url)
    assert "smtps://USER:PASSWORD@HOST:465" in str(refused.value)


@pytest.mark.parametrize(
    ("public_url", "name"),
    [
        ("https://letters.example.org", "letters.example.org"),
        ("https://lettres.exämple.org:8443", "lettres.xn--exmple-cua.org"),
        ("http://127.0.0.1:8000", "[127.0.0.1]"),
        ("http://[::1]:8000", "[IPv6:::1]"),
    ],
)
def test_what_we_call_ourselves(public_url: str, name: str) -> None:
    assert hello(public_url) == name


def test_a_server_does_not_show_its_password() -> None:
    assert "secret" not in repr(MailServer("h", 25, "none", "u", "secret"))
