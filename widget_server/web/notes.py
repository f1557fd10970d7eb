"""Pages about a signature that say one thing, or ask one thing before it is done.

One thing must stay true: they say no more about the signature than the link may know; one that is over learns nothing.
"""

from __future__ import annotations

from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from widget_server.domain.links import LinkPurpose
from widget_server.web.languages import locale_of
from widget_server.web.links import Followed, letter_named, page_about
from widget_server.web.place import frame, plain_place
from widget_server.web.site import site_of

Note = Literal["too_late", "over", "withdrawn", "rejected", "asked", "stopped", "unsubscribed"]
"""Texts `signer.note.NAME.heading` and `.text`."""
Question = Literal["withdraw", "erase", "not_me", "unsubscribe"]
"""Texts `signer.ask.NAME.heading`, `.text`, `.more`, `.button` and `.done`."""


async def note(
    request: Request,
    here: Followed,
    what: Note,
    *,
    status: int = 410,
    own: str = "",
    again: str = "",
    ask: bool = False,
) -> Response:
    """What has become of it, and where to go from here: `own`, the signer's page; `again`, where a fresh mail is asked
    for with a button; `ask`, the page that asks for a fresh link by the address."""
    return await page_about(
        request, here, "signer_note.html", status=status, what=what, own=own, again=again, ask_for_page=ask
    )


async def over(request: Request, here: Followed, *, again: bool = False) -> Response:
    """The link is too old. `again`: a fresh one for the same thing can be had."""
    return await note(request, here, "over", again=here.path("/again") if again else "", ask=not again)


async def ask(request: Request, here: Followed, what: Question, *, back: str, action: str = "") -> Response:
    """Asks, and does it on a POST to this very page, or to `action`."""
    return await page_about(
        request, here, "signer_ask.html", what=what, back=back, action=action or here.path(f"/{what.replace('_', '-')}")
    )


async def erased_page(request: Request, purpose: LinkPurpose, here: Followed | None, what: Question) -> Response:
    """Nothing is kept any more. Asked again, when only the link still names the letter, it says the same."""
    site = site_of(request)
    letter = here.letter if here else await letter_named(request, purpose)
    place = here.place if here else None if letter is None else await plain_place(request, letter)
    return site.pages.respond(
        "erased.html",
        place.locale if place else locale_of(request),
        headers={"x-robots-tag": "noindex"},
        **frame(place),
        what=what,
    )
