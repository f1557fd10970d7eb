"""Clients' addresses as keyed hashes: so that what came from one client within a week can be found together.

One thing must stay true: an address is neither stored nor logged, and its hash under one day's key says nothing about
its hash under another's.
"""

from __future__ import annotations

import asyncio
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import date, datetime
from hmac import digest

from widget_server.domain.clients import household
from widget_server.domain.refusals import Unavailable
from widget_server.store.client_keys import all_keys, find_key, keep_key
from widget_server.store.db import DRIVER_ERRORS, Db

_DAYS_HELD = 3
"""A clock that is set back or forward by a day finds the key that it had."""


class ClientBook:
    """`now` gives aware UTC times. Keys are read once a day and held."""

    def __init__(self, db: Db, now: Callable[[], datetime]) -> None:
        self._db = db
        self._now = now
        self._keys: dict[date, bytes] = {}
        self._finding = asyncio.Lock()

    async def today(self, client: str) -> str:
        """A client's hash under today's key, 22 characters. Raises `Unavailable`."""
        day = self._now().date()
        key = self._keys.get(day)
        return _hashed(await self._key(day) if key is None else key, client)

    async def every(self, client: str) -> list[str]:
        """Its hash under each key that still exists, today's first; `client` as an IP address in any spelling."""
        return [_hashed(key, household(client)) for key in await all_keys(self._db)]

    async def _key(self, day: date) -> bytes:
        async with self._finding:
            if day not in self._keys:
                try:
                    key = await find_key(self._db, day) or await self._make(day)
                except DRIVER_ERRORS as error:
                    raise Unavailable() from error
                self._keys[day] = key
                for old in sorted(self._keys, key=lambda held: abs(held - day))[_DAYS_HELD:]:
                    del self._keys[old]
            return self._keys[day]

    async def _make(self, day: date) -> bytes:
        async with self._db.write() as writer:
            return await keep_key(writer, day, secrets.token_bytes(32))


def _hashed(key: bytes, client: str) -> str:
    return urlsafe_b64encode(digest(key, client.encode(), "sha256")[:16])[:22].decode("ascii")
