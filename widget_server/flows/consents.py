"""When a form is drawn: say what its consent boxes say, and keep those words for as long as signatures point
to them.

One thing must stay true: no version is given out before the wording that it names is in the database.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from widget_server.domain.consents import Consents, Texts, consent_version, wordings
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.refusals import Unavailable
from widget_server.store.consents import remember
from widget_server.store.db import DRIVER_ERRORS, Db


class ConsentBook:
    """`current` is called for each form that is drawn; a version is written once, and known to be from then on."""

    def __init__(self, db: Db, texts: Texts, now: Callable[[], datetime]) -> None:
        self._db = db
        self._texts = texts
        self._now = now
        self._kept: set[str] = set()

    async def current(self, letter: Letter, partner: Partner) -> Consents:
        """The boxes of this letter and partner in every locale, with their version. Raises `Unavailable`."""
        said = wordings(letter, partner, self._texts)
        version = consent_version(partner.id, said)
        if version not in self._kept:
            try:
                await remember(self._db, partner.id, version, said, self._now())
            except DRIVER_ERRORS as error:
                raise Unavailable() from error
            self._kept.add(version)
        return Consents(version, said)
