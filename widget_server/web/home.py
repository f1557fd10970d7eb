"""GET /: the open letters. And the small picture that browsers ask every site for."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from widget_server.i18n import LOCALES
from widget_server.web.languages import locale_of
from widget_server.web.place import Place, page_values
from widget_server.web.site import site_of

# A pen stroke over a line: what signing looks like from afar. It follows the browser's light or dark theme.
_ICON = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><style>path{fill:none;stroke:#7a1f2b;\
stroke-width:3;stroke-linecap:round;stroke-linejoin:round}@media(prefers-color-scheme:dark){path{stroke:#f0a9a0}}\
</style><path d="M4 27h24M5 19c5-14 11-18 11-12S9 21 13 20s5-8 7-8-1 7 2 7 4-2 5-4"/></svg>"""


async def home(request: Request) -> Response:
    """The letters that can be signed now, in the reader's language, the newest first."""
    site = site_of(request)
    locale = locale_of(request)
    letters = [letter for letter in await site.directory.letters() if letter.status(site.now()) == "open"]
    letters.sort(key=lambda letter: letter.created_at, reverse=True)
    return site.pages.respond(
        "home.html",
        locale,
        headers={"cache-control": "no-cache", "vary": "accept-language"},
        letters=[await page_values(site, Place(site.public_url, letter, letter.locale(locale))) for letter in letters],
        others=[other for other in LOCALES if other != locale],
    )


async def icon(_request: Request) -> Response:
    return Response(_ICON, media_type="image/svg+xml", headers={"cache-control": "public, max-age=86400"})


ROUTES = [
    *(Route(path, home) for path in ("/", *(f"/{locale}/" for locale in LOCALES))),
    Route("/favicon.svg", icon),
    Route("/favicon.ico", icon),
]
