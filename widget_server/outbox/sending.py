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

from widget_server.contract import DeliveryError, Event, Problem, Renderer, Report, Response, Tools, Unknown
from widget_server.domain.addresses import Network
from widget_server.domain.deliveries import Verdict
from widget_server.domain.ids import new_id
from widget_server.domain.vault import Vault
from widget_server.outbox import schedule
from widget_server.outbox.mailing import Mailing
from widget_server.outbox.renewal import Renewal
from widget_server.outbox.routes import OurFault, Route, foreign_code
from widget_server.store.db import Db
from widget_server.store.deliveries import Settlement, Work

if TYPE_CHECKING:
    from widget_server.outbox.addresses import Lookup
    from widget_server.outbox.egress import Egress

DEADLINE_SECONDS = 15.0
LEASE_SECONDS = 25.0
"""The deadline and a margin for writing the result: after a crash, work is taken up again within 30 s."""
_MARGIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Keeping:
    """Where integrations' notes and tokens are kept, and what seals them."""

    db: Db
    vault: Vault


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
        keeping: Keeping,
        mailing: Mailing | None = None,
    ) -> None:
        self._keeping = keeping
        self._mailing = mailing
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
        notes: dict[str, str] = {}
        judge = await self._attempt(route, [job.event for job in jobs], notes)
        took = loop.time() - began
        return [
            settlement(route, job, judge(job.work), started_at, took, self._sealed(notes.get(job.event.id)))
            for job in jobs
        ]

    def _sealed(self, note: str | None) -> str | None:
        return None if note is None else self._keeping.vault.seal(note)

    def fault(self, route_id: str, work: Work, lease: str, fault: OurFault) -> Settlement:
        """A delivery that could not even be begun, through no fault of its destination."""
        at = self._now()
        verdict = schedule.bug(fault.code, work.attempts, work.throttled, at, self._dice)
        return Settlement(new_id(), work.id, route_id, lease, at, 0.0, verdict)

    def tools(self, route: Route, notes: dict[str, str]) -> Tools:
        """What an integration is handed for one send. `notes`: where what it wants remembered is put, by event id."""

        def remember(event_id: str, note: str) -> None:
            notes[event_id] = note

        return Tools(
            client=self.egress().client(route.limits.hosts),
            text=self._texts,
            now=self._now,
            mail=self._mailing.mailer(route.letter, self._now) if self._mailing else no_mail,
            remember=remember,
            renew=Renewal(self._keeping.db, self._keeping.vault, route.row.id, self._now),
        )

    async def probe(self, route: Route) -> list[Problem]:
        """What the target says of a destination's configuration, changing nothing there: every problem at once, that
        it cannot be asked among them."""
        try:
            async with asyncio.timeout(self._deadline_seconds + _MARGIN_SECONDS):
                with foreign_code(route.row.kind):
                    found = await route.integration.probe(route.destination(self._now()), self.tools(route, {}))
        except TimeoutError:
            return [Problem("url", "it took too long to answer")]
        except OurFault as fault:
            return [Problem("url", fault.code)]
        except DeliveryError as error:
            said = [str(error), *([error.response] if error.response else [])]
            return [Problem("url", ": ".join(said))]
        return list(found)

    async def _attempt(self, route: Route, events: Sequence[Event], notes: dict[str, str]) -> Callable[[Work], Verdict]:
        kind = route.integration
        tools = self.tools(route, notes)
        destination = route.destination(self._now())
        rolled = self._dice(1 - schedule.SPREAD, 1 + schedule.SPREAD)

        def dice(_low: float, _high: float) -> float:
            return rolled  # once for the group: what failed together is tried again together

        try:
            async with asyncio.timeout(self._deadline_seconds + _MARGIN_SECONDS):
                with foreign_code(route.row.kind):
                    came = await kind.send(events, destination, tools)
        except TimeoutError:
            late, at = Unknown("timeout", "the attempt took too long as a whole"), self._now()
            return lambda work: schedule.failed(late, work.attempts, work.throttled, at, dice)
        except OurFault as fault:
            code, at = fault.code, self._now()
            return lambda work: schedule.bug(code, work.attempts, work.throttled, at, dice)
        except DeliveryError as error:
            trouble, at = error, self._now()
            return lambda work: schedule.failed(trouble, work.attempts, work.throttled, at, dice)
        report, at = came if isinstance(came, Report) else Report(came, {}), self._now()

        def each(work: Work) -> Verdict:
            error = report.failed.get(work.event.id)
            if error is None:
                return schedule.delivered(report.response, work.attempts)
            return schedule.failed(error, work.attempts, work.throttled, at, dice)

        return each


def settlement(
    route: Route, job: Job, verdict: Verdict, started_at: datetime, took: float, note: str | None = None
) -> Settlement:
    if verdict.response:
        verdict = replace(verdict, response=_without_secrets(route, verdict.response))
    told_address = route.carries_contact and job.work.sealed is None and job.event.data.get("email") is not None
    return Settlement(new_id(), job.work.id, route.row.id, job.lease, started_at, took, verdict, told_address, note)


def _without_secrets(route: Route, text: str) -> str:
    """A page that answers may quote what it was sent: the address, where whoever reads that can post, or a token."""
    integration, configuration = route.integration, route.configuration
    secrets = [configuration.options.get(option.name) for option in integration.options if option.secret]
    secrets += [configuration.url] if integration.url_is_secret else []
    for secret in filter(None, secrets):
        text = text.replace(secret, "…")
    return text


async def no_mail(**_: object) -> Response:
    """The `Mailer` where no way out was given."""
    raise LookupError("no way out for mails")
