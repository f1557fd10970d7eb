"""A refusal → problem+json (RFC 9457), in the reader's language. The one place where a "no" becomes an answer.

One thing must stay true: every answer, errors included, can be read by a widget on another origin.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from widget_server.domain.refusals import FieldError, Invalid, Refusal
from widget_server.i18n import LOCALES, Texts, country

CORS: dict[str, str] = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "Retry-After",
}


def locale_for(*wanted: str) -> str:
    """The first of these language tags that we have texts in, else English."""
    for tag in wanted:
        language = tag.partition("-")[0].lower()
        if language in LOCALES:
            return language
    return LOCALES[0]


def field_messages(errors: Sequence[FieldError], texts: Texts, locale: str) -> list[dict[str, str]]:
    """`[{"field", "code", "message"}]`, as a form shows them."""
    return [{"field": error.field, "code": error.code, "message": _message(error, texts, locale)} for error in errors]


def _message(error: FieldError, texts: Texts, locale: str) -> str:
    values = dict(error.values)
    if "country" in values:
        values["country"] = country(values["country"], locale)
    own = f"field.{error.field}.{error.code}"
    key = own if own in texts.keys(locale) else f"field.any.{error.code}"
    return texts(key, locale, **values)


def problem_document(refusal: Refusal, texts: Texts, locale: str, *, public_url: str = "") -> dict[str, Any]:
    """What is wrong and what to do, for a program and for a person."""
    document: dict[str, Any] = {
        "type": f"urn:undersigned:problem:{refusal.code}",
        "title": texts(f"refusal.{refusal.code}", locale, **refusal.values),
        "status": refusal.status,
        "code": refusal.code,
    }
    extra = dict(refusal.extra)
    slug = extra.pop("letter_slug", None)
    if slug is not None:
        document["letter_url"] = f"{public_url}/letters/{slug}"
    if isinstance(refusal, Invalid):
        document["errors"] = field_messages(refusal.errors, texts, locale)
    return document | extra


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def encoded(document: Any) -> bytes:
    return _encode(document).encode()


def problem(refusal: Refusal, texts: Texts, locale: str, *, public_url: str = "") -> Response:
    headers = dict(CORS) | {"cache-control": "no-store"}
    if refusal.retry_after_seconds is not None:
        headers["retry-after"] = str(refusal.retry_after_seconds)
    return Response(
        encoded(problem_document(refusal, texts, locale, public_url=public_url)),
        status_code=refusal.status,
        headers=headers,
        media_type="application/problem+json",
    )
