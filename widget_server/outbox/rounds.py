"""What is looked after at intervals, beside delivering: erasing what is kept no longer, telling of spikes.

One thing must stay true: a round that fails is logged and comes again; it ends neither the others nor the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from widget_server.flows.directory import Directory
from widget_server.flows.retention import sweep_in_turn
from widget_server.flows.spikes import EVERY_SECONDS as SPIKES_SECONDS
from widget_server.flows.spikes import tell_of_spikes
from widget_server.outbox.reports import survive
from widget_server.store.db import Db

RETENTION_SECONDS = 300.0
"""How often it is asked whether this hour's turn is free: a server that ended in the middle leaves none for long."""


@dataclass(frozen=True, slots=True)
class Round:
    """Something to do every so many seconds. `name` is what the log calls it."""

    name: str
    every_seconds: float
    work: Callable[[], Coroutine[Any, Any, object]]


def rounds(db: Db, directory: Directory, now: Callable[[], datetime]) -> tuple[Round, ...]:
    """Every process that delivers goes them; each is safe from any number of processes."""
    return (
        Round("retention", RETENTION_SECONDS, lambda: sweep_in_turn(db, directory, now())),
        Round("spikes", float(SPIKES_SECONDS), lambda: tell_of_spikes(db, directory, now())),
    )


async def go(every: Sequence[Round]) -> None:
    """Until cancelled. Each is gone for the first time after its interval: what starts has other things to do."""
    async with asyncio.TaskGroup() as group:
        for one in every:
            group.create_task(_repeat(one), name=f"round {one.name}")


async def _repeat(one: Round) -> None:
    while True:
        await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=one.every_seconds)
        await survive(f"round.{one.name}", one.work())
