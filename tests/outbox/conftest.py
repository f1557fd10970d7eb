"""A dispatcher on a real database, a clock that stands still, real receivers on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import ip_network
from typing import Any

import pytest

from tests.conftest import KEY, Clock
from tests.outbox.receiver import Receiver, receiving
from widget_server.contract import Integration
from widget_server.domain.ids import new_id
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.vault import Vault
from widget_server.flows.destinations import Added, Office, Wanted
from widget_server.flows.directory import Directory
from widget_server.i18n import Texts
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.outbox.registry import Registry
from widget_server.store.db import Db
from widget_server.store.ingest import Ingest
from widget_server.store.new_signatures import NewSignature

PUBLIC_URL = "https://letters.example.org"
LOOPBACK = (ip_network("127.0.0.0/8"),)

Sign = Callable[..., Awaitable[str]]
AddDestination = Callable[..., Awaitable[str]]
MakeDispatcher = Callable[..., Dispatcher]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one


@pytest.fixture
def vault() -> Vault:
    return Vault([KEY])


@pytest.fixture
def kinds() -> dict[str, Integration]:
    """The installed kinds; a test may add its own."""
    return dict(Registry())


@pytest.fixture
async def office(db: Db, directory: Directory, vault: Vault, kinds: dict[str, Integration], clock: Clock) -> Office:
    """Adding destinations, without the address check: that has tests of its own."""

    async def nothing(url: str, hosts: frozenset[str] | None) -> list[Any]:
        return []

    return Office(db=db, directory=directory, vault=vault, kinds=kinds, judge_url=nothing, now=clock, actor="test")


@pytest.fixture
def add_destination(office: Office, letter: Letter) -> AddDestination:
    """Adds a destination and gives its id."""

    async def add(
        url: str,
        kind: str = "webhook",
        *,
        partner: Partner | None = None,
        events: tuple[str, ...] = (),
        **options: str,
    ) -> str:
        added: Added = await office.add(letter, partner, Wanted(kind, url, options, events))
        return added.id

    return add


@pytest.fixture
async def make_dispatcher(
    db: Db, directory: Directory, vault: Vault, kinds: dict[str, Integration], texts: Texts, clock: Clock
) -> AsyncIterator[MakeDispatcher]:
    made: list[Dispatcher] = []

    def make(**changes: Any) -> Dispatcher:
        parts: dict[str, Any] = {
            "db": db,
            "directory": directory,
            "vault": vault,
            "registry": kinds,
            "texts": texts,
            "public_url": PUBLIC_URL,
            "egress_allow": LOOPBACK,
            "now": clock,
            "dice": lambda low, high: 1.0,
        }
        dispatcher = Dispatcher(**{**parts, **changes})
        made.append(dispatcher)
        return dispatcher

    yield make
    for dispatcher in made:
        await dispatcher.aclose()


@pytest.fixture
def dispatcher(make_dispatcher: MakeDispatcher) -> Dispatcher:
    return make_dispatcher()


@pytest.fixture
def sign(db: Db, letter: Letter, partner: Partner, clock: Clock) -> Sign:
    """Stores a signature as the server does, with its events, and gives its id."""

    async def sign(**changes: Any) -> str:
        (id_,) = await sign_many(db, letter, partner, clock, [changes])
        return id_

    return sign


async def sign_many(
    db: Db, letter: Letter, partner: Partner, clock: Callable[[], Any], many: list[dict[str, Any]]
) -> list[str]:
    rows = []
    for changes in many:
        id_ = new_id()
        values: dict[str, Any] = {
            "id": id_,
            "letter_id": letter.id,
            "partner_id": partner.id,
            "statement": "ca",
            "kind": "individual",
            "status": "confirmed",
            "listing": "listed",
            "test": False,
            "quarantine": None,
            "name": "Zoë Gagné",
            "organization": None,
            "role": None,
            "organization_website": None,
            "authorized": False,
            "email": f"{id_}@example.org",
            "signer_hash": id_,
            "country": "CA",
            "postal_code": "H2X 1Y4",
            "city": "Montréal",
            "comment": "For my neighbours.",
            "locale": "fr",
            "public": True,
            "contact_opt_in": False,
            "partner_opt_in": False,
            "consent_version": None,
            "source": "newsletter-june",
            "page": "https://maple.example/sign",
            "origin": "https://maple.example",
            "origin_flagged": False,
            "text_version": 1,
            "shown": True,
            "elapsed": 9000,
            "sort_key": "zoe gagne",
            "address_hash": id_,
            "client": None,
            "created_at": clock(),
            "confirmed_at": clock(),
        }
        rows.append(NewSignature(**{**values, **changes}))
    ingest = Ingest(db)
    await ingest.start()
    stored = await asyncio.gather(*(ingest.add(row) for row in rows))
    await ingest.stop()
    return [one.id for one in stored]
