"""How attempts ended, on its way into the database: many in one commit.

One thing must stay true: what was put in is written or kept; while the database takes nothing, it waits
here, and the leases see to it that nothing is forgotten should this process end meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from widget_server.domain.refusals import Unavailable
from widget_server.flows.settle import settle
from widget_server.outbox.reports import REFUSED, report
from widget_server.store.db import INTEGRITY_ERRORS, Db
from widget_server.store.deliveries import Settlement

MAX_BATCH = 250
LINGER_SECONDS = 0.02
"""How long a batch gathers. Nobody waits for it but `flush`, which cuts it short; each commit saved is a
round trip to the database's thread less, for which the sends would stand still."""
log = structlog.get_logger(__name__)


class Ledger:
    """Concurrent sends share a commit: while one is under way, the next batch gathers."""

    def __init__(self, db: Db, now: Callable[[], datetime], *, on_events: Callable[[], None]) -> None:
        self._db = db
        self._now = now
        self._on_events = on_events
        self._waiting: list[Settlement] = []
        self._hurry = asyncio.Event()
        self._last = 0
        self._flushes: list[tuple[int, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    def put(self, settlements: Sequence[Settlement]) -> None:
        self._waiting.extend(settlements)
        self._last += len(settlements)
        self.poke()

    def poke(self) -> None:
        """Starts writing where something waits and nobody writes."""
        if self._waiting and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._write(), name="ledger")
            self._task.add_done_callback(self._ended)

    async def flush(self) -> None:
        """Until everything put in so far is written, whatever others go on putting in. Raises
        `Unavailable` where it cannot be written now."""
        if not self._waiting:
            return
        self.poke()
        self._hurry.set()
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._flushes.append((self._last, written))
        await written

    async def _write(self) -> None:
        while self._waiting:
            await self._gather()
            batch = self._waiting[:MAX_BATCH]
            try:
                await self._commit(batch)
            except REFUSED as error:
                log.error("ledger.refused", waiting=len(self._waiting), error=type(error).__name__)
                self._answer(error)
                return
            del self._waiting[: len(batch)]
            self._answer(None)

    def _ended(self, task: asyncio.Task[None]) -> None:
        report("ledger.bug", task)
        if self._flushes:
            self._answer(Unavailable())

    def _answer(self, error: Exception | None) -> None:
        """Tells those who flush: all of them when it failed, else those whose last settlement is written."""
        written = self._last - len(self._waiting)
        told = [one for one in self._flushes if error is not None or one[0] <= written]
        self._flushes = [one for one in self._flushes if one not in told]
        for _, future in told:
            if not future.done():
                if error is None:
                    future.set_result(None)
                else:
                    future.set_exception(Unavailable())

    async def _gather(self) -> None:
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                await self._hurry.wait()
        except TimeoutError:
            pass
        self._hurry.clear()

    async def _commit(self, batch: Sequence[Settlement]) -> None:
        try:
            async with self._db.write() as writer:
                events = await settle(writer, batch, self._now())
        except INTEGRITY_ERRORS as error:
            if len(batch) == 1:  # it cannot be written ever; its lease runs out and it is tried again
                log.error("ledger.unwritable", delivery=batch[0].delivery_id, error=type(error).__name__)
                return
            for one in batch:
                await self._commit([one])
        else:
            if events:
                self._on_events()
