"""Group commit: requests queue, one task writes each batch in one transaction, then answers all of them.

One thing must stay true: whoever gets an answer from `add` has their signature, its events and its count on disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from widget_server.domain.refusals import Unavailable
from widget_server.store.db import DRIVER_ERRORS, INTEGRITY_ERRORS, Db
from widget_server.store.new_signatures import (
    NO_EXTRAS,
    Arrival,
    Extras,
    NewSignature,
    Stored,
    write_signatures,
)

log = structlog.get_logger(__name__)

MAX_BATCH = 256
MAX_QUEUE = 4096
RETRY_AFTER_SECONDS = 2

_Waiting = tuple[Arrival, "asyncio.Future[Stored]"]


class Ingest:
    """The one way in for signatures. `on_commit` is called after each batch that made events."""

    def __init__(self, db: Db, *, on_commit: Callable[[], None] = lambda: None, max_queue: int = MAX_QUEUE) -> None:
        self.db = db
        self.on_commit = on_commit
        self._max_queue = max_queue
        self._waiting: list[_Waiting] = []
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="ingest")

    async def stop(self) -> None:
        """Writes what is queued, then ends."""
        task, self._task = self._task, None
        if task is not None:
            self._arrived.set()
            await task

    @property
    def running(self) -> bool:
        return self._task is not None and not self._task.done()

    async def add(self, signature: NewSignature, extras: Extras = NO_EXTRAS) -> Stored:
        """Waits until it is durable. Raises `Unavailable` when it cannot be now, `WorkSpent` when its proof of work had
        bought another, `IdTaken` when another letter has the `id`; nothing is stored then."""
        if not self.running or len(self._waiting) >= self._max_queue:
            raise Unavailable(retry_after_seconds=RETRY_AFTER_SECONDS)
        future: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        self._waiting.append(((signature, extras), future))
        self._arrived.set()
        return await future

    async def _run(self) -> None:
        while True:
            if not self._waiting:
                if self._task is None:
                    return
                await self._arrived.wait()
            self._arrived.clear()
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            if batch:
                await self._commit(batch)

    async def _commit(self, batch: Sequence[_Waiting]) -> None:
        try:
            stored = await self.db.transact(write_signatures(self.db.engine, [arrival for arrival, _ in batch]))
        except INTEGRITY_ERRORS as error:
            if len(batch) > 1:  # a bad row must not fail its neighbours: each gets a transaction of its own
                for waiting in batch:
                    await self._commit([waiting])
            else:
                _fail(batch, error)
        except (Unavailable, *DRIVER_ERRORS) as error:
            _fail(batch, Unavailable(retry_after_seconds=RETRY_AFTER_SECONDS))
            log.error("ingest.refused", waiting=len(batch), error=type(error).__name__)
        except Exception as error:  # noqa: BLE001  a bug must reach its requests as a 500; else they would hang for ever
            _fail(batch, error)
        else:
            for (_, future), result in zip(batch, stored, strict=True):
                with suppress(asyncio.InvalidStateError):  # its client has gone; the signature is stored all the same
                    if isinstance(result, Exception):
                        future.set_exception(result)
                    else:
                        future.set_result(result)
            self.on_commit()


def _fail(batch: Sequence[_Waiting], error: Exception) -> None:
    for _, future in batch:
        with suppress(asyncio.InvalidStateError):
            future.set_exception(error)
