"""GET /letters/SLUG/privacy: who holds what, why, for how long, who is in charge, how to complain.

One thing must stay true: the page promises what this version does, and nothing that it does not do yet.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from widget_server.web.place import PREFIXES, page_values, place_of
from widget_server.web.site import site_of

COMMISSIONER = {
    "en": "https://www.priv.gc.ca/en/report-a-concern/",
    "fr": "https://www.priv.gc.ca/fr/signaler-un-probleme/",
}
COMMISSION = {
    "en": "https://www.cai.gouv.qc.ca/english",
    "fr": "https://www.cai.gouv.qc.ca/",
}


async def privacy(request: Request) -> Response:
    site = site_of(request)
    place, _ = await place_of(request)
    return site.pages.respond(
        "privacy.html",
        place.locale,
        headers={"cache-control": "no-cache", "vary": "accept-language"},
        **await page_values(site, place),
        host=urlsplit(site.public_url).netloc,
        commissioner=COMMISSIONER.get(place.locale, COMMISSIONER["en"]),
        commission=COMMISSION.get(place.locale, COMMISSION["en"]),
    )


ROUTES = [Route(prefix + "/letters/{slug}/privacy", privacy) for prefix in PREFIXES]
