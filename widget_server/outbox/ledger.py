"""How attempts ended, on its way into the database: many in one commit.

One thing must stay true: what was put in is written or kept; while the database takes nothing, it waits
here, and the leases see to it that nothing is forgotten should this process end meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from widget_server.domain.refusals import Unavailable
from widget_server.flows.settle import settle
from widget_server.outbox import schedule
from widget_server.outbox.reports import REFUSED, report
from widget_server.store.db import INTEGRITY_ERRORS, Db
from widget_server.store.deliveries import Settlement

MAX_BATCH = 250
LINGER_SECONDS = 0.05
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
        self._most = MAX_BATCH
        self._bare: Settlement | None = None
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
            batch = self._waiting[: self._most]
            try:
                await self._commit(batch)
            except REFUSED as error:
                log.error("ledger.refused", waiting=len(self._waiting), error=type(error).__name__)
                self._answer(error)
                return
            del self._waiting[: len(batch)]
            self._most = min(self._most * 2, MAX_BATCH)
            self._answer(None)

    def _ended(self, task: asyncio.Task[None]) -> None:
        report("ledger.bug", task)
        if not task.cancelled() and task.exception() is not None:
            self._set_aside()
        if self._task is task and self._flushes:  # else another writes for them by now
            self._answer(Unavailable())

    def _set_aside(self) -> None:
        """After a mistake of ours with one result: the next are written one by one, and the one that it was is written
        bare, so that it does not keep all others from being written. If even that is a mistake, its lease runs out."""
        if self._most == 1 and self._waiting:
            log.error("ledger.unwritable", delivery=self._waiting[0].delivery_id)
            if self._waiting[0] is self._bare:
                del self._waiting[0]
            else:
                self._waiting[0] = self._bare = bare(self._waiting[0], self._now())
        self._most = 1

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
        counts = batch[0] is not self._bare  # that one is alone: all that can be kept of it is what became of it
        try:
            events = await self._db.at_once(lambda writer: settle(writer, batch, self._now(), counts=counts))
        except INTEGRITY_ERRORS as error:
            if len(batch) > 1:
                for one in batch:
                    await self._commit([one])
                return
            log.error("ledger.unwritable", delivery=batch[0].delivery_id, error=type(error).__name__)
            if counts:  # else it cannot be written ever; its lease runs out and it is tried again
                self._bare = bare(batch[0], self._now())
                await self._commit([self._bare])
        else:
            if events:
                self._on_events()


def bare(one: Settlement, at: datetime) -> Settlement:
    """A result that cannot be written as it is, without anything that came from elsewhere: what is over stays over, and
    what is to be tried again is, after the schedule's delays and not for ever."""
    return replace(one, verdict=schedule.unwritten(one.verdict, at), note=None, mail=None)
