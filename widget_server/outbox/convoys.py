"""A lane that sends one group after another: for kinds that batch, or that may be sent to only so often.

One thing must stay true: no send begins without a turn taken in the database, so that the pace holds
however many processes deliver.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from math import inf

from widget_server.contract import Event
from widget_server.domain.ids import new_id
from widget_server.outbox.crew import Crew, HeldBack, render
from widget_server.outbox.routes import OurFault, Route, foreign_code
from widget_server.outbox.sending import LEASE_SECONDS, Job
from widget_server.store.deliveries import cancel, claim_these, claimed_work, due_ids, work
from widget_server.store.destinations import find_destination, take_turn

PATIENCE_SECONDS = 5.0


class Convoy:
    """One group after another: looks at what is due, lets the integration plan, claims the group that goes. What an
    integration holds back, for a digest, is asked about every second, but neither read nor rendered every second."""

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
            if row.health.is_held(now):
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
            ids = await due_ids(writer, self._id, limit=route.limits.batch, now=now)
            held_back = crew.held_back.pop(self._id, None)
            if held_back is not None and held_back.ids == ids and not self._goes(route, held_back.events, now):
                crew.held_back[self._id] = held_back
                return False
            works = await work(writer, ids) if ids else []
        if not works:
            return False
        if route.integration.limits({}).batch > 1:
            await crew.routes.fresh_counts()
        jobs, over = await render(crew, route, works, lease)
        if over:
            async with crew.db.write() as writer:
                await claim_these(writer, list(over), lease=lease, now=now, until=until)
                await cancel(writer, over, lease, now)
        try:
            group = self._plan(route, jobs, now)
        except OurFault as fault:
            async with crew.db.write() as writer:
                await claim_these(writer, [job.work.id for job in jobs], lease=lease, now=now, until=until)
            crew.ledger.put([crew.sender.fault(self._id, job.work, lease, fault) for job in jobs])
            return False
        if not group:
            crew.held_back[self._id] = HeldBack(ids, [job.event for job in jobs])
            return bool(over)
        async with crew.db.write() as writer:
            if not await take_turn(writer, self._id, now, route.limits.pace_seconds, probe=route.row.health.rests > 0):
                return True  # another process has just sent: look again
            mine = await claim_these(writer, [job.work.id for job in group], lease=lease, now=now, until=until)
        group = await self._as_claimed(route, [job for job in group if job.work.id in mine], lease, now)
        if group:
            settlements = await crew.sender.send(route, group)
            self.sent += 1
            crew.ledger.put(settlements)
        return True

    async def _as_claimed(self, route: Route, group: Sequence[Job], lease: str, now: datetime) -> list[Job]:
        """The group as it stands since it was claimed: whoever left between the plan and the claim is not sent. Whoever
        leaves from now on finds the lease, and an end is written for them."""
        if not group:
            return []
        crew, planned = self._crew, {job.work.id: job for job in group}
        async with crew.db.write() as writer:
            claimed = await claimed_work(writer, list(planned))
        anew, over = await render(crew, route, [one for one in claimed if one != planned[one.id].work], lease)
        if over:
            async with crew.db.write() as writer:
                await cancel(writer, over, lease, now)
        jobs = planned | {job.work.id: job for job in anew}
        return [jobs[one.id] for one in claimed if one.id not in over]

    def _plan(self, route: Route, jobs: Sequence[Job], now: datetime) -> list[Job]:
        """The first group of the integration's plan, as jobs."""
        if not jobs or route.limits.batch == 1:
            return list(jobs[:1])
        chosen = {event.id for event in self._first_group(route, [job.event for job in jobs], now)}
        return [job for job in jobs if job.event.id in chosen]

    def _goes(self, route: Route, events: Sequence[Event], now: datetime) -> bool:
        """Whether any of what was held back may go by now. Asked of the events as they were: what goes is rendered
        anew. A mistake in the plan is met there too."""
        try:
            return bool(self._first_group(route, events, now))
        except OurFault:
            return True

    def _first_group(self, route: Route, events: Sequence[Event], now: datetime) -> Sequence[Event]:
        last = route.row.health.last_sent_at
        quiet_seconds = inf if last is None else max((now - last).total_seconds(), 0.0)
        with foreign_code(route.row.kind):
            groups = route.integration.plan(
                events, options=route.configuration.options, quiet_seconds=quiet_seconds, now=now
            )
            return next((group for group in groups if group), ())
