"""What every lane works with.

One thing must stay true: a lane knows its own destination and these shared parts, never another lane.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from widget_server.contract import Event
from widget_server.outbox.ledger import Ledger
from widget_server.outbox.routes import NothingToSay, Route, Routes
from widget_server.outbox.sending import Job, Sender
from widget_server.store.db import Db
from widget_server.store.deliveries import Work


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Deliveries that wait for a digest, by id, and their events as they were rendered when it was last asked."""

    ids: Sequence[str]
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Crew:
    """What every lane works with. `patient`: a convoy waits for its pace; else it leaves that to the next round.
    `held_back`: by destination, what its integration would not send yet."""

    db: Db
    ledger: Ledger
    routes: Routes
    sender: Sender
    now: Callable[[], datetime]
    patient: bool = True
    held_back: dict[str, HeldBack] = field(default_factory=dict)


async def render(crew: Crew, route: Route, works: Sequence[Work], lease: str) -> tuple[list[Job], dict[str, str]]:
    """Jobs to send, and why there is nothing to say in the others, by delivery."""
    facts = await crew.routes.facts(route)
    jobs: list[Job] = []
    over: dict[str, str] = {}
    for one in works:
        try:
            jobs.append(Job(one, await crew.routes.render(route, facts, one), lease))
        except NothingToSay as nothing:
            over[one.id] = str(nothing)
    return jobs, over
