"""How often one client may have us write a mail: the settings' windows, counted apart from signing."""

from __future__ import annotations

from starlette.requests import Request

from widget_server.domain.letters import Letter
from widget_server.domain.refusals import TooMany
from widget_server.web.site import site_of


def count_asking(request: Request, letter: Letter) -> None:
    """Counts one. Raises `TooMany`."""
    site = site_of(request)
    peer = request.client.host if request.client else ""
    try:
        site.asking.check(letter.id, site.clients.address(peer, request.headers))
    except TooMany as error:
        wait = error.retry_after_seconds or 1
        raise TooMany("too_many_asked", retry_after_seconds=wait) from error
