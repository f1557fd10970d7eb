"""What the commands for destinations work with: the desk, and what opens, sends to and asks a destination.

One thing must stay true: a way out for mails is opened only by a command that sends one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from widget_server import __version__
from widget_server.app import mail_out
from widget_server.cli.desk import Desk, desk
from widget_server.domain.ids import read_id
from widget_server.domain.refusals import Problems
from widget_server.domain.vault import Vault
from widget_server.flows.destinations import Office
from widget_server.outbox.mailing import Mailing, Transport
from widget_server.outbox.registry import Registry
from widget_server.outbox.routes import Routes
from widget_server.outbox.sending import Keeping, Sender
from widget_server.store.destinations import DestinationRow, find_destination


@dataclass(frozen=True, slots=True)
class Counter:
    """What these commands work with besides the desk."""

    desk: Desk
    vault: Vault
    registry: Registry
    sender: Sender

    @property
    def office(self) -> Office:
        return Office(
            db=self.desk.db,
            directory=self.desk.directory,
            vault=self.vault,
            kinds=self.registry,
            judge_url=self.sender.egress().problems,
            now=self.desk.now,
            actor=self.desk.actor,
        )

    @property
    def routes(self) -> Routes:
        d = self.desk
        return Routes(directory=d.directory, vault=self.vault, kinds=self.registry, public_url=d.settings.public_url)

    async def find(self, id_: str) -> DestinationRow:
        """Raises `Problems`."""
        known = read_id(id_)
        row = None if known is None else await find_destination(self.desk.db, known)
        if row is None:
            raise Problems([f'there is no destination {id_}; "undersigned destination list LETTER" lists them'])
        return row


@asynccontextmanager
async def counter() -> AsyncIterator[Counter]:
    async with desk() as d:
        vault = Vault(d.settings.secret_keys)
        opened: list[Transport] = []

        def way_out() -> Transport:
            if not opened:  # most commands send no mail
                opened.append(mail_out(d.settings, d.texts, d.now, None).transport)
            return opened[0]

        sender = Sender(
            texts=d.texts,
            public_url=d.settings.public_url,
            version=__version__,
            egress_allow=d.settings.egress_allow,
            now=d.now,
            keeping=Keeping(d.db, vault),
            mailing=Mailing(way_out, d.settings.sender, d.settings.public_url),
        )
        try:
            yield Counter(d, vault, Registry(), sender)
        finally:
            await sender.aclose()
            for transport in opened:
                await transport.aclose()
