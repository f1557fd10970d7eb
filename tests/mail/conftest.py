"""A dispatcher that sends mails to a real SMTP server, on a clock that stands still; two people who sign by mail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.conftest import KEY, LETTER_TOML, Clock
from tests.mail.postbox import Postbox, postbox
from tests.outbox.conftest import (
    PUBLIC_URL,
    MakeDispatcher,
    add_destination,
    kinds,
    make_dispatcher,
    office,
    sign_many,
    vault,
)
from widget_server.domain import emails
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.signatures import Signature
from widget_server.domain.signers import address_hash, signer_hash
from widget_server.domain.tokens import Seals
from widget_server.domain.vault import Vault
from widget_server.flows.turn import Turns
from widget_server.i18n import Texts
from widget_server.mail.layout import Layout
from widget_server.mail.servers import read_mail_server
from widget_server.mail.smtp import Smtp
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.outbox.mail_lane import MailOut
from widget_server.outbox.mail_writing import MailWriter
from widget_server.outbox.mailing import Transport
from widget_server.store.db import Db
from widget_server.store.delivery_log import DeliveryRow, deliveries_of
from widget_server.store.signatures import find_signature
from widget_server.store.tables import deliveries, events

__all__ = ["add_destination", "kinds", "make_dispatcher", "office", "vault"]

SENDER = "undersigned@letters.example.org"
ODILE = "odile.marchand@example.org"

SignPending = Callable[..., Awaitable[str]]
MailOutTo = Callable[..., MailOut]


@pytest.fixture
def letter_folder(letter_folder: Path) -> Path:
    """The same letter, confirmed by mail."""
    changed = LETTER_TOML.replace('confirmation = "none"', 'confirmation = "email"')
    (letter_folder / "letter.toml").write_text(changed, "utf-8")
    return letter_folder


@pytest.fixture
async def box() -> AsyncIterator[Postbox]:
    async with postbox() as one:
        yield one


@pytest.fixture
def writer(texts: Texts) -> MailWriter:
    return MailWriter(texts, Seals([KEY]), PUBLIC_URL, SENDER, Layout())


@pytest.fixture
async def mail_out(writer: MailWriter) -> AsyncIterator[MailOutTo]:
    made: list[Transport] = []

    def make(url: str, **options: Any) -> MailOut:
        smtp = Smtp(read_mail_server(url), **{"hello": "letters.example.org", "deadline_seconds": 5.0, **options})
        made.append(smtp)
        return MailOut(writer, smtp)

    yield make
    for one in made:
        await one.aclose()


@pytest.fixture
def dispatcher(make_dispatcher: MakeDispatcher, mail_out: MailOutTo, box: Postbox) -> Dispatcher:
    return make_dispatcher(mail=mail_out(box.url))


@pytest.fixture
def sign(db: Db, letter: Letter, partner: Partner, clock: Clock) -> SignPending:
    """Stores a signature that waits for its mail, as the server does, and gives its id."""

    async def sign(email: str = ODILE, *, through: Partner = partner, **changes: Any) -> str:
        canonical = emails.read(email).canonical
        kind, organization = changes.get("kind", "individual"), changes.get("organization")
        given = {
            "status": "pending",
            "confirmed_at": None,
            "email": email,
            "signer_hash": signer_hash(letter.signer_key, kind, canonical, organization),
            "address_hash": address_hash(letter.signer_key, canonical),
        }
        (id_,) = await sign_many(db, letter, through, clock, [{**given, **changes}])
        return id_

    return sign


@pytest.fixture
def turns(db: Db, vault: Vault, clock: Clock) -> Turns:
    return Turns(db, vault, clock)


@dataclass(frozen=True, slots=True)
class Sent:
    """A mail's delivery and what it is for."""

    mail: str
    row: DeliveryRow


@dataclass(frozen=True, slots=True)
class Log:
    """What became of the mails."""

    db: Db
    letter: Letter

    async def all(self) -> list[Sent]:
        rows = await deliveries_of(self.db, self.letter.id)
        found = await self.db.all(
            select(deliveries.c.id, events.c.data).join(events, events.c.id == deliveries.c.event_id)
        )
        purposes = {row["id"]: row["data"]["mail"] for row in found if "mail" in row["data"]}
        return [Sent(purposes[row.id], row) for row in rows if row.destination_id is None]

    async def states(self, mail: str = "confirm") -> list[tuple[str, int, str | None]]:
        """Status, attempts and error of each mail of one purpose."""
        return [(one.row.status, one.row.attempts, one.row.last_error) for one in await self.all() if one.mail == mail]

    async def only(self, mail: str = "confirm") -> DeliveryRow:
        (one,) = [one.row for one in await self.all() if one.mail == mail]
        return one

    async def address_hash(self, id_: str) -> str:
        found = (await self.signature(id_)).address_hash
        assert found is not None
        return found

    async def signature(self, id_: str) -> Signature:
        found = await find_signature(self.db, id_)
        assert found is not None
        return found


@pytest.fixture
def log(db: Db, letter: Letter) -> Log:
    return Log(db, letter)
