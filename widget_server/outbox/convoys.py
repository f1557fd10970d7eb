"""A lane that sends one group after another: for kinds that batch, or that may be sent to only so often.

One thing must stay true: no send begins without a turn taken in the database, so that the pace holds
however many processes deliver.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from math import inf

from widget_server.domain.ids import new_id
from widget_server.outbox.crew import NOTHING_LEFT, Crew, is_held, render
from widget_server.outbox.routes import OurFault, Route, foreign_code
from widget_server.outbox.sending import LEASE_SECONDS, Job
from widget_server.store.deliveries import cancel, claim_these, due_work
from widget_server.store.destinations import find_destination, take_turn

PATIENCE_SECONDS = 5.0


class Convoy:
    """One group after another: looks at what is due, lets the integration plan, claims the group that
    goes."""

    def __init__(self, crew: Crew, destination_id: str) -> None:
        self._crew = crew
        self._id = destination_id
        self._halted = asyncio.Event()
        self.sent = 0

    def nudge(self) -> None:
        """It looks again after every group anyway."""

    def halt(self) -> None:
        self._halted.set()

    async def run(self) -> None:
        while not self._halted.is_set():
            crew, now = self._crew, self._crew.now()
            row = await find_destination(crew.db, self._id)
            if row is None or row.health.status != "active":
                return
            if is_held(row, now):
                assert row.health.not_before is not None
                if not await self._waited((row.health.not_before - now).total_seconds()):
                    return
                continue
            try:
                route = await crew.routes.open(row)
            except OurFault:
                return  # a stream takes it from here
            if not await self._send_one(route, now):
                return
            await crew.ledger.flush()  # the next plan asks when this was sent

    async def _waited(self, seconds: float) -> bool:
        """Whether the pace has been waited out here: not for long, and not where the next round does it."""
        if not self._crew.patient or seconds > PATIENCE_SECONDS:
            return False
        try:
            async with asyncio.timeout(seconds):
                await self._halted.wait()
        except TimeoutError:
            return True
        return False

    async def _send_one(self, route: Route, now: datetime) -> bool:
        """Sends the first group that is to go now; whether there was one."""
        crew, lease = self._crew, new_id()
        until = now + timedelta(seconds=LEASE_SECONDS)
        async with crew.db.write() as writer:
            works = await due_work(writer, self._id, limit=route.limits.batch, now=now)
        if not works:
            return False
        if route.integration.limits({}).batch > 1:
            await crew.routes.fresh_counts()
        jobs, over = await render(crew, route, works, lease)
        if over:
            ids = [one.id for one in over]
            async with crew.db.write() as writer:
                await claim_these(writer, ids, lease=lease, now=now, until=until)
                await cancel(writer, ids, lease, NOTHING_LEFT, now)
        try:
            group = self._plan(route, jobs, now)
        except OurFault as fault:
            async with crew.db.write() as writer:
                await claim_these(writer, [job.work.id for job in jobs], lease=lease, now=now, until=until)
            crew.ledger.put([crew.sender.fault(self._id, job.work, lease, fault) for job in jobs])
            return False
        if not group:
            return bool(over)
        async with crew.db.write() as writer:
            if not await take_turn(writer, self._id, now, route.limits.pace_seconds):
                return True  # another process has just sent: look again
            ids = [job.work.id for job in group]
            mine = await claim_these(writer, ids, lease=lease, now=now, until=until)
        group = [job for job in group if job.work.id in mine]
        if group:
            settlements = await crew.sender.send(route, group)
            self.sent += 1
            crew.ledger.put(settlements)
        return True

    def _plan(self, route: Route, jobs: Sequence[Job], now: datetime) -> list[Job]:
        """The first group of the integration's plan, as jobs."""
        if not jobs or route.limits.batch == 1:
            return list(jobs[:1])
        last = route.row.health.last_sent_at
        quiet_seconds = inf if last is None else max((now - last).total_seconds(), 0.0)
        with foreign_code(route.row.kind):
            groups = route.integration.plan(
                [job.event for job in jobs],
                options=route.configuration.options,
                quiet_seconds=quiet_seconds,
                now=now,
            )
        chosen = {event.id for event in next((group for group in groups if group), ())}
        return [job for job in jobs if job.event.id in chosen]
