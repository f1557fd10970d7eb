"""How a mail looks: the same words as text and as HTML, which is read without style, without pictures, in the dark.

One thing must stay true: whoever says the words gives plain text, and the HTML escapes it by itself. The one link that
the mail is about comes first in both parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


@dataclass(frozen=True, slots=True)
class Link:
    """`words` stand before it, `label` is what is pressed."""

    label: str
    url: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """All that a mail says, in one language, in the order in which it is read. `notes` are small print."""

    locale: str
    subject: str
    lead: str
    more: Sequence[str]
    button: Link
    button_in_text: str
    notes: Sequence[str]
    links: Sequence[Link]
    sender: Sequence[str]


@dataclass(frozen=True, slots=True)
class Notice:
    """A mail to people who run things: paragraphs, then small print. The words are plain text."""

    locale: str
    subject: str
    paragraphs: Sequence[str]
    small: Sequence[str]


class Layout:
    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("widget_server.mail"),
            autoescape=select_autoescape(("html",)),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )

    def text(self, words: Words) -> str:
        return self._environment.get_template("mail.txt").render(words=words)

    def html(self, words: Words) -> str:
        return self._environment.get_template("mail.html").render(words=words)

    def notice_text(self, notice: Notice) -> str:
        return self._environment.get_template("notice.txt").render(notice=notice)

    def notice_html(self, notice: Notice) -> str:
        return self._environment.get_template("notice.html").render(notice=notice)
