"""What every lane works with.

One thing must stay true: a lane knows its own destination and these shared parts, never another lane.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from widget_server.outbox.ledger import Ledger
from widget_server.outbox.routes import Route, Routes
from widget_server.outbox.sending import Job, Sender
from widget_server.store.db import Db
from widget_server.store.deliveries import Work
from widget_server.store.destinations import DestinationRow

NOTHING_LEFT = "signature_ended: its signer withdrew, or it was rejected, before this was sent"


@dataclass(frozen=True, slots=True)
class Crew:
    """What every lane works with. `patient`: a convoy waits for its pace; else it leaves that to the next
    round."""

    db: Db
    ledger: Ledger
    routes: Routes
    sender: Sender
    now: Callable[[], datetime]
    patient: bool = True


def is_held(row: DestinationRow, now: datetime) -> bool:
    return row.health.not_before is not None and row.health.not_before > now


async def render(crew: Crew, route: Route, works: Sequence[Work], lease: str) -> tuple[list[Job], list[Work]]:
    """Jobs to send, and work that there is nothing left to say in."""
    facts = await crew.routes.facts(route)
    jobs: list[Job] = []
    over: list[Work] = []
    for one in works:
        event = await crew.routes.render(route, facts, one)
        if event is None:
            over.append(one)
        else:
            jobs.append(Job(one, event, lease))
    return jobs, over
