"""GET /letters/SLUG/signatories: the public list page by page, for letters with many names.

One thing must stay true: it works by links alone, and whoever follows them meets every name once.
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from widget_server.domain.refusals import Unknown
from widget_server.store.signatories import BadPosition, ListPage
from widget_server.web.lists import cursor, read_cursor, read_search
from widget_server.web.place import PREFIXES, page_values, place_of
from widget_server.web.site import site_of

PAGE_NAMES = 500
_DIGITS = 7


@dataclass(frozen=True, slots=True)
class Names:
    """A page of names as markup, how many they are, and the cursor of the next page."""

    markup: Markup
    number: int
    after: str | None


async def signatories(request: Request) -> Response:
    """A page of names, of one statement (`?statement=`) or of all; `?q=` finds names that contain it."""
    site = site_of(request)
    place, _ = await place_of(request)
    letter, locale, query = place.letter, place.locale, request.query_params
    statement = query.get("statement") or None
    if statement is not None and letter.settings.statement(statement) is None:
        raise Unknown("not_found")
    typed, search = read_search(query.get("q"))
    start = _number(query.get("from"))
    apart = letter.settings.lists == "apart"

    def make(page: ListPage) -> Names:
        markup = ""
        if page.entries:
            markup = site.pages.render("names.html", locale, page=page, apart=apart, start=start)
        after = None if page.after is None else cursor(site.seals, letter, statement, page.after, search)
        return Names(Markup(markup), len(page.entries), after)  # noqa: S704  our own template

    try:
        after = read_cursor(site.seals, letter, statement, query.get("after"), search)
        names = await site.reading.page(
            letter, statement, after, PAGE_NAMES, form=f"page {locale} {start}", make=make, search=search
        )
    except BadPosition as error:
        raise Unknown("not_found") from error
    ask = {"statement": statement, "q": typed}
    values = await page_values(site, place)
    counts = values["counts"]
    signed = counts["total"] if statement is None else counts["by_statement"][statement]
    following = None
    if names.after is not None:
        following = place.path("/signatories", after=names.after, **{"from": str(start + PAGE_NAMES)}, **ask)
    return site.pages.respond(
        "signatories.html",
        locale,
        headers={"cache-control": "no-cache", "vary": "accept-language"},
        **values,
        statement=None if statement is None else letter.settings.statement(statement),
        signed=signed,
        names=names.markup,
        search=typed,
        first=place.path("/signatories", **ask) if after else None,
        following=following,
        not_all=not following and not search and start - 1 + names.number < signed,
    )


def _number(given: str | None) -> int:
    """The number of the first name on the page, as the link to it says: for the eye only."""
    return int(given) if given and given.isascii() and given.isdigit() and len(given) <= _DIGITS else 1


ROUTES = [Route(prefix + "/letters/{slug}/signatories", signatories) for prefix in PREFIXES]
