"""/letters/SLUG/my-signature: whoever has signed asks for a mail with the way to their own page.

One thing must stay true: the answer is the same, and costs the same work, whether or not anybody signed with that
address.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from widget_server.domain.refusals import Invalid
from widget_server.flows.ask_again import ask_for_page
from widget_server.web.asking import count_asking
from widget_server.web.forms import sent
from widget_server.web.place import PREFIXES, page_values, place_of
from widget_server.web.problems import field_messages
from widget_server.web.site import site_of


async def form(request: Request) -> Response:
    """GET."""
    return await _page(request)


async def ask(request: Request) -> Response:
    """POST: the same words to everybody."""
    fields = await sent(request)
    site = site_of(request)
    place, _ = await place_of(request)
    count_asking(request, place.letter)
    address = fields.get("email", "")
    try:
        await ask_for_page(site.db, place.letter, address, site.now())
    except Invalid as error:
        (problem, *_) = field_messages(error.errors, site.texts, place.locale)
        return await _page(request, typed=address, problem=problem)
    site.turns.on_commit()
    return await _page(request, asked=True)


async def _page(
    request: Request, *, asked: bool = False, typed: str = "", problem: Mapping[str, str] | None = None
) -> Response:
    site = site_of(request)
    place, _ = await place_of(request)
    return site.pages.respond(
        "my_signature.html",
        place.locale,
        status=422 if problem else 200,
        headers={"x-robots-tag": "noindex"},
        **await page_values(site, place),
        asked=asked,
        typed=typed,
        problem=problem["message"] if problem else "",
    )


_PATH = "/letters/{slug}/my-signature"
ROUTES = [
    *(Route(prefix + _PATH, form, methods=["GET"]) for prefix in PREFIXES),
    *(Route(prefix + _PATH, ask, methods=["POST"]) for prefix in PREFIXES),
]
