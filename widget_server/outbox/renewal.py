"""Renewing what a destination keeps: tokens that expire, some of which may be used only once.

One thing must stay true: one renewal runs at a time whichever process asks, and what it gave is stored before it is
used. A process that ends in the middle leaves a lease that runs out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from widget_server.contract import Kept, Temporary
from widget_server.domain.ids import new_id
from widget_server.domain.vault import Unsealable, Vault
from widget_server.store.db import Db
from widget_server.store.renewals import find_kept, keep, take_renewal

LEASE_SECONDS = 20.0
"""Longer than any attempt: whoever renews has ended by then, or is no more."""
LOOK_AGAIN_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Renewal:
    """The `Renew` of the contract, for one destination."""

    db: Db
    vault: Vault
    destination_id: str
    now: Callable[[], datetime]

    async def __call__(self, stale: Kept, make: Callable[[Kept], Awaitable[Kept]]) -> Kept:
        lease = new_id()
        while True:
            async with self.db.write() as writer:
                now = self.now()
                sealed = await find_kept(writer, self.destination_id)
                kept = opened(self.vault, sealed)
                if kept != dict(stale):
                    return kept
                until = now + timedelta(seconds=LEASE_SECONDS)
                mine = await take_renewal(writer, self.destination_id, lease, now=now, until=until)
            if mine:
                break
            await asyncio.sleep(LOOK_AGAIN_SECONDS)  # somebody else renews it; the attempt's deadline ends the wait
        fresh: Kept | None = None
        try:
            fresh = dict(await make(kept))
        finally:
            # Also where the attempt is being ended: what a target has given once it may never give again.
            await asyncio.shield(asyncio.ensure_future(self._store(lease, fresh)))
        return fresh

    async def _store(self, lease: str, fresh: Kept | None) -> None:
        sealed = None if fresh is None else self.vault.seal(dict(fresh))
        async with self.db.write() as writer:
            stored = await keep(writer, self.destination_id, lease, sealed)
        if fresh is not None and not stored:
            raise Temporary("renewed_elsewhere", "another process has renewed it meanwhile")


def opened(vault: Vault, sealed: str | None) -> Kept:
    """What a destination keeps; nothing, where its key is gone."""
    if sealed is None:
        return {}
    try:
        return {str(key): str(value) for key, value in vault.open(sealed).items()}
    except Unsealable:
        return {}
