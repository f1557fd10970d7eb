"""One attempt: from claimed work to what became of it.

One thing must stay true: whatever an integration does, each delivery that was begun gets a verdict and an
attempt row.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from widget_server.contract import DeliveryError, Event, Renderer, Temporary, Tools
from widget_server.domain.addresses import Network
from widget_server.domain.deliveries import Outcome, Verdict
from widget_server.domain.ids import new_id
from widget_server.outbox import schedule
from widget_server.outbox.routes import OurFault, Route, foreign_code
from widget_server.store.deliveries import Settlement, Work

if TYPE_CHECKING:
    from widget_server.outbox.addresses import Lookup
    from widget_server.outbox.egress import Egress

DEADLINE_SECONDS = 15.0
LEASE_SECONDS = 25.0
"""The deadline and a margin for writing the result: after a crash, work is taken up again within 30 s."""
_MARGIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed delivery and what is to be sent."""

    work: Work
    event: Event
    lease: str


class Sender:
    """Sends jobs. The guarded client is made with the first one: until then, nothing of it is even
    imported."""

    def __init__(
        self,
        *,
        texts: Renderer,
        public_url: str,
        version: str,
        egress_allow: Sequence[Network],
        now: Callable[[], datetime],
        deadline_seconds: float = DEADLINE_SECONDS,
        lookup: Lookup | None = None,
        dice: schedule.Dice = random.uniform,
    ) -> None:
        self._texts = texts
        self._public_url = public_url
        self._user_agent = f"Undersigned/{version} (+{public_url})"
        self._egress_allow = egress_allow
        self._now = now
        self._deadline_seconds = deadline_seconds
        self._lookup = lookup
        self._dice = dice
        self._egress: Egress | None = None

    @property
    def fresh_seconds(self) -> float:
        """How long after it was claimed a job may still be begun: its lease must outlast the attempt."""
        return LEASE_SECONDS - self._deadline_seconds - 2 * _MARGIN_SECONDS

    async def aclose(self) -> None:
        egress, self._egress = self._egress, None
        if egress is not None:
            await egress.aclose()

    def egress(self) -> Egress:
        if self._egress is None:
            # Imported here: it brings the HTTP client with it, 20 MB that an idle server does without.
            from widget_server.outbox.addresses import system_lookup
            from widget_server.outbox.egress import Egress

            self._egress = Egress(
                allowed=self._egress_allow,
                public_url=self._public_url,
                user_agent=self._user_agent,
                deadline_seconds=self._deadline_seconds,
                lookup=self._lookup or system_lookup,
            )
        return self._egress

    async def send(self, route: Route, jobs: Sequence[Job]) -> list[Settlement]:
        """Sends the jobs as one group; never raises for what the target or the integration does."""
        loop = asyncio.get_running_loop()
        started_at, began = self._now(), loop.time()
        judge = await self._attempt(route, [job.event for job in jobs])
        took = loop.time() - began
        return [settlement(route, job, judge(job.work), started_at, took) for job in jobs]

    def fault(self, route_id: str, work: Work, lease: str, fault: OurFault) -> Settlement:
        """A delivery that could not even be begun, through no fault of its destination."""
        at = self._now()
        verdict = schedule.bug(fault.code, work.attempts, at, self._dice)
        return Settlement(new_id(), work.id, route_id, lease, at, 0.0, verdict)

    async def _attempt(self, route: Route, events: Sequence[Event]) -> Callable[[Work], Verdict]:
        kind = route.integration
        tools = Tools(self.egress().client(route.limits.hosts), self._texts, self._now)
        destination = route.destination(self._now())
        limit = asyncio.timeout(self._deadline_seconds + _MARGIN_SECONDS)
        rolled = self._dice(1 - schedule.SPREAD, 1 + schedule.SPREAD)

        def dice(_low: float, _high: float) -> float:
            return rolled  # once for the group: what failed together is tried again together

        try:
            with foreign_code(route.row.kind):
                async with limit:
                    response = await kind.send(events, destination, tools)
        except OurFault as fault:
            code, at = fault.code, self._now()
            if limit.expired():
                late = Temporary("timeout", "the attempt took too long as a whole")
                return lambda work: schedule.failed(late, work.attempts, work.throttled, at, dice)
            return lambda work: schedule.bug(code, work.attempts, at, dice)
        except DeliveryError as error:
            trouble, at = error, self._now()
            return lambda work: schedule.failed(trouble, work.attempts, work.throttled, at, dice)
        return lambda work: schedule.delivered(response, work.attempts)


def settlement(route: Route, job: Job, verdict: Verdict, started_at: datetime, took: float) -> Settlement:
    if route.integration.url_is_secret and verdict.response:
        # A page that answers may quote the address it was asked for, and this one lets whoever reads it post.
        verdict = replace(verdict, response=verdict.response.replace(route.configuration.url, "…"))
    told_address = job.work.sealed is None and job.event.data.get("email") is not None
    return Settlement(new_id(), job.work.id, route.row.id, job.lease, started_at, took, verdict, told_address)


def halts(verdict: Verdict) -> bool:
    """Whether nothing more may be sent to the destination for now."""
    return verdict.hold_until is not None or verdict.outcome in (Outcome.CREDENTIALS, Outcome.GONE)
