"""Consent wordings are written once and stay."""

from __future__ import annotations

from tests.conftest import Clock
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.flows.consents import ConsentBook
from widget_server.i18n import Texts
from widget_server.store.consents import remember, wording
from widget_server.store.db import Db


async def test_a_version_keeps_its_first_words(db: Db, partner: Partner, clock: Clock) -> None:
    assert await wording(db, "0" * 16) is None
    said = {"fr": {"partner": "« Oui » & non"}, "en": {}}
    await remember(db, partner.id, "0" * 16, said, clock())
    await remember(db, partner.id, "0" * 16, {"en": {"partner": "else"}}, clock())
    assert await wording(db, "0" * 16) == said


async def test_a_form_is_drawn_on_words_that_are_kept(
    db: Db, texts: Texts, letter: Letter, partner: Partner, clock: Clock
) -> None:
    book = ConsentBook(db, texts, clock)
    consents = await book.current(letter, partner)
    assert await wording(db, consents.version) == consents.by_locale
    assert await book.current(letter, partner) == consents
