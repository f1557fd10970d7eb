"""What is answered when a handler did not: nothing at this address, a refusal, or a mistake of ours.

One thing must stay true: a mistake is logged once, under the id that its reader is given, without anybody's data.
"""

from __future__ import annotations

import re
import traceback

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match, Route

from widget_server.domain.ids import new_id
from widget_server.domain.refusals import Refusal, Unavailable, Unknown
from widget_server.i18n import LOCALES
from widget_server.store.db import DRIVER_ERRORS
from widget_server.web.languages import locale_of
from widget_server.web.place import Place, frame, plain_place
from widget_server.web.problems import CORS, problem
from widget_server.web.site import site_of

log = structlog.get_logger(__name__)

_LETTERS_PATH = re.compile(rf"(?:/(?:{'|'.join(LOCALES)}))?/letters/([^/]+)")


async def refused(request: Request, error: Exception) -> Response:
    """A refusal that a handler raised."""
    assert isinstance(error, Refusal)
    site, locale = site_of(request), locale_of(request)
    if _is_api(request):
        return problem(error, site.texts, locale, public_url=site.public_url)
    place = await _place(request, error)
    if place is not None:
        locale = place.locale
    message = site.texts(f"refusal.{error.code}", locale, **error.values)
    response = site.pages.message(request, error.status, message, locale, frame(place))
    if error.retry_after_seconds is not None:
        response.headers["retry-after"] = str(error.retry_after_seconds)
    return response


async def no_such_thing(request: Request, error: Exception) -> Response:
    """Starlette's own: no route, or none for this method. A slash too many is taken away, whatever host was asked."""
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == 404 and path.endswith("/") and _methods(request, shorter := path.rstrip("/")):
        query = request.url.query
        return RedirectResponse(f"{shorter}?{query}" if query else shorter, 307, headers=CORS)
    refusal = Unknown("method_not_allowed" if error.status_code == 405 else "not_found")
    refusal.status = error.status_code
    response = await refused(request, refusal)
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    if error.status_code == 405:
        response.headers["allow"] = ", ".join(sorted(_methods(request, path)))
    return response


def _methods(request: Request, path: str) -> set[str]:
    """What may be done at a path; nothing where there is none."""
    scope = {**request.scope, "path": path}
    routes = [one for one in request.app.routes if isinstance(one, Route) and one.matches(scope)[0] != Match.NONE]
    return {method for one in routes for method in one.methods or ()}


async def out_of_reach(request: Request, error: Exception) -> Response:
    """The database does not answer: temporary, and no bug."""
    log.error("database.error", error=type(error).__name__)
    return await refused(request, Unavailable())


async def mistaken(request: Request, error: Exception) -> Response:
    """Anything else is a bug. Messages of exceptions may quote a row, so only type and place are logged."""
    id_ = new_id()
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    log.error("bug", id=id_, error=type(error).__name__, places=places[-8:])
    refusal = Refusal("internal", values={"id": id_})
    refusal.status = 500
    return await refused(request, refusal)


async def _place(request: Request, error: Refusal) -> Place | None:
    """The letter that the refusal or the address names, where there is nothing at the address; a draft's is none."""
    named = _LETTERS_PATH.match(request.url.path)
    slug = error.extra.get("letter_slug") or (named and named[1])
    if error.status != Unknown.status or not slug:
        return None
    try:
        letter = await site_of(request).directory.letter(slug)
        return None if letter is None or letter.state == "draft" else await plain_place(request, letter)
    except Unavailable:
        return None


def _is_api(request: Request) -> bool:
    path = request.url.path
    return path.endswith(".js") or path.startswith(("/v1/", "/w/", "/healthz", "/readyz", "/openapi.json", "/oembed"))


HANDLERS = {
    Refusal: refused,
    HTTPException: no_such_thing,
    **dict.fromkeys(DRIVER_ERRORS, out_of_reach),
}
