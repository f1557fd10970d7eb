"""From a mail that is due to its bytes: the words in the signer's language, the links, the sender's identity.

One thing must stay true: no word that a signer typed is in it. Until an address is confirmed it may be a stranger's,
and our mails must not carry somebody's words to them. Whoever reads it may be in any time zone, so times say "UTC".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from widget_server.contract import Renderer
from widget_server.domain.links import AFTER_CLOSING, HOLDS, LinkPurpose, link_url
from widget_server.domain.partners import Partner
from widget_server.domain.tokens import Seals
from widget_server.domain.typography import typeset
from widget_server.flows.due_mails import DueMail
from widget_server.i18n import date_and_time
from widget_server.mail.layout import Layout, Link, Words
from widget_server.mail.message import Head, Message, build
from widget_server.mail.servers import public_host
from widget_server.outbox.mailing import on_the_wire

Say = Callable[..., str]
"""A text of `mail.toml` in the signer's language, by its key."""


@dataclass(frozen=True, slots=True)
class MailWriter:
    """`sender` is the address that mails come from."""

    texts: Renderer
    seals: Seals
    public_url: str
    sender: str
    layout: Layout

    def write(self, due: DueMail, partner: Partner | None, now: datetime) -> Message:
        """`partner`: who would hear of a further signature, if anybody."""
        words = self._words(due, partner, now)
        settings, asked_for = due.letter.settings, due.tone == "signer"
        head = Head(
            id=f"{due.work.id}@{public_host(self.public_url)}",
            sender=on_the_wire(self.sender),
            sender_name=settings.identity.legal_name or _title(due),
            recipient=due.address,
            reply_to=on_the_wire(settings.contact_email),
            subject=words.subject,
            locale=due.locale,
            at=now,
            unsubscribe=None if asked_for else self._link("unsubscribe", due, now),
        )
        return build(due.work.id, head, self.layout.text(words), self.layout.html(words))

    def _link(self, purpose: LinkPurpose, due: DueMail, now: datetime) -> str:
        return link_url(self.public_url, self.seals, purpose, due.about.id, now, due.letter.id)

    def _words(self, due: DueMail, partner: Partner | None, now: datetime) -> Words:
        def say(key: str, **values: Any) -> str:
            return self.texts(f"mail.{key}", due.locale, **values)

        tone, title = due.tone, _title(due)
        button = Link(say(f"{tone}.button"), self._link("signer" if tone == "signer" else "confirm", due, now))
        asked_at = now if tone == "signer" else due.about.created_at
        return Words(
            locale=due.locale,
            subject=say(f"{tone}.subject", title=title),
            lead=_lead(due, title, say),
            more=[_what_else(due, partner, say)] if tone == "already" else [],
            button=button,
            button_in_text=say("button_in_text", label=button.label),
            notes=[
                say("until", date=date_and_time(_holds_until(due, now), due.locale)),
                say(f"{tone}.why", date=date_and_time(asked_at, due.locale)),
            ],
            links=list(self._links(due, button, title, say, now)),
            sender=list(_sender(due, title, say)),
        )

    def _links(self, due: DueMail, button: Link, title: str, say: Say, now: datetime) -> Iterator[Link]:
        letter = f"{self.public_url}/{due.locale}/letters/{due.letter.slug}"
        if due.tone != "signer":
            yield Link(say("not_me.label"), f"{button.url}/not-me", say("not_me.words"))
            until = date_and_time(now + HOLDS, due.locale)
            yield Link(say("own_page.label"), self._link("signer", due, now), say("own_page.words", date=until))
            yield Link(say("own_page.ask"), f"{letter}/my-signature", say("own_page.afterwards"))
        yield Link(title, letter, say("letter"))


def _lead(due: DueMail, title: str, say: Say) -> str:
    """The one sentence that the mail is about."""
    key, values = f"{due.tone}.lead", {"title": title}
    if due.tone != "signer" and due.about.kind == "organization":
        key += "_organization"
    if due.tone == "already":
        if due.first_at is None:
            key += "_undated"
        else:
            values["date"] = date_and_time(due.first_at, due.locale)
    return say(key, **values)


def _what_else(due: DueMail, partner: Partner | None, say: Say) -> str:
    """What pressing the button does for somebody who has signed already."""
    ticked = "_ticked" if due.about.contact_opt_in or due.about.partner_opt_in else ""
    if partner is None or partner.is_house:
        return say(f"already.again{ticked}")
    return say(f"already.through{ticked}", partner=partner.name)


def _title(due: DueMail) -> str:
    titles = due.letter.settings.title
    return typeset(titles.get(due.locale, titles[due.letter.default_locale]), due.locale)


def _holds_until(due: DueMail, now: datetime) -> datetime:
    closes_at = due.letter.closed_since(now) or due.letter.settings.closes_at
    if due.tone == "signer" or closes_at is None:
        return now + HOLDS
    return min(now + HOLDS, closes_at + AFTER_CLOSING)


def _sender(due: DueMail, title: str, say: Say) -> Iterator[str]:
    """Who writes, as the law wants a sender to be named."""
    settings = due.letter.settings
    name = settings.identity.legal_name
    yield say("sender.named", name=name, title=title) if name else say("sender.unnamed", title=title)
    yield from filter(None, (settings.identity.postal_address, settings.identity.phone))
    yield say("sender.contact", email=settings.contact_email)
