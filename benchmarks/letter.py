"""A letter to sign, for measurements."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from widget_server.domain.ids import new_id
from widget_server.domain.tokens import Seals, Shown, seal_shown
from widget_server.flows.consents import ConsentBook
from widget_server.flows.directory import Directory
from widget_server.flows.letter_status import change_letter_status
from widget_server.flows.load_letter import load_letter
from widget_server.flows.partners import add_partner, token_of
from widget_server.i18n import Texts
from widget_server.store.db import Db
from widget_server.store.ingest import Ingest
from widget_server.store.migrate import migrate
from widget_server.store.new_signatures import NewSignature

KEY = "a key for measurements only"

TOML = """\
slug = "letter"
locales = ["en", "fr"]
title = { en = "An open letter", fr = "Une lettre ouverte" }
contact_email = "hello@example.org"
confirmation = "none"

[[statements]]
code = "ca"
countries = ["CA"]
text = { en = "We, the undersigned, call for change.", fr = "Nous, soussignés, demandons du changement." }
list_title = { en = "Canada", fr = "Canada" }
"""


def make_letter(database_url: str, confirmation: str = "none") -> tuple[str, str]:
    """An open letter with one partner: the partner's attribution token, and what its form seals as shown."""
    return asyncio.run(_make(database_url, confirmation))


async def _make(database_url: str, confirmation: str) -> tuple[str, str]:
    now, seals = datetime.now(UTC), Seals([KEY])
    with tempfile.TemporaryDirectory() as folder:
        toml = TOML.replace('confirmation = "none"', f'confirmation = "{confirmation}"')
        (Path(folder) / "letter.toml").write_text(toml, "utf-8")
        for locale in ("en", "fr"):
            (Path(folder) / f"body.{locale}.md").write_text("A letter.\n", "utf-8")
        token, _ = await load_folder(database_url, Path(folder), now)
    db = Db(database_url)
    await db.connect()
    credit = await Directory(db, seals).credit(token)
    said = await ConsentBook(db, Texts(), lambda: now).current(credit.letter, credit.partner)
    await db.disconnect()
    return token, seal_shown(seals, Shown(credit.letter.id, credit.letter.version, said.version))


async def load_folder(database_url: str, folder: Path, now: datetime) -> tuple[str, tuple[str, ...]]:
    """Loads and opens a letter and adds a partner: its attribution token, and the letter's locales."""
    seals, db = Seals([KEY]), Db(database_url)
    await db.connect()
    await migrate(db)
    loaded = await load_letter(db, folder, now=now, actor="bench")
    await change_letter_status(db, loaded.letter.slug, "open", now=now, actor="bench")
    partner = await add_partner(
        db,
        loaded.letter,
        "maple",
        name="Maple House",
        origins=["http://localhost:8001"],
        now=now,
        actor="bench",
    )
    await db.disconnect()
    return token_of(seals, loaded.letter, partner), tuple(loaded.letter.locales)


async def sign_many(database_url: str, number: int, now: datetime) -> None:
    """Signatures with their events, two each, as the server stores them, without HTTP."""
    db = Db(database_url)
    await db.connect()
    directory = Directory(db, Seals([KEY]))
    letter = await directory.letter("letter")
    assert letter is not None
    house = await directory.house(letter)
    ingest = Ingest(db)
    await ingest.start()
    await asyncio.gather(*(ingest.add(signature(letter.id, house.id, i, now)) for i in range(number)))
    await ingest.stop()
    await db.disconnect()


def signature(letter_id: int, partner_id: int, number: int, now: datetime) -> NewSignature:
    return NewSignature(
        id=new_id(), letter_id=letter_id, partner_id=partner_id, statement="ca", kind="individual",
        status="confirmed", listing="listed", test=False, quarantine=None, name=f"Person {number}", organization=None,
        role=None, organization_website=None, authorized=False, email=f"person{number}@example.org",
        signer_hash=f"hash{number}", country="CA", postal_code=None, city=None, comment=None, locale="en", public=True,
        contact_opt_in=False, partner_opt_in=False, consent_version=None, source="bench", page=None, origin=None,
        origin_flagged=False, text_version=1, shown=True, elapsed=5000, sort_key=f"person {number}",
        address_hash=f"at{number}", client=None, created_at=now, confirmed_at=now,
    )  # fmt: skip
