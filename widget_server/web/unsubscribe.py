"""/unsubscribe/TOKEN: no more mail, by a button on a page or by the mail program's own (RFC 8058).

1. One that waits is erased: then nothing is left to write about.
2. One that counts stays; every consent to e-mail that came with it is taken back.

One thing must stay true: it takes one POST without cookies, from a mail program that follows no redirect, and the link
does not grow old: whoever keeps a mail for a year may still have enough of it.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from widget_server.flows.change_consents import change_consents
from widget_server.flows.erase import erase_own
from widget_server.web.consent_form import all_taken_back
from widget_server.web.forms import pressed
from widget_server.web.links import follow, followed
from widget_server.web.notes import ask, erased_page, note
from widget_server.web.site import site_of


async def show(request: Request) -> Response:
    """GET: a button. Nothing has changed yet."""
    here = await followed(request, "unsubscribe")
    return await ask(request, here, "unsubscribe", back="", action=here.path())


async def stop(request: Request) -> Response:
    """POST, whatever its body says."""
    await pressed(request)
    turns = site_of(request).turns
    here = await follow(request, "unsubscribe")
    if here is None:
        return await erased_page(request, "unsubscribe", None, "unsubscribe")
    if here.seen.standing == "pending":
        await erase_own(turns, here.letter, here.signature.id, only_this=True)
        return await erased_page(request, "unsubscribe", here, "unsubscribe")
    await change_consents(turns, here.letter, here.signature.id, all_taken_back(here.seen.mine), "unsubscribe")
    stays = here.seen.standing in ("confirmed", "repeated")
    return await note(request, here, "unsubscribed" if stays else "stopped", status=200)


ROUTES = [
    Route("/unsubscribe/{token}", show, methods=["GET"]),
    Route("/unsubscribe/{token}", stop, methods=["POST"]),
]
