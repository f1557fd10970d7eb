"""/healthz and /readyz: alive, and able to store."""

from __future__ import annotations

import httpx

from tests.conftest import Live
from widget_server.domain.refusals import Unavailable
from widget_server.store.db import Db
from widget_server.web.health import Probe


async def test_alive_and_ready(live: Live) -> None:
    async with httpx.AsyncClient(base_url=live.url) as http:
        assert (await http.get("/healthz")).json() == {"status": "alive"}
        assert (await http.get("/readyz")).json() == {"status": "ready"}


async def test_not_ready_once_signatures_are_not_taken(live: Live) -> None:
    async with httpx.AsyncClient(base_url=live.url) as http:
        await live.site.ingest.stop()
        answer = await http.get("/readyz")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "2"
        assert (await http.get("/healthz")).status_code == 200
        await live.site.ingest.start()
        assert (await http.get("/readyz")).status_code == 200


async def test_ready_means_that_a_write_was_committed(db: Db) -> None:
    async def refuses(_db: Db) -> None:
        raise Unavailable

    assert await Probe().ready(db)
    assert not await Probe(write=refuses).ready(db)


async def test_not_ready_while_a_write_hangs(db: Db) -> None:
    probe = Probe(patience_seconds=0.05)
    async with db.write():  # somebody holds the writer: the probe waits its turn, and its asker does not
        assert not await probe.ready(db)
    assert await probe.ready(db)
