"""GET /v1/challenge and /pow.HASH.js: the sum that is asked for, and the script with which the widget does it.

One thing must stay true: another script has another name, so that a browser may keep it for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import brotli
import rjsmin
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from widget_server.domain.refusals import NotAllowed, Unknown
from widget_server.web.problems import CORS, encoded
from widget_server.web.site import site_of
from widget_server.web.styles import static_folder
from widget_server.web.widget_file import file_hash


@dataclass(frozen=True, slots=True)
class Solver:
    """`name` is its address below the server's own."""

    name: str
    content: bytes
    brotli: bytes


@lru_cache
def solver() -> Solver:
    """`static/pow.js`, minified. Read once."""
    content = rjsmin.jsmin((static_folder() / "pow.js").read_text("utf-8")).encode()
    return Solver(f"pow.{file_hash(content)}.js", content, brotli.compress(content))


async def challenge(request: Request) -> Response:
    """A sum in advance, for the letter of an attribution token: `{"challenge": null}` where none is ever asked for."""
    site = site_of(request)
    token = request.query_params.get("token")
    if not token:
        raise NotAllowed("token_missing")
    credit = await site.directory.credit(token)
    asked = site.signing.gate.challenge(credit.letter)
    document = {"challenge": asked, "solver": None if asked is None else solver().name}
    headers = CORS | {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    return Response(encoded(document), headers=headers, media_type="application/json")


async def solver_file(request: Request) -> Response:
    """The script; an older hash is not there any more."""
    found = solver()
    if request.url.path != f"/{found.name}":
        raise Unknown("not_found")
    headers = CORS | {
        "cache-control": "public, max-age=31536000, immutable",
        "cross-origin-resource-policy": "cross-origin",
        "vary": "accept-encoding",
        "x-content-type-options": "nosniff",
        "content-type": "text/javascript; charset=utf-8",
    }
    if "br" in request.headers.get("accept-encoding", ""):
        return Response(found.brotli, headers=headers | {"content-encoding": "br"})
    return Response(found.content, headers=headers)


ROUTES = [Route("/v1/challenge", challenge), Route("/pow.{hash}.js", solver_file)]
