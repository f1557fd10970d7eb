"""A lane with several sends under way at once, each of one event.

One thing must stay true: a delivery is begun only while its lease outlasts the attempt; else it is let go,
and claimed anew.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from widget_server.domain.deliveries import PROBE, Health, Verdict, after_attempt
from widget_server.domain.ids import new_id
from widget_server.outbox.crew import Crew, render
from widget_server.outbox.reports import REFUSED
from widget_server.outbox.routes import OurFault, Route
from widget_server.outbox.sending import LEASE_SECONDS, Job
from widget_server.store.deliveries import cancel, claim, claimed_work, let_go
from widget_server.store.destinations import find_destination, take_turn

MOST_CLAIMED = 128

log = structlog.get_logger(__name__)


class Stream:
    """Several sends at once, each of one event. Claims about a second's work ahead."""

    def __init__(self, crew: Crew, destination_id: str) -> None:
        self._crew = crew
        self._id = destination_id
        self._workers: set[asyncio.Task[None]] = set()
        self._width = 1
        self._claiming = asyncio.Lock()
        self._ready: deque[tuple[Route, Job, float]] = deque()
        self._dry = False
        self._halted = False
        self._claim_size = 8
        self._claimed_at = float("-inf")
        self._health: Health | None = None
        self.sent = 0

    def nudge(self) -> None:
        self._dry = False
        self._widen()

    def halt(self) -> None:
        self._halted = True

    async def run(self) -> None:
        self._widen()
        try:
            while self._workers:
                done, _ = await asyncio.wait(self._workers, return_when=asyncio.FIRST_COMPLETED)
                self._workers -= done
                for worker in done:
                    worker.result()
        finally:
            for worker in self._workers:
                worker.cancel()
            held = [job for _, job, _ in self._ready]
            self._ready.clear()
            await self._let_go(held)

    def _widen(self) -> None:
        if len(self._workers) < self._width and not self._halted:
            self._workers.add(asyncio.create_task(self._work(), name=f"stream {self._id}"))

    async def _work(self) -> None:
        while (found := await self._next()) is not None:
            route, job, claimed_at = found
            if asyncio.get_running_loop().time() - claimed_at > self._crew.sender.fresh_seconds:
                await self._let_go([job])  # its lease would not outlast the attempt; it is claimed anew
                continue
            settlements = await self._crew.sender.send(route, [job])
            self.sent += 1
            self._crew.ledger.put(settlements)
            await self._look_at(settlements[0].verdict)

    async def _look_at(self, verdict: Verdict) -> None:
        """Whether to go on, by what the database will say of the destination's health once it has this result."""
        assert self._health is not None
        probed = self._health.is_on_probation
        self._health = after_attempt(self._health, verdict, self._crew.now()).health
        if self._health.is_held(self._crew.now()):
            self.halt()
        elif probed and not self._health.is_on_probation:
            await self._crew.ledger.flush()  # whoever claims next asks the database whether it is well again
            self.nudge()

    async def _next(self) -> tuple[Route, Job, float] | None:
        async with self._claiming:
            while not self._ready and not self._dry and not self._halted:
                self._dry = True  # before asking: a nudge meanwhile makes us ask again
                try:
                    await self._claim()
                except REFUSED as error:
                    log.warning("lane.stopped", destination=self._id, error=type(error).__name__)
                    self.halt()  # what is under way is finished; the next round tries again
        if self._halted or not self._ready:
            return None
        found = self._ready.popleft()
        if self._ready:
            self._widen()
        return found

    async def _claim(self) -> None:
        crew, now, lease = self._crew, self._crew.now(), new_id()
        async with crew.db.write() as writer:
            row = await find_destination(writer, self._id)
            if row is None or row.health.is_held(now):
                return
            size, self._health = self._size(), row.health
            if self._health.is_on_probation:
                if not await take_turn(writer, self._id, now, PROBE.total_seconds(), probe=True):
                    return
                size, self._health = 1, replace(self._health, not_before=now + PROBE, sampled_at=now)
            until = now + timedelta(seconds=LEASE_SECONDS)
            ids = await claim(writer, self._id, limit=size, lease=lease, now=now, until=until)
        if not ids:
            return
        async with crew.db.write() as writer:
            works = await claimed_work(writer, ids)
        self._dry = False
        claimed_at = asyncio.get_running_loop().time()
        try:
            route = await crew.routes.open(row)
        except OurFault as fault:
            crew.ledger.put([crew.sender.fault(self._id, one, lease, fault) for one in works])
            self.sent += len(works)
            return
        jobs, over = await render(crew, route, works, lease)
        if over:
            async with crew.db.write() as writer:
                await cancel(writer, over, lease, now)
        self._width = max(route.limits.in_flight, 1)
        self._ready.extend((route, job, claimed_at) for job in jobs)

    def _size(self) -> int:
        """How many to claim: about a second's work, so that little is held by a process that ends."""
        at = asyncio.get_running_loop().time()
        took, self._claimed_at = at - self._claimed_at, at
        if took < 1:
            self._claim_size = min(self._claim_size * 2, MOST_CLAIMED)
        elif took > 4:
            self._claim_size = max(self._claim_size // 2, 4)
        return self._claim_size

    async def _let_go(self, jobs: Sequence[Job]) -> None:
        if jobs:
            async with self._crew.db.write() as writer:
                for job in jobs:
                    await let_go(writer, [job.work.id], job.lease)
