"""GET /v1/events.json: readable from anywhere, kept for a while, the catalogue itself."""

from __future__ import annotations

import httpx

from tests.conftest import Live
from widget_server.domain.event_schemas import catalogue
from widget_server.domain.events import EVENT_TYPES


async def test_the_catalogue_of_events(live: Live) -> None:
    async with httpx.AsyncClient(base_url=live.url) as http:
        answer = await http.get("/v1/events.json", headers={"origin": "https://tools.example"})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["cache-control"] == "public, max-age=3600"
        assert answer.json() == catalogue()
        assert set(EVENT_TYPES) < set(answer.json()["events"])

        again = await http.get("/v1/events.json", headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["access-control-allow-origin"] == "*"

        head = await http.head("/v1/events.json")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["etag"] == answer.headers["etag"]
