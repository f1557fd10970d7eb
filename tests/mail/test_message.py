"""A mail's bytes: headers that stay one header each, two parts, lines that every server takes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widget_server.mail.message import Head, build

SENDER = "undersigned@letters.example.org"
UNSUBSCRIBE = f"https://letters.example.org/unsubscribe/{'A' * 200}"

names = st.text(
    st.one_of(
        st.sampled_from('",\\<>@;:=?()[] éЖ🙂'), st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cn"))
    ),
    min_size=1,
    max_size=400,
).map(lambda text: re.sub(r" +", " ", text).strip(" "))


def head(**changes: str) -> Head:
    given = {
        "id": "1@letters.example.org", "sender": SENDER, "sender_name": "The Coalition", "locale": "en",
        "recipient": "odile@example.org", "reply_to": "hello@example.org", "subject": "Confirm",
        "unsubscribe": UNSUBSCRIBE,
    }  # fmt: skip
    return Head(**{**given, **changes}, at=datetime(2026, 6, 20, 12, tzinfo=UTC))


def read(content: bytes) -> EmailMessage:
    return message_from_bytes(content, EmailMessage, policy=default)


def decoded(raw: str) -> str:
    """By the older reader of the standard library, which puts nothing between encoded words (RFC 2047, 6.2)."""
    parts = decode_header(raw.replace("\r\n", ""))
    return "".join(part.decode(charset or "ascii") if isinstance(part, bytes) else part for part, charset in parts)


@given(names.filter(bool))
def test_whatever_a_name_holds_it_is_one_name_of_one_sender(name: str) -> None:
    content = build("x", head(sender_name=name, subject=name), "text", "<p>html").content
    mail = read(content)
    assert mail["Subject"] == name
    assert [address.addr_spec for address in mail["From"].addresses] == [SENDER]
    raw = message_from_bytes(content)["From"].rpartition("\r\n <")[0]
    if raw.startswith('"'):
        assert mail["From"].addresses[0].display_name == name
    else:
        assert decoded(raw) == name
    headers = content.partition(b"MIME-Version")[0].split(b"\r\n")
    assert all(len(line) <= 78 for line in headers if b"nsubscribe/" not in line)
    assert content.partition(b"MIME-Version")[0].isascii()


@pytest.mark.parametrize(
    "title",
    [
        'He said "no", and left',
        "Lettre ouverte pour un passage sûr — à signer, à faire signer : merci",
        "Un œil 🙂 sur l'été",
        "A plain title, with commas, " * 7 + "in 200 characters",
        "C:\\letters <b>bold</b> =?utf-8?q?no?=",
    ],
)
def test_names_as_letters_have_them_are_read_by_any_reader(title: str) -> None:
    mail = read(build("x", head(sender_name=title, subject=title), "t", "h").content)
    assert (mail["Subject"], mail["From"].addresses[0].display_name) == (title, title)
    assert mail.defects == []


@pytest.mark.parametrize("sneaked", ["\r\nBcc: other@example.org", "\nBcc: other@example.org", "\r\n\r\nA body"])
def test_a_line_break_in_a_name_is_a_blank(sneaked: str) -> None:
    mail = read(build("x", head(sender_name=f"A{sneaked}", subject=f"B{sneaked}"), "text", "html").content)
    assert mail["Bcc"] is None
    assert mail["Subject"] == f"B{sneaked}".replace("\r\n", " ").replace("\n", " ").replace("  ", " ")
    assert mail.get_body(("plain",)).get_content() == "text\r\n"  # type: ignore[union-attr]


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\x1b", "\x85", "\u2028", "\u2029", "\ud800"])
@pytest.mark.parametrize("header", ["sender_name", "subject"])
def test_other_control_characters_are_refused(header: str, character: str) -> None:
    with pytest.raises(ValueError):
        build("x", head(**{header: f"A{character}Bcc: other@example.org"}), "text", "html")


@pytest.mark.parametrize("header", ["id", "sender", "recipient", "reply_to", "locale", "unsubscribe"])
@pytest.mark.parametrize("sneaked", ["\r\nBcc: x@example.org", " x@example.org", "\n", "\u2028"])
def test_an_address_holds_no_blank(header: str, sneaked: str) -> None:
    with pytest.raises(ValueError):
        build("x", head(**{header: f"odile@example.org{sneaked}"}), "text", "html")


def test_both_parts_come_back_as_they_went_in_lines_that_every_server_takes() -> None:
    text, html = "é" * 5000 + "\n.dot\nFrom me\n", f"<p>{'ü' * 5000}</p>\n"
    mail = build("x", head(), text, html)
    assert mail.content.isascii()
    assert max(len(line) for line in mail.content.split(b"\r\n")) <= 998
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", mail.content)
    found = read(mail.content)
    assert found.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in found.iter_parts()] == ["text/plain", "text/html"]
    parts = [part.get_content().replace("\r\n", "\n") for part in found.iter_parts()]
    assert parts == [text, html]


def test_the_headers_are_those_of_a_machine_that_may_be_stopped() -> None:
    mail = read(build("x", head(locale="fr"), "t", "h").content)
    assert mail["Date"].datetime == datetime(2026, 6, 20, 12, tzinfo=UTC)
    assert mail["Message-ID"] == "<1@letters.example.org>"
    assert (mail["Auto-Submitted"], mail["Content-Language"]) == ("auto-generated", "fr")
    assert (mail["To"], mail["Reply-To"]) == ("odile@example.org", "hello@example.org")
    assert message_from_bytes(build("x", head(), "t", "h").content)["List-Unsubscribe"] == f"<{UNSUBSCRIBE}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_an_address_beyond_ascii_stands_in_its_header_as_it_is() -> None:
    mail = build("x", head(recipient="jörg@xn--exmple-cua.org", reply_to="zoë@example.org"), "t", "h")
    assert mail.utf8
    assert "\r\nTo: jörg@xn--exmple-cua.org\r\nReply-To: zoë@example.org\r\n" in mail.content.decode()
    plain = build("x", head(reply_to="zoë@example.org"), "t", "h")
    assert (plain.utf8, read(plain.content)["Reply-To"]) == (False, None)
