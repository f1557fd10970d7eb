"""Mail to coordinators, for integrations: the contract's `Mailer` over the server's own mail transport.

One thing must stay true: it goes the way that mails to signers go, with the same sender and the same rules for what an
answer means.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from widget_server.contract import DeliveryError, Permanent, Response, Unknown
from widget_server.domain import emails
from widget_server.domain.letters import Letter
from widget_server.domain.typography import typeset
from widget_server.mail.message import Head, Message, build
from widget_server.mail.servers import public_host
from widget_server.mail.trouble import NoWayOut


class Transport(Protocol):
    """A way out for mails."""

    async def send(self, mail: Message) -> Response:
        """Raises `Permanent` where the address is refused for good, `NoWayOut` where no mail can leave, else
        `Temporary`."""
        ...

    def rest(self) -> None:
        """Closes what has not been used for a while."""
        ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Mailing:
    """`sender` is the address that mails come from; `open` gives the transport, made at the first mail."""

    open: Callable[[], Transport]
    sender: str
    public_url: str

    def mailer(self, letter: Letter, now: Callable[[], datetime]) -> LetterMailer:
        return LetterMailer(self, letter, now)


@dataclass(frozen=True, slots=True)
class LetterMailer:
    """The `Mailer` of the contract, in the name of one letter; answers go to its contact address."""

    mailing: Mailing
    letter: Letter
    now: Callable[[], datetime]

    async def __call__(
        self, *, to: Sequence[str], subject: str, text: str, html: str, locale: str, reference: str
    ) -> Response:
        """One mail for each address. Where some are refused for good and others not, it has been sent: a repeat would
        only double it."""
        if not to:
            raise Permanent("mail_address", "there is nobody to write to")
        taken: Response | None = None
        refused: Permanent | None = None
        for address in to:
            try:
                taken = await self._send(address, subject, text, html, locale, reference)
            except Permanent as error:
                refused = error
        if taken is None:
            assert refused is not None
            raise refused
        return taken

    async def _send(self, address: str, subject: str, text: str, html: str, locale: str, reference: str) -> Response:
        settings, at = self.letter.settings, self.now()
        title = settings.title.get(locale, settings.title[self.letter.default_locale])
        try:
            head = Head(
                id=f"{reference}@{public_host(self.mailing.public_url)}",
                sender=on_the_wire(self.mailing.sender),
                sender_name=settings.identity.legal_name or typeset(title, locale),
                recipient=emails.for_mail(address),
                reply_to=on_the_wire(settings.contact_email),
                subject=subject,
                locale=locale,
                at=at,
            )
        except emails.BadEmail as error:
            raise Permanent("mail_address", "an address that no mail can go to") from error
        try:
            return await self.mailing.open().send(build(reference, head, text, html))
        except NoWayOut as error:
            raise may_have_arrived(error) from error


def may_have_arrived(error: DeliveryError) -> DeliveryError:
    """A connection that broke while the mail was handed over says nothing about whether it was taken."""
    if isinstance(error, NoWayOut) and error.phase == "data" and error.status_code is None:
        return Unknown(error.code, error.detail, response=error.response)
    return error


def on_the_wire(address: str) -> str:
    """An address of ours. A machine without a name is no domain; for a mailbox on it, its address has to do."""
    try:
        return emails.for_mail(address)
    except emails.BadEmail:
        return address
