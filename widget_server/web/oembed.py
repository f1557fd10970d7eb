"""GET /oembed?url=…: oEmbed 1.0 for a letter's own page: whoever pastes its address gets the form in place of a link.

One thing must stay true: only our own addresses are answered for, nothing is fetched for it, and whom the pasted
address credits is credited in the frame.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from widget_server.domain.embeddings import Embedding
from widget_server.domain.letters import Letter
from widget_server.domain.partners import read_origin, read_source
from widget_server.domain.refusals import Refusal, Unknown
from widget_server.domain.typography import typeset
from widget_server.i18n import LOCALES
from widget_server.web.letter_form import partner_token
from widget_server.web.place import Place, credited
from widget_server.web.problems import CORS, encoded
from widget_server.web.site import Site, site_of

WIDTH = 610
"""As wide as the form ever gets, and its border."""
CACHE_SECONDS = 3600

_PATH = re.compile(rf"(?:/({'|'.join(LOCALES)}))?/letters/([a-z0-9-]{{1,64}})/?")


class NotProvided(Refusal):
    """oEmbed 1.0, 2.3.1: the format that was asked for is not one of ours."""

    status = 501


async def oembed(request: Request) -> Response:
    site, query = site_of(request), request.query_params
    if query.get("format", "json") != "json":
        raise NotProvided("format_not_provided")
    asked = await _asked(site, query.get("url", ""))
    if asked is None:
        raise Unknown("not_found")
    letter, locale, via, source = asked
    credit = await credited(site, letter, via)
    token = via if via and not credit.partner.is_house else partner_token(site, letter, credit.partner)
    shown = letter.locale(locale, credit.partner.locale)
    embedding = Embedding(site.public_url, letter, credit.partner, token, shown)
    width = min(WIDTH, _most(query.get("maxwidth")))
    height = min(embedding.frame_height, _most(query.get("maxheight")))
    said = {key: value for key, value in {"lang": locale, "source": source}.items() if value}
    document = {
        "version": "1.0",
        "type": "rich",
        "provider_name": "Undersigned",
        "provider_url": site.public_url,
        "title": typeset(letter.wording[shown].title, shown),
        "cache_age": CACHE_SECONDS,
        "width": width,
        "height": height,
        "html": embedding.sized_frame(width, height, said),
    }
    headers = CORS | {"cache-control": f"public, max-age={CACHE_SECONDS}", "x-content-type-options": "nosniff"}
    return Response(encoded(document), headers=headers, media_type="application/json")


async def _asked(site: Site, url: str) -> tuple[Letter, str | None, str | None, str | None] | None:
    """Which letter an address is that of, and what it says besides: language, token, source. None where it is not the
    address of a letter that the public sees."""
    try:
        parts = urlsplit(url)
        given = parse_qs(parts.query, max_num_fields=20)
    except ValueError:
        return None
    path = _PATH.fullmatch(parts.path)
    if path is None or read_origin(f"{parts.scheme}://{parts.netloc}") != read_origin(site.public_url):
        return None
    letter = await site.directory.letter(path[2])
    if letter is None or letter.status(site.now()) == "draft":
        return None

    def first(name: str) -> str | None:
        return given[name][0] if name in given else None

    locale = first("locale") or path[1]
    known = letter.locale(locale) if locale else None
    return letter, known, first("via"), read_source(first("source")) or read_source(first("utm_source"))


def _most(given: str | None) -> int:
    """A limit of the consumer's; a malformed one is none."""
    if given and given.isascii() and given.isdigit() and len(given) <= 5 and int(given) > 0:
        return int(given)
    return 100_000


def discovery(request: Request, place: Place) -> str:
    """Where the oEmbed answer for this page of a letter is. It credits whom the page credits, and has its language only
    where the address says so: a content system that looks is no reader."""
    locale = place.locale if "locale" in request.query_params else None
    given = {"via": place.via, "source": place.source, "locale": locale}
    query = urlencode({key: value for key, value in given.items() if value})
    address = f"{place.public_url}{request.url.path}" + (f"?{query}" if query else "")
    return f"{place.public_url}/oembed?{urlencode({'url': address})}"


ROUTES = [Route("/oembed", oembed)]
