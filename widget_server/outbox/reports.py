"""What the log says of a task that failed.

One thing must stay true: where and as what, never the message, which may quote what was being sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from traceback import extract_tb
from typing import Any

import structlog

from widget_server.domain.refusals import Unavailable
from widget_server.store.db import DRIVER_ERRORS

REFUSED: tuple[type[Exception], ...] = (Unavailable, *DRIVER_ERRORS)
"""The database takes nothing now; it may in a moment."""

log = structlog.get_logger(__name__)


def report(what: str, task: asyncio.Task[Any], **ids: str) -> None:
    """Logs how a task failed: where and as what, never with the message, which may quote what was being
    sent."""
    if task.cancelled():
        return
    error = task.exception()
    if error is None:
        return
    if isinstance(error, REFUSED):
        log.warning(what, error=type(error).__name__, **ids)
        return
    frame = extract_tb(error.__traceback__)[-1]
    log.error(what, error=type(error).__name__, at=f"{frame.filename}:{frame.lineno}", **ids)


async def survive(what: str, work: Coroutine[Any, Any, object]) -> None:
    """Waits for `work` and reports what went wrong with it: whoever calls goes on, and tries again."""
    task = asyncio.create_task(work, name=what)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait([task])
        raise
    report(what, task)
