"""GET /w/TOKEN.js, /widget.js, /widget.HASH.js and /v1/widget/TOKEN: the widget and what it is told.

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
from widget_server.flows.directory import Credit
from widget_server.flows.widget_config import Notice, notice_configuration, open_configuration
from widget_server.web.open_ended import Encoding, OpenEnded
from widget_server.web.problems import CORS, encoded
from widget_server.web.site import Site, site_of
from widget_server.web.widget_file import script_json, tail

SCRIPT = "text/javascript; charset=utf-8"
_CROSS_ORIGIN = CORS | {
    "cross-origin-resource-policy": "cross-origin",
    "timing-allow-origin": "*",
    "x-content-type-options": "nosniff",
}
_FEW_MINUTES = "public, max-age=300, stale-while-revalidate=300, stale-if-error=86400"
_FOR_EVER = "public, max-age=31536000, immutable"


async def partner_file(request: Request) -> Response:
    """`/w/TOKEN.js`: the library with this partner's configuration, so that one request draws the form."""
    site = site_of(request)
    token = request.path_params["token"]
    try:
        told = await _told(site, token)
    except Refusal as refusal:
        return _answer(request, await _silent(site, refusal), b"\n", _FEW_MINUTES)
    files = site.widget_files

    async def make() -> bytes:
        return files.library.with_configuration(await _document(site, token, told))

    file = await files.held.get(token, told, make)
    counts = await site.directory.counts(told.letter)
    return _answer(request, file, tail(counts.total), _FEW_MINUTES)


async def library_file(request: Request) -> Response:
    """`/widget.js`, and `/widget.HASH.js` for those who pin: the same bytes for ever, or 404."""
    site = site_of(request)
    files = site.widget_files
    wanted = request.path_params.get("hash")
    if wanted not in (None, files.hash):
        raise Unknown("not_found")

    async def make() -> bytes:
        return files.alone[:-1]

    file = await files.held.get("", files.hash, make)
    return _answer(request, file, files.alone[-1:], _FOR_EVER if wanted else _FEW_MINUTES)


async def configuration(request: Request) -> Response:
    """`/v1/widget/TOKEN`: what `/w/TOKEN.js` has in front, counts included, as JSON."""
    site = site_of(request)
    token = request.path_params["token"]
    told = await _told(site, token)

    async def make() -> bytes:
        return encoded(await _document(site, token, told))[:-1] + b',"counts":'

    file = await site.widget_files.held.get(f"json {token}", told, make)
    counts = await site.directory.counts(told.letter)
    rest = encoded(counts.public(told.letter.settings.codes)) + b"}"
    return _answer(request, file, rest, "no-cache", "application/json")


@dataclass(frozen=True, slots=True)
class _Told:
    """Everything that a configuration is made from: a file is good for as long as these are the same."""

    letter: Letter
    credit: Credit | None
    notice: Notice | None


async def _told(site: Site, token: str) -> _Told:
    """Raises `Refusal` for a token that tells nothing, and for a draft, which the public does not see."""
    try:
        credit = await site.directory.credit(token)
    except NotAllowed as refusal:
        slug = refusal.extra.get("letter_slug")
        letter = None if slug is None else await site.directory.letter(slug)
        if letter is None or letter.status(site.now()) == "draft":
            raise
        return _Told(letter, None, "revoked")
    status = credit.letter.status(site.now())
    if status == "draft":
        raise Unknown("not_open_draft")
    return _Told(credit.letter, credit, _notice(status))


def _notice(status: Status) -> Notice | None:
    return status if status in ("scheduled", "paused", "closed") else None


async def _document(site: Site, token: str, told: _Told) -> dict[str, Any]:
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


def _answer(request: Request, file: OpenEnded, rest: bytes, cache_control: str, media_type: str = SCRIPT) -> Response:
    encoding = accepted(request.headers.get("accept-encoding", ""))
    etag = file.etag(encoding, rest)
    headers = _CROSS_ORIGIN | {"cache-control": cache_control, "etag": etag, "vary": "Accept-Encoding"}
    if _matches(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    if encoding != "identity":
        headers["content-encoding"] = encoding
    return Response(file.body(encoding, rest), headers=headers | {"content-type": media_type})


def accepted(header: str) -> Encoding:
    """The best encoding that a client takes: Brotli, else gzip, else none."""
    weights: dict[str, float] = {}
    for part in header.lower().split(","):
        name, _, weight = part.partition(";")
        try:
            weights[name.strip()] = float(weight.partition("=")[2] or 1)
        except ValueError:
            continue
    for encoding in ("br", "gzip"):
        if weights.get(encoding, weights.get("*", 0)) > 0:
            return encoding
    return "identity"


def _matches(if_none_match: str, etag: str) -> bool:
    """Weak comparison, as RFC 9110 wants it for `If-None-Match`."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]


ROUTES = [
    Route("/w/{token}.js", partner_file),
    Route("/widget.js", library_file),
    Route("/widget.{hash}.js", library_file),
    Route("/v1/widget/{token}", configuration),
]
