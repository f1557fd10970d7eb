"""POST /v1/signatures: a bare ASGI endpoint, since this is the route that a viral day comes through.

One thing must stay true: a 201 leaves only after the signature and its events are durable.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from widget_server.domain.partners import read_origin
from widget_server.domain.refusals import Invalid, Refusal, Unknown
from widget_server.flows.directory import Credit
from widget_server.flows.sign import Sender, Signed
from widget_server.web import letter as letter_page
from widget_server.web.challenge import solver
from widget_server.web.clients import headers_by_name
from widget_server.web.forms import read_body, read_fields
from widget_server.web.languages import accepted
from widget_server.web.problems import CORS, encoded, field_messages, locale_for, problem_document
from widget_server.web.site import Site

_ALLOW = (b"allow", b"POST, OPTIONS")
_PREFLIGHT = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST, OPTIONS"),
    (b"access-control-allow-headers", b"content-type, accept"),
    (b"access-control-max-age", b"7200"),
    _ALLOW,
]
_HEADERS = [(k.encode(), v.encode()) for k, v in CORS.items()] + [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
]
_JSON = [*_HEADERS, (b"content-type", b"application/json")]
_PROBLEM = [*_HEADERS, (b"content-type", b"application/problem+json")]


async def sign(scope: Scope, receive: Receive, send: Send) -> None:
    """The endpoint. Answers as contract section 5 says; a browser that wants HTML gets a page."""
    site: Site = scope["app"].state.site
    if scope["method"] == "OPTIONS":
        await _answer(send, 204, _PREFLIGHT, b"")
        return
    headers = headers_by_name(scope["headers"])
    fields: dict[str, Any] = {}
    credit: Credit | None = None
    try:
        if scope["method"] != "POST":
            raise _method_not_allowed()
        fields = read_fields(headers.get("content-type", ""), await read_body(headers, receive))
        credit = await site.signing.credit(fields)
        signed = await site.signing.sign(credit, fields, _sender(site, scope, headers))
    except Refusal as refusal:
        of_letter = credit.letter.locales if credit else ()
        locale = locale_for(_asked(fields) or "", *accepted(headers.get("accept-language", "")), *of_letter)
        if wants_page(headers):
            response = await _refusal_page(Request(scope, receive), site, credit, locale, fields, refusal)
            response.headers.update(CORS)
            await response(scope, receive, send)
        else:
            await _refuse(send, site, refusal, locale)
        return
    if wants_page(headers):
        locale = credit.letter.locale(_asked(fields))
        request = Request(scope, receive)
        response = await letter_page.signed_page(request, credit, locale, signed, _typed(fields))
        response.headers.update(CORS)
        await response(scope, receive, send)
        return
    await _answer(send, 201 if signed.new else 200, _JSON, encoded(_told(signed, credit)))


def _told(signed: Signed, credit: Credit) -> dict[str, Any]:
    return {
        "id": signed.id,
        "status": signed.status,
        "statement": signed.statement,
        "counts": signed.counts.public(credit.letter.settings.codes),
        "replaces": signed.replaces,
    }


def _method_not_allowed() -> Refusal:
    refusal = Unknown("method_not_allowed")
    refusal.status = 405
    return refusal


def wants_page(headers: dict[str, str]) -> bool:
    """Whether a browser sent a form by itself; scripts ask for JSON or for anything."""
    return "text/html" in headers.get("accept", "")


def _asked(fields: dict[str, Any]) -> str | None:
    locale = fields.get("locale")
    return locale if isinstance(locale, str) else None


def _typed(fields: dict[str, Any]) -> dict[str, str]:
    """What was sent, for a form that is drawn again. Halves of characters, which JSON can hold and a page cannot, are
    replaced."""
    return {key: value.encode("utf-8", "replace").decode() for key, value in fields.items() if isinstance(value, str)}


def _sender(site: Site, scope: Scope, headers: dict[str, str]) -> Sender:
    client = scope.get("client")
    origin = headers.get("origin")
    return Sender(
        origin=origin if origin is None else read_origin(origin),
        client=site.clients.address(client[0] if client else "", headers),
        no_script=wants_page(headers),
    )


class Sign:
    """The same as an object: Starlette takes a plain function for a handler of requests, not for an ASGI endpoint."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await sign(scope, receive, send)


async def _refusal_page(
    request: Request, site: Site, credit: Credit | None, locale: str, fields: dict[str, Any], refusal: Refusal
) -> Response:
    slug = refusal.extra.get("letter_slug")
    letter = None if slug is None else await site.directory.letter(slug)
    if letter is not None:  # revoked: the letter's own page still takes it
        credit = Credit(letter, await site.directory.house(letter))
    document = problem_document(refusal, site.texts, locale, public_url=site.public_url)
    errors = field_messages(refusal.errors, site.texts, locale) if isinstance(refusal, Invalid) else []
    if credit is None:
        response = letter_page.refusal_page(request, locale, refusal.status, document["title"])
    else:
        response = await letter_page.form_again(
            request, credit, locale, _typed(fields), errors, refusal.status, document["title"]
        )
    if refusal.retry_after_seconds is not None:
        response.headers["retry-after"] = str(refusal.retry_after_seconds)
    if refusal.status == 405:
        response.headers["allow"] = _ALLOW[1].decode()
    return response


async def _refuse(send: Send, site: Site, refusal: Refusal, locale: str) -> None:
    headers = [*_PROBLEM, _ALLOW] if refusal.status == 405 else list(_PROBLEM)
    if refusal.retry_after_seconds is not None:
        headers.append((b"retry-after", str(refusal.retry_after_seconds).encode()))
    document = problem_document(refusal, site.texts, locale, public_url=site.public_url)
    if "challenge" in document:
        document |= {"detail": site.texts("widget.work.detail", locale), "solver": solver().path}
    await _answer(send, refusal.status, headers, encoded(document))


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
