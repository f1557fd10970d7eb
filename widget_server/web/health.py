"""GET /healthz: alive. GET /readyz: able to store. For load balancers and whoever is on call.

One thing must stay true: `ready` means that a write has just been committed, not that it was once possible.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from widget_server.domain.refusals import Unavailable
from widget_server.store.db import DRIVER_ERRORS, Db
from widget_server.store.readiness import write_nothing
from widget_server.web.site import site_of

PATIENCE_SECONDS = 3.0
_FRESH_SECONDS = 1.0


class Probe:
    """One write at a time, however many ask; its outcome holds for a second."""

    def __init__(
        self,
        *,
        write: Callable[[Db], Awaitable[None]] = write_nothing,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._writes = write
        self._patience_seconds = patience_seconds
        self._task: asyncio.Task[bool] | None = None
        self._done_at = float("-inf")

    async def ready(self, db: Db) -> bool:
        if self._task is None or (self._task.done() and time.monotonic() - self._done_at > _FRESH_SECONDS):
            self._task = asyncio.create_task(self._write(db), name="readiness")
        # Waited for, not cancelled: a cancelled write would leave its transaction open.
        done, _ = await asyncio.wait({self._task}, timeout=self._patience_seconds)
        return bool(done) and self._task.result()

    async def _write(self, db: Db) -> bool:
        try:
            await self._writes(db)
        except (Unavailable, *DRIVER_ERRORS):
            return False
        finally:
            self._done_at = time.monotonic()
        return True


_HEADERS = {"cache-control": "no-store"}


async def healthz(_request: Request) -> Response:
    return JSONResponse({"status": "alive"}, headers=_HEADERS)


async def readyz(request: Request) -> Response:
    """200 `ready`, or 503 `not ready` where a signature could not be stored now."""
    site = site_of(request)
    ready = site.ingest.running and await site.probe.ready(site.db)
    if ready:
        return JSONResponse({"status": "ready"}, headers=_HEADERS)
    return JSONResponse({"status": "not ready"}, status_code=503, headers=_HEADERS | {"retry-after": "2"})


ROUTES = [Route("/healthz", healthz), Route("/readyz", readyz)]
