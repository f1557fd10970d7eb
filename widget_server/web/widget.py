"""GET /w/TOKEN.js, /widget.js and /v1/widget/TOKEN: the widget and what it is told; and /NAME.HASH.js.

One thing must stay true: whatever is wrong with a token, a partner's page gets a script that does no harm,
and the link in the page stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from widget_server.domain.letters import Letter, Status
from widget_server.domain.refusals import NotAllowed, Refusal, Unknown
from widget_server.domain.sightings import seen_on
from widget_server.flows.directory import Credit
from widget_server.flows.widget_config import Notice, notice_configuration, open_configuration
from widget_server.web.encodings import accepted, matches
from widget_server.web.open_ended import OpenEnded
from widget_server.web.problems import encoded
from widget_server.web.scripts import CROSS_ORIGIN, FOR_EVER, MEDIA_TYPE, answer
from widget_server.web.site import Site, site_of
from widget_server.web.widget_file import script_json, tail

FEW_MINUTES = "public, max-age=300, stale-while-revalidate=300, stale-if-error=86400"


async def partner_file(request: Request) -> Response:
    """`/w/TOKEN.js`: the library with this partner's configuration, so that one request draws the form."""
    site = site_of(request)
    token = request.path_params["token"]
    try:
        told = await told_by(site, token)
    except Refusal as refusal:
        return _answer(request, await _silent(site, refusal), b"\n", FEW_MINUTES)
    note(request, told)
    files = site.widget_files

    async def make() -> bytes:
        return files.library.with_configuration(await _document(site, token, told))

    file = await files.held.get(token, told, make)
    counts = await site.directory.counts(told.letter)
    return _answer(request, file, tail(counts.total), FEW_MINUTES)


async def library_file(request: Request) -> Response:
    """`/widget.js`: the library of this version alone, for pages that take its fixes as they come."""
    scripts = site_of(request).scripts
    hash_ = scripts["widget"].hash
    return answer(request, await scripts.get("widget", hash_), hash_, FEW_MINUTES)


async def pinned_file(request: Request) -> Response:
    """`/widget.HASH.js` for those who pin, and the scripts that it loads by their hash: the same bytes for ever, or
    404."""
    name, hash_ = request.path_params["name"], request.path_params["hash"]
    return answer(request, await site_of(request).scripts.get(name, hash_), hash_, FOR_EVER)


async def configuration(request: Request) -> Response:
    """`/v1/widget/TOKEN`: what `/w/TOKEN.js` has in front, counts included, as JSON."""
    site = site_of(request)
    token = request.path_params["token"]
    told = await told_by(site, token)
    note(request, told)

    async def make() -> bytes:
        return encoded(await _document(site, token, told))[:-1] + b',"counts":'

    file = await site.widget_files.held.get(f"json {token}", told, make)
    counts = await site.directory.counts(told.letter)
    rest = encoded(counts.public(told.letter.settings.codes)) + b"}"
    return _answer(request, file, rest, "no-cache", "application/json")


@dataclass(frozen=True, slots=True)
class Told:
    """Everything that a configuration is made from: a file is good for as long as these are the same."""

    letter: Letter
    credit: Credit | None
    notice: Notice | None


async def told_by(site: Site, token: str) -> Told:
    """Raises `Refusal` for a token that tells nothing, and for a draft, which the public does not see."""
    try:
        credit = await site.directory.credit(token)
    except NotAllowed as refusal:
        slug = refusal.extra.get("letter_slug")
        letter = None if slug is None else await site.directory.letter(slug)
        if letter is None or letter.status(site.now()) == "draft":
            raise
        return Told(letter, None, "revoked")
    status = credit.letter.status(site.now())
    if status == "draft":
        raise Unknown("not_open_draft")
    return Told(credit.letter, credit, _notice(status))


def note(request: Request, told: Told) -> None:
    """Notes on which partner's page this is shown, for its webmaster."""
    if told.credit is not None and request.method == "GET":
        origin = seen_on(request.headers.get("origin"), request.headers.get("referer"))
        site_of(request).sightings.saw(told.credit.partner, origin)


def _notice(status: Status) -> Notice | None:
    return status if status in ("scheduled", "paused", "closed") else None


async def _document(site: Site, token: str, told: Told) -> dict[str, Any]:
    letter = told.letter
    if told.credit is None or told.notice is not None:
        return notice_configuration(site.public_url, site.texts, letter, token, told.notice or "revoked")
    consents = await site.consents.current(letter, told.credit.partner)
    return open_configuration(site.public_url, site.seals, site.texts, letter, token, consents)


async def _silent(site: Site, refusal: Refusal) -> OpenEnded:
    """A script that tells the webmaster on the console what is wrong, and leaves the page as it is."""
    sentence = site.texts(f"refusal.{refusal.code}", "en")

    async def make() -> bytes:
        return f"console.warn({script_json(f'Undersigned: {sentence}')});".encode()

    return await site.widget_files.held.get(f"refusal {refusal.code}", refusal.code, make)


def _answer(
    request: Request, file: OpenEnded, rest: bytes, cache_control: str, media_type: str = MEDIA_TYPE
) -> Response:
    encoding = accepted(request.headers.get("accept-encoding", ""))
    etag = file.etag(encoding, rest)
    headers = CROSS_ORIGIN | {"cache-control": cache_control, "etag": etag, "vary": "Accept-Encoding"}
    if matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    if encoding != "identity":
        headers["content-encoding"] = encoding
    return Response(file.body(encoding, rest), headers=headers | {"content-type": media_type})


ROUTES = [
    Route("/w/{token}.js", partner_file),
    Route("/widget.js", library_file),
    Route("/{name}.{hash}.js", pinned_file),
    Route("/v1/widget/{token}", configuration),
]
