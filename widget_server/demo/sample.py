"""The sample data: the example letter, its signatories, two partners, two destinations at the local receiver.

One thing must stay true: it is safe to repeat. What is there stays as the demo's visitor has left it; only
what names a port follows the ports.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from widget_server import __version__
from widget_server.demo.home import Home
from widget_server.demo.pages import Embed
from widget_server.domain.install_pages import install_url
from widget_server.domain.letters import Letter
from widget_server.domain.snippet import snippet
from widget_server.domain.tokens import Seals
from widget_server.domain.vault import Vault
from widget_server.flows.destinations import Office, Wanted
from widget_server.flows.directory import Directory
from widget_server.flows.import_csv import import_csv
from widget_server.flows.letter_status import change_letter_status
from widget_server.flows.load_letter import load_letter
from widget_server.flows.partners import add_partner, set_partner, token_of
from widget_server.i18n import Texts
from widget_server.outbox.registry import Registry
from widget_server.outbox.sending import Keeping, Sender
from widget_server.settings import Settings
from widget_server.store.db import Db
from widget_server.store.destinations import destinations_of
from widget_server.store.migrate import migrate

ACTOR = "demo"
EXAMPLE = "ask-here"
_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class SamplePartner:
    """A partner that does not exist. `identity` is what its consent box names."""

    slug: str
    name: str
    locale: str
    identity: Mapping[str, str]


PARTNERS = (
    SamplePartner(
        "northern-lights",
        "Northern Lights Refugee House",
        "en",
        {
            "legal_name": "Northern Lights Refugee House",
            "postal_address": "12 Sample Street, Thunder Bay ON P7A 0A0",
            "privacy_url": "https://example.org/northern-lights/privacy",
            "contact_email": "lights@example.org",
        },
    ),
    SamplePartner(
        "accueil-boreal",
        "Accueil Boréal",
        "fr",
        {
            "legal_name": "Accueil Boréal",
            "postal_address": "7, rue de l'Exemple, Sherbrooke (Québec) J1H 0A0",
            "privacy_url": "https://example.org/accueil-boreal/vie-privee",
            "contact_email": "boreal@example.org",
        },
    ),
)


# People are gathered for five seconds, not fifteen: whoever tries it out is waiting for the second message.
DESTINATIONS: Mapping[str, Mapping[str, str]] = {"webhook": {}, "slack": {"digest_seconds": "5"}}
_INBOX = re.compile(r"http://127\.0\.0\.1:\d+/(webhook|slack)")


def example_folder() -> Path:
    """The example letter: inside the installed package, or in `examples/` of a checkout."""
    installed = _PACKAGE / "_examples" / EXAMPLE
    return installed if installed.exists() else _PACKAGE.parent / "examples" / EXAMPLE


@dataclass(frozen=True, slots=True)
class Sample:
    """What the pages and the inbox need: snippets by locale, and the webhook's signing secrets."""

    letter: Letter
    embeds: Mapping[str, Embed]
    secrets: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Filling:
    """What filling the database needs."""

    db: Db
    settings: Settings
    home: Home
    seals: Seals
    directory: Directory
    office: Office
    now: datetime


async def prepare(settings: Settings, home: Home) -> Sample:
    """Fills the demo's database where something is missing. Raises `Problems`."""
    db, vault = Db(settings.database_url), Vault(settings.secret_keys)
    sender = Sender(
        texts=Texts(),
        public_url=settings.public_url,
        version=__version__,
        egress_allow=settings.egress_allow,
        now=_now,
        keeping=Keeping(db, vault),
    )
    await db.connect()
    try:
        await migrate(db)
        seals = Seals(settings.secret_keys)
        directory = Directory(db, seals)
        office = Office(
            db=db,
            directory=directory,
            vault=vault,
            kinds=Registry(),
            judge_url=sender.egress().problems,
            now=_now,
            actor=ACTOR,
        )
        return await _fill(_Filling(db, settings, home, seals, directory, office, _now()))
    finally:
        await sender.aclose()
        await db.disconnect()


def _now() -> datetime:
    return datetime.now(UTC)


async def _fill(f: _Filling) -> Sample:
    """1. The letter and its signatories. 2. Partners. 3. Destinations. 4. Open, so that they hear of it."""
    folder = example_folder()
    loaded = await load_letter(f.db, folder, now=f.now, actor=ACTOR)
    letter = loaded.letter
    await f.directory.refresh(now_please=True)
    house = await f.directory.house(letter)
    await import_csv(f.db, letter, house, folder / "signatories.csv", now=f.now, actor=ACTOR)
    embeds = {sample.locale: await _partner(f, letter, sample) for sample in PARTNERS}
    secrets = await _destinations(f, letter)
    if loaded.created:
        await change_letter_status(f.db, letter.slug, "open", now=_now(), actor=ACTOR)
    return Sample(letter, embeds, secrets)


async def _partner(f: _Filling, letter: Letter, sample: SamplePartner) -> Embed:
    origins = f.home.page_origins
    if await f.directory.partner(letter.id, sample.slug) is None:
        await add_partner(
            f.db,
            letter,
            sample.slug,
            name=sample.name,
            origins=origins,
            locale=sample.locale,
            now=f.now,
            actor=ACTOR,
        )
        await set_partner(f.db, letter, sample.slug, sample.identity, now=f.now, actor=ACTOR)
    here = {"origins": " ".join(origins)}
    partner = await set_partner(f.db, letter, sample.slug, here, now=f.now, actor=ACTOR)
    token = token_of(f.seals, letter, partner)
    printed = snippet(f.settings.public_url, letter, partner, token, letter.locale(partner.locale))
    install = install_url(f.settings.public_url, f.seals, letter, partner)
    return Embed(f"/{sample.slug}", f"{sample.slug}.html", printed, install)


async def _destinations(f: _Filling, letter: Letter) -> list[str]:
    """Sees to it that both point at the inbox as it is now; gives the webhook's signing secrets."""
    secrets: list[str] = []
    rows = await destinations_of(f.db, letter.id)
    for kind, options in DESTINATIONS.items():
        url = f"{f.home.inbox_url}/{kind}"
        there = False
        for row in rows:
            configuration = f.office.configuration(row)
            if row.kind != kind or not _INBOX.fullmatch(configuration.url):
                continue
            if configuration.url == url:
                there = True
                secrets += configuration.in_force(f.now)
            else:  # the inbox of a start on other ports
                await f.office.remove(row)
        if not there:
            added = await f.office.add(letter, None, Wanted(kind, url, options))
            secrets += [added.secret] if added.secret else []
    return secrets
