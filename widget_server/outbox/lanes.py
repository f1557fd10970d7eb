"""One destination's own road: its work is claimed, sent and settled here, apart from every other's.

One thing must stay true: nothing that happens in a lane, slow, dead or broken, holds up another lane.

Two kinds of lane. A stream has several sends under way at once. A convoy sends one group after another: for
kinds that batch, or that may be sent to only so often.
"""

from __future__ import annotations

import structlog

from widget_server.outbox.convoys import Convoy
from widget_server.outbox.crew import Crew
from widget_server.outbox.reports import REFUSED
from widget_server.outbox.routes import OurFault
from widget_server.outbox.streams import Stream
from widget_server.store.destinations import find_destination

log = structlog.get_logger(__name__)


class Lane:
    """Runs until nothing is due. `nudge`: there may be more; `halt`: begin nothing further."""

    def __init__(self, crew: Crew, destination_id: str) -> None:
        self._crew = crew
        self._id = destination_id
        self._road: Stream | Convoy | None = None
        self._halted = False
        self.sent = 0

    def nudge(self) -> None:
        if self._road is not None:
            self._road.nudge()

    def halt(self) -> None:
        self._halted = True
        if self._road is not None:
            self._road.halt()

    async def run(self) -> None:
        try:
            self._road = await self._choose()
            if self._halted:
                return
            await self._road.run()
            self.sent = self._road.sent
            await self._crew.ledger.flush()
        except REFUSED as error:
            log.warning("lane.stopped", destination=self._id, error=type(error).__name__)

    async def _choose(self) -> Stream | Convoy:
        row = await find_destination(self._crew.db, self._id)
        if row is not None:
            try:
                limits = (await self._crew.routes.open(row)).limits
            except OurFault:
                pass  # a stream writes it into the record of each delivery
            else:
                if limits.batch > 1 or limits.pace_seconds > 0:
                    return Convoy(self._crew, self._id)
        return Stream(self._crew, self._id)
