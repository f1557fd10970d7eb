"""Delivers what was promised: events become deliveries, and each destination with due work gets a lane of
its own.

One thing must stay true: nothing that a target, an integration or a bug does ends the loop; only its owner
does, by cancelling `run`. Everything it needs to know is in the database, so that it may be killed at any
point, and any number of them may run side by side.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from widget_server import __version__
from widget_server.contract import Integration, Renderer
from widget_server.domain.addresses import Network
from widget_server.domain.vault import Vault
from widget_server.flows.announce import announce, next_change
from widget_server.flows.directory import Directory
from widget_server.flows.fan_out import fan_out
from widget_server.outbox.crew import Crew
from widget_server.outbox.lanes import Lane
from widget_server.outbox.ledger import Ledger
from widget_server.outbox.mail_lane import MailLane, MailOut
from widget_server.outbox.owner_lane import OwnerLane
from widget_server.outbox.reports import REFUSED, report, survive
from widget_server.outbox.routes import Routes
from widget_server.outbox.schedule import Dice
from widget_server.outbox.sending import DEADLINE_SECONDS, Keeping, Sender
from widget_server.store.db import Db
from widget_server.store.destinations import active, due
from widget_server.store.mails import any_mail_due
from widget_server.store.pulse import pulse

if TYPE_CHECKING:
    from widget_server.outbox.addresses import Lookup

TICK_SECONDS = 1.0
LINGER_SECONDS = 0.02
"""Least time between two fan-outs: commits that follow closely share one."""
MAIL_LOOK_SECONDS = 0.2
"""Least time between two looks for mails besides the tick's: on a viral day each commit would ask."""
GRACE_SECONDS = 3.0
"""How long sends that are under way may go on once the loop is told to end."""
LOOK_AGAIN_SECONDS = 30.0

log = structlog.get_logger(__name__)


class Dispatcher:
    """One loop. `wake` after each commit that wrote events makes delivery start at once."""

    def __init__(
        self,
        *,
        db: Db,
        directory: Directory,
        vault: Vault,
        registry: Mapping[str, Integration],
        texts: Renderer,
        public_url: str,
        egress_allow: Sequence[Network],
        now: Callable[[], datetime],
        mail: MailOut | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
        lookup: Lookup | None = None,
        dice: Dice = random.uniform,
    ) -> None:
        self._db = db
        self._directory = directory
        self._kinds = registry
        self._now = now
        self._sender = Sender(
            texts=texts,
            public_url=public_url,
            version=__version__,
            egress_allow=egress_allow,
            now=now,
            deadline_seconds=deadline_seconds,
            lookup=lookup,
            dice=dice,
            keeping=Keeping(db, vault),
            mailing=mail.mailing if mail else None,
        )
        self._ledger = Ledger(db, now, on_events=self.wake)
        self._routes = Routes(directory=directory, vault=vault, kinds=registry, public_url=public_url)
        self._lanes: dict[str, tuple[Lane, asyncio.Task[None]]] = {}
        self._mail = mail
        self._mail_lane: MailLane | None = None
        self._owner_lane: OwnerLane | None = None
        if mail is not None:
            self._mail_lane = MailLane(mail, db=db, directory=directory, ledger=self._ledger, now=now, dice=dice)
            self._owner_lane = OwnerLane(
                mail.mailing,
                texts,
                mail.writer.layout,
                db=db,
                directory=directory,
                ledger=self._ledger,
                now=now,
                dice=dice,
            )
        self._mail_task: asyncio.Task[None] | None = None
        self._owner_task: asyncio.Task[None] | None = None
        self._mail_looked_at = float("-inf")
        self._woken = asyncio.Event()
        self._events_came = True
        self._revision = -1
        self._announce_at: datetime | None = None
        self._looked_at = float("-inf")
        self._ticked_at = float("-inf")
        self._linger_seconds = LINGER_SECONDS

    def wake(self) -> None:
        """Events were written. Cheap, never blocks."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled; then gives sends that are under way a moment, and writes their results."""
        crew = self._crew(patient=True)
        try:
            while True:
                woken = self._woken.is_set()
                self._woken.clear()
                await survive("dispatcher.pass", self._pass(crew, woken))
                await self._rest()
        finally:
            await self._end()

    async def drain(self) -> None:
        """Tries everything that is due at this moment, and what follows from it, until nothing is. For
        tests and for a machine that runs it by hand; not beside `run`."""
        crew = self._crew(patient=False)
        await announce(self._db, self._directory, self._now())
        while True:
            told = await fan_out(self._db, self._kinds, self._now())
            lanes: list[Lane | MailLane | OwnerLane] = [Lane(crew, id_) for id_ in await due(self._db, self._now())]
            lanes += [lane for lane in (self._mail_lane, self._owner_lane) if lane]
            await asyncio.gather(*(lane.run() for lane in lanes))
            if not told.events and not any(lane.sent for lane in lanes):
                return

    async def aclose(self) -> None:
        """Closes kept connections. `run` does it by itself."""
        await self._sender.aclose()
        if self._mail:
            await self._mail.transport.aclose()

    def _crew(self, *, patient: bool) -> Crew:
        return Crew(self._db, self._ledger, self._routes, self._sender, self._now, patient)

    async def _rest(self) -> None:
        """Until the next tick, or until woken, but then not sooner than `_linger_seconds` from now."""
        loop = asyncio.get_running_loop()
        ended_at = loop.time()
        if await self._woken_within(self._ticked_at + TICK_SECONDS - ended_at):
            await self._unless_cancelled(ended_at + self._linger_seconds - loop.time())

    async def _woken_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await self._woken.wait()
        except TimeoutError:
            return False
        return True

    async def _unless_cancelled(self, seconds: float) -> None:
        if seconds > 0:
            await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=seconds)

    async def _pass(self, crew: Crew, woken: bool) -> None:
        """One round: fan out what waits, start lanes, and once a second look at the whole."""
        if woken:
            await self._fan_out(crew)
            await self._look_for_mail()
        loop = asyncio.get_running_loop()
        if loop.time() - self._ticked_at >= TICK_SECONDS:
            self._ticked_at = loop.time()
            await self._tick(crew)

    async def _tick(self, crew: Crew) -> None:
        self._ledger.poke()
        seen = await pulse(self._db, self._now())
        if seen.waiting:
            await self._fan_out(crew)
        if self._must_announce(seen.revision):
            await self._announce(seen.revision)
        if self._lanes:
            going = await active(self._db, list(self._lanes))
            for id_, (lane, _) in self._lanes.items():
                if id_ not in going:
                    lane.halt()
        if seen.due:
            for id_ in await due(self._db, self._now()):
                self._start(crew, id_)
        if seen.mail:
            self._start_mail()
        if self._mail:
            self._mail.transport.rest()

    async def _fan_out(self, crew: Crew) -> None:
        while True:
            told = await fan_out(self._db, self._kinds, self._now())
            self._events_came = self._events_came or told.events > 0
            self._linger_seconds = LINGER_SECONDS if told.listeners else TICK_SECONDS
            for id_ in told.destinations:
                self._start(crew, id_)
            if not told.more:
                return

    def _must_announce(self, revision: int) -> bool:
        """Whether a letter may have opened, closed or passed a milestone since we last looked."""
        due_at = self._announce_at
        at = asyncio.get_running_loop().time()
        return (
            revision != self._revision
            or self._events_came
            or (due_at is not None and self._now() >= due_at)
            or at - self._looked_at >= LOOK_AGAIN_SECONDS
        )

    async def _announce(self, revision: int) -> None:
        self._events_came = False
        written = await announce(self._db, self._directory, self._now())
        self._announce_at = next_change(await self._directory.letters(), self._now())
        self._revision = revision
        self._looked_at = asyncio.get_running_loop().time()
        if written:
            self.wake()

    def _start(self, crew: Crew, destination_id: str) -> None:
        known = self._lanes.get(destination_id)
        if known is not None and not known[1].done():
            known[0].nudge()
            return
        lane = Lane(crew, destination_id)
        task = asyncio.create_task(lane.run(), name=f"lane {destination_id}")
        task.add_done_callback(lambda ended: self._lane_ended(destination_id, ended))
        self._lanes[destination_id] = (lane, task)

    async def _look_for_mail(self) -> None:
        """Ahead of the next tick, unless we have just looked."""
        at = asyncio.get_running_loop().time()
        if self._mail_lane is not None and at - self._mail_looked_at >= MAIL_LOOK_SECONDS:
            self._mail_looked_at = at
            if await any_mail_due(self._db, self._now()):
                self._start_mail()

    def _start_mail(self) -> None:
        if self._mail_lane is None or self._owner_lane is None:
            return
        if self._owner_task is None or self._owner_task.done():
            self._owner_task = asyncio.create_task(self._owner_lane.run(), name="lane owner mail")
            self._owner_task.add_done_callback(lambda ended: report("mail.bug", ended))
        if self._mail_task is not None and not self._mail_task.done():
            self._mail_lane.nudge()
            return
        self._mail_task = asyncio.create_task(self._mail_lane.run(), name="lane mail")
        self._mail_task.add_done_callback(lambda ended: report("mail.bug", ended))

    def _lane_ended(self, destination_id: str, task: asyncio.Task[None]) -> None:
        known = self._lanes.get(destination_id)
        if known is not None and known[1] is task:
            del self._lanes[destination_id]
        report("lane.bug", task, destination=destination_id)

    async def _end(self) -> None:
        tasks = [task for _, task in self._lanes.values()]
        for lane, _ in list(self._lanes.values()):
            lane.halt()
        for mails, task in ((self._mail_lane, self._mail_task), (self._owner_lane, self._owner_task)):
            if mails and task:
                mails.halt()
                tasks.append(task)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=GRACE_SECONDS)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        try:
            await self._ledger.flush()
        except REFUSED as error:
            log.error("dispatcher.results_lost", error=type(error).__name__)
        await self.aclose()
