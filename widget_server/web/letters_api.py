"""GET /v1/letters/…: a letter, its text and its lists, for programs on any origin.

One thing must stay true: an address, or a name that its signer or we hide, is never in an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from widget_server.domain import markdown
from widget_server.domain.letters import Letter
from widget_server.domain.refusals import Refusal, Unknown
from widget_server.domain.tokens import BadToken, Seals
from widget_server.domain.typography import typeset
from widget_server.store.signatories import BadPosition, ListPage
from widget_server.web.encodings import matches
from widget_server.web.languages import locale_of
from widget_server.web.lists import cursor, read_cursor, read_search
from widget_server.web.problems import CORS, encoded
from widget_server.web.site import Site, site_of

MAX_LIMIT = 500
DEFAULT_LIMIT = 100

# A second at most: our own half, and nothing on the way may keep it any longer without asking.
FRESH = "public, max-age=0, must-revalidate"
_TEXT_FRESH = "public, max-age=60"


class WrongParameter(Refusal):
    status = 422


async def letter(request: Request) -> Response:
    """`{"slug", "status", "title", "counts", "goal", "locales", "statements": […]}` in one locale."""
    site = site_of(request)
    found = await public_letter(request)
    locale = _locale(request, found)
    counts = await site.directory.counts(found)
    settings, wording = found.settings, found.wording[locale]
    by_statement = counts.public(settings.codes)["by_statement"]
    document = {
        "slug": found.slug,
        "status": found.status(site.now()),
        "title": typeset(wording.title, locale),
        "locale": locale,
        "locales": list(found.locales),
        "url": f"{site.public_url}/{locale}/letters/{found.slug}",
        "counts": counts.public(settings.codes),
        "goal": settings.goal,
        "opens_at": _time(settings.opens_at),
        "closes_at": _time(settings.closes_at),
        "statements": [
            {
                "code": statement.code,
                "countries": list(statement.countries),
                "text": typeset(wording.statements[statement.code], locale),
                "list_title": typeset(statement.list_title[locale], locale),
                "count": by_statement[statement.code],
            }
            for statement in settings.statements
        ],
    }
    return Json.of(document).answer(request, FRESH, vary=True)


async def text(request: Request) -> Response:
    """`{"title", "locale", "intro", "body", "blocks", "statements"}`; `blocks` is intro and body in one."""
    found = await public_letter(request)
    locale = _locale(request, found)
    wording = found.wording[locale]
    intro, body = markdown.blocks(wording.intro, locale), markdown.blocks(wording.body, locale)
    document = {
        "slug": found.slug,
        "locale": locale,
        "title": typeset(wording.title, locale),
        "blocks": intro + body,
        "intro": intro,
        "body": body,
        "statements": {code: typeset(said, locale) for code, said in wording.statements.items()},
    }
    return Json.of(document).answer(request, _TEXT_FRESH, vary=True)


async def signatories(request: Request) -> Response:
    """`{"signatories": [{"name", "kind", "organization", "role"}], "next": CURSOR or null}`; `?q=` finds names that
    contain it, accents and case aside. `initiators`, where there are any: how many at the front are the letter's."""
    site = site_of(request)
    found = await public_letter(request)
    statement = request.query_params.get("statement") or None
    if statement is not None and found.settings.statement(statement) is None:
        raise WrongParameter("statement_unknown")
    limit = read_limit(request.query_params.get("limit"))
    search = read_search(request.query_params.get("q"))[1]
    try:
        after = read_cursor(site.seals, found, statement, request.query_params.get("after"), search)
        make = partial(_list, site.seals, found, statement, search)
        body = await site.reading.page(found, statement, after, limit, form="json", make=make, search=search)
    except BadPosition as error:
        raise WrongParameter("cursor_invalid") from error
    response = body.answer(request, FRESH)
    if not found.settings.index:
        response.headers["x-robots-tag"] = "noindex"
    return response


def _list(seals: Seals, letter: Letter, statement: str | None, search: str, page: ListPage) -> Json:
    document: dict[str, Any] = {
        "signatories": [entry.signatory.public() for entry in page.entries],
        "next": None if page.after is None else cursor(seals, letter, statement, page.after, search),
    }
    if initiators := sum(entry.initiator for entry in page.entries):
        document["initiators"] = initiators
    return Json.of(document)


async def public_letter(request: Request) -> Letter:
    """The letter that the path names. Raises `Unknown`, for a draft without its preview too."""
    site = site_of(request)
    found = await site.directory.letter(request.path_params["slug"])
    if found is None or (found.state == "draft" and not has_preview(request, site, found)):
        raise Unknown("not_found")
    return found


def has_preview(request: Request, site: Site, letter: Letter) -> bool:
    try:
        return bool(site.seals.open("preview", request.query_params.get("preview", "")) == letter.slug)
    except BadToken:
        return False


def read_limit(given: str | None) -> int:
    """Raises `WrongParameter`."""
    if given is None:
        return DEFAULT_LIMIT
    if not (given.isascii() and given.isdigit() and len(given) <= 3 and 1 <= int(given) <= MAX_LIMIT):
        raise WrongParameter("limit_invalid")
    return int(given)


def _locale(request: Request, letter: Letter) -> str:
    """Raises `Unknown` where the address asks for a locale that the letter does not have."""
    asked = request.query_params.get("locale")
    if asked and asked not in letter.locales:
        raise Unknown("locale_unknown")
    return locale_of(request, letter)


def _time(value: Any) -> str | None:
    return None if value is None else value.isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Json:
    """A document ready to be sent, with its strong ETag."""

    body: bytes
    etag: str

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Json:
        body = encoded(document)
        return cls(body, f'"{sha256(body).hexdigest()[:32]}"')

    def answer(self, request: Request, cache_control: str, *, vary: bool = False) -> Response:
        """Readable from any origin; 304 without a body to whoever has it already."""
        headers = {
            **CORS,
            "etag": self.etag,
            "cache-control": cache_control,
            "x-content-type-options": "nosniff",
            **({"vary": "accept-language"} if vary else {}),
        }
        if matches(request.headers.get("if-none-match"), self.etag):
            return Response(status_code=304, headers=headers)
        return Response(self.body, media_type="application/json", headers=headers)


ROUTES = [
    Route("/v1/letters/{slug}", letter),
    Route("/v1/letters/{slug}/text", text),
    Route("/v1/letters/{slug}/signatories", signatories),
]
