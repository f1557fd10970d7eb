"""GET /v1/events.json: what every event looks like at a webhook, for whoever writes a receiver.

One thing must stay true: it is the catalogue that our own tests hold every sent body to.
"""

from __future__ import annotations

from functools import cache

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from widget_server.domain.event_schemas import catalogue
from widget_server.web.letters_api import Json

_FRESH = "public, max-age=3600"


async def events(request: Request) -> Response:
    """The same for every letter, until the server is another version."""
    return _document().answer(request, _FRESH)


@cache
def _document() -> Json:
    return Json.of(catalogue())


ROUTES = [Route("/v1/events.json", events)]
