"""A mail as bytes: headers, a text part and an HTML part.

One thing must stay true: a header is one header, whatever a letter, an address or a name holds. Headers are written
here, not by `email.policy`: that one leaves the commas of a long name unquoted, so that one sender becomes several,
and encodes an address that is longer than a line, so that no mail program can read it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email import base64mime, policy, quoprimime
from email.message import EmailMessage
from email.utils import format_datetime
from itertools import groupby
from unicodedata import category

_WORD_LENGTH = 64
"""Of an encoded word: at most 75 (RFC 2047, 2), and the line that it stands in at most 76 with its header's name."""
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}")
_ENDS_ADDRESS = frozenset(' <>"')
_BLANKS = re.compile(r"[ \t\r\n]+")
_NO_HEADER = frozenset({"Cc", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Head:
    """What a mail says about itself. Addresses in the form that goes over the wire; `unsubscribe` is the address by
    which a mail program's own button stops such mails (RFC 8058)."""

    id: str
    sender: str
    sender_name: str
    recipient: str
    reply_to: str
    subject: str
    locale: str
    at: datetime
    unsubscribe: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """Ready to be handed in. `name` is for a file; `utf8`: the address needs a server with SMTPUTF8 (RFC 6531).
    Raises `ValueError` for an address that would be more than one argument of a command."""

    name: str
    sender: str
    recipient: str
    content: bytes
    utf8: bool

    def __post_init__(self) -> None:
        for address in (self.sender, self.recipient):
            if not address.isprintable() or set(address) & _ENDS_ADDRESS:
                raise ValueError("not fit for a command")


def build(name: str, head: Head, text: str, html: str) -> Message:
    """Raises `ValueError` where a header would hold a control character."""
    utf8 = not head.recipient.isascii()
    body = EmailMessage(policy=policy.SMTP)
    body.set_content(text, cte="quoted-printable")
    body.add_alternative(html, subtype="html", cte="quoted-printable")
    top = "".join(f"{name}: {value}\r\n" for name, value in _headers(head, utf8=utf8))
    return Message(name, head.sender, head.recipient, top.encode() + body.as_bytes(), utf8)


def _headers(head: Head, *, utf8: bool) -> Iterator[tuple[str, str]]:
    yield "From", f"{_phrase(head.sender_name)}\r\n <{_plain(head.sender)}>"
    yield "To", _plain(head.recipient)
    reply_to = _plain(head.reply_to)
    if utf8 or reply_to.isascii():
        yield "Reply-To", reply_to
    yield "Subject", _unstructured(head.subject)
    yield "Date", format_datetime(head.at)
    yield "Message-ID", f"<{_plain(head.id)}>"
    yield "Auto-Submitted", "auto-generated"
    yield "Content-Language", _plain(head.locale)
    if head.unsubscribe is not None:
        yield "List-Unsubscribe", f"<{_plain(head.unsubscribe)}>"
        yield "List-Unsubscribe-Post", "List-Unsubscribe=One-Click"


def _plain(value: str) -> str:
    """An address or an id, which has no blanks either."""
    if not value or " " in value or any(category(c) in _NO_HEADER for c in value):
        raise ValueError("not fit for a header")
    return value


def _line(value: str) -> str:
    """Text on one line."""
    line = _BLANKS.sub(" ", value).strip(" ")
    if any(category(c) in _NO_HEADER for c in line):
        raise ValueError("not fit for a header")
    return line


def _unstructured(value: str) -> str:
    line = _line(value)
    return _folded(line) if _is_plain(line) else _encoded(line)


def _phrase(value: str) -> str:
    """A display name: always quoted, else a comma would begin another address."""
    line = _line(value)
    return _folded('"{}"'.format(re.sub(r'(["\\])', r"\\\1", line))) if _is_plain(line) else _encoded(line)


def _is_plain(line: str) -> bool:
    return line.isascii() and "=?" not in line and all(len(word) <= _WORD_LENGTH for word in line.split(" "))


def _folded(line: str) -> str:
    return "\r\n ".join(_filled(line.split(" ")))


def _encoded(line: str) -> str:
    """With encoded words (RFC 2047) for whatever is no plain word. Neighbours share one while it has room: some readers
    show a blank between two of them."""
    parts: list[str] = []
    for plain, group in groupby(line.split(" "), key=_is_atom):
        words = list(group)
        parts += words if plain else _encoded_words(" ".join(words))
    return "\r\n ".join(_filled(parts))


def _is_atom(word: str) -> bool:
    return _ATOM.fullmatch(word) is not None and "=?" not in word


def _encoded_words(text: str) -> Iterator[str]:
    """Cut between words where that is possible."""
    chunk = ""
    for piece in re.findall(r"[^ ]+ ?", text):
        for part in (piece,) if _fits(piece) else piece:
            if not _fits(chunk + part):
                yield _word(chunk)
                chunk = ""
            chunk += part
    yield _word(chunk)


def _filled(parts: Iterable[str]) -> Iterator[str]:
    """Lines as full as they may be."""
    line = ""
    for part in parts:
        if line and len(line) + 1 + len(part) > _WORD_LENGTH:
            yield line
            line = part
        else:
            line = f"{line} {part}" if line else part
    yield line


def _fits(chunk: str) -> bool:
    return len(_word(chunk)) <= _WORD_LENGTH


def _word(chunk: str) -> str:
    raw = chunk.encode()
    return min(quoprimime.header_encode(raw, "utf-8"), base64mime.header_encode(raw, "utf-8"), key=len)
