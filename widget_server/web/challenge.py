"""GET /v1/challenge: the sum that is asked for, and the name of the script with which the widget does it.

One thing must stay true: asking stores nothing, here or in a browser.
"""

from __future__ import annotations

from functools import lru_cache

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from widget_server.domain.refusals import NotAllowed
from widget_server.web.problems import CORS, encoded
from widget_server.web.scripts import Script
from widget_server.web.site import site_of


@lru_cache
def solver() -> Script:
    """`static/pow.js`, served as `/pow.HASH.js`. Read once."""
    return Script.read("pow")


async def challenge(request: Request) -> Response:
    """A sum in advance, for the letter of an attribution token: `{"challenge": null}` where none is ever asked for."""
    site = site_of(request)
    token = request.query_params.get("token")
    if not token:
        raise NotAllowed("token_missing")
    credit = await site.directory.credit(token)
    asked = site.signing.gate.challenge(credit.letter)
    document = {"challenge": asked, "solver": None if asked is None else solver().path}
    headers = CORS | {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    return Response(encoded(document), headers=headers, media_type="application/json")


ROUTES = [Route("/v1/challenge", challenge)]
