"""When a partner's page loads the widget: that this origin was seen, and when. For the webmaster's page.

One thing must stay true: whoever loads a widget waits for nothing here. What was seen is held in memory, and written by
a task of its own, each origin at most about once a minute.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from widget_server.domain.partners import Partner
from widget_server.domain.refusals import Unavailable
from widget_server.domain.sightings import KEPT, is_named
from widget_server.store.db import DRIVER_ERRORS, Db
from widget_server.store.sightings import forget_beyond, note_sightings

log = structlog.get_logger(__name__)

EVERY = timedelta(minutes=1)
_NEW_ONES_EVERY = timedelta(hours=1)
_GATHER_SECONDS = 0.5

_Key = tuple[int, str]


class Sightings:
    """What one server sees. `own` is our own origin, on which nothing is a partner's page."""

    def __init__(self, db: Db, own: str | None, now: Callable[[], datetime]) -> None:
        self._db = db
        self._own = own
        self._now = now
        self._seen: dict[_Key, datetime] = {}
        self._written: dict[_Key, datetime] = {}
        self._partners: dict[int, Partner] = {}
        self._strangers: dict[int, set[str]] = defaultdict(set)
        self._strangers_since = now()
        self._due = asyncio.Event()

    def saw(self, partner: Partner, origin: str | None) -> None:
        """Notes that a page of this origin has loaded the partner's widget."""
        if origin is None or origin == self._own or partner.is_house:
            return
        key, at = (partner.id, origin), self._now()
        written = self._written.get(key)
        if written is not None and at - written < EVERY:
            return
        if not is_named(partner, origin) and not self._room_for(key, at):
            return
        self._seen[key] = at
        self._partners[partner.id] = partner
        self._due.set()

    def _room_for(self, key: _Key, at: datetime) -> bool:
        """Whether one more origin that a partner has not named is worth a note: `KEPT` within an hour are."""
        if at - self._strangers_since >= _NEW_ONES_EVERY:
            self._strangers.clear()
            self._written = {key: written for key, written in self._written.items() if at - written < EVERY}
            self._strangers_since = at
        known = self._strangers[key[0]]
        if key[1] not in known and len(known) >= KEPT:
            return False
        known.add(key[1])
        return True

    async def run(self) -> None:
        """Writes what was seen, for as long as the server runs."""
        while True:
            await self._due.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            await self.write()

    async def write(self) -> None:
        """Writes what was seen since the last time. What cannot be written now is seen again before long."""
        self._due.clear()
        seen, self._seen = self._seen, {}
        if not seen:
            return
        self._written |= seen
        try:
            async with self._db.write() as writer:
                await note_sightings(writer, seen)
                for partner_id in sorted({partner_id for partner_id, _ in seen}):
                    await forget_beyond(writer, partner_id, KEPT, self._partners[partner_id].origins)
        except (Unavailable, *DRIVER_ERRORS) as error:
            log.warning("sightings.not_written", error=type(error).__name__)
