"""What a form sent: a small body, read once, into fields; and whether it was a form of ours.

One thing must stay true: a page on another origin cannot press our buttons, and no body is read beyond `MAX_BYTES`.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.types import Receive

from widget_server.domain.partners import read_origin
from widget_server.domain.refusals import NotAllowed, TooLarge, Unreadable, WrongType
from widget_server.web.site import site_of

MAX_BYTES = 16 * 1024
MAX_FIELDS = 64

FORM = "application/x-www-form-urlencoded"


async def read_body(headers: dict[str, str], receive: Receive) -> bytes:
    """The whole body. `headers` by lower-case name. Raises `TooLarge` as soon as it is known to be."""
    length = headers.get("content-length", "0")
    if length.isdigit() and int(length) > MAX_BYTES:
        raise TooLarge("too_large")
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Unreadable("unreadable")
        part = message.get("body", b"")
        size += len(part)
        if size > MAX_BYTES:
            raise TooLarge("too_large")
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


def read_fields(content_type: str, body: bytes) -> dict[str, Any]:
    """A form's or a JSON object's fields. Raises `WrongType` or `Unreadable`."""
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == FORM:
            return _form(body.decode("utf-8"))
        if kind == "application/json":
            found = json.loads(body.decode("utf-8"))  # RFC 8259, 8.1; bytes would be taken in UTF-16 as well
            if not isinstance(found, dict) or len(found) > MAX_FIELDS:
                raise Unreadable("unreadable")
            return found
    except (ValueError, RecursionError) as error:
        raise Unreadable("unreadable") from error
    raise WrongType("wrong_type")


def _form(text: str) -> dict[str, Any]:
    """`application/x-www-form-urlencoded` (WHATWG URL, 5.1), UTF-8 only; of a repeated name the last counts.

    urllib's `parse_qsl` does the same in four times the time, a tenth of what a signature costs.
    """
    pairs = text.split("&")
    if len(pairs) > MAX_FIELDS:
        raise Unreadable("unreadable")
    fields: dict[str, Any] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        fields[_unquoted(name)] = _unquoted(value)
    return fields


def _unquoted(text: str) -> str:
    if "+" in text:
        text = text.replace("+", " ")
    if "%" not in text:
        return text
    if "\\" in text or not text.isascii():
        return unquote(text, errors="strict")
    # Python's own decoder of \xNN escapes does in C what unquote does in Python; what it refuses, unquote may read.
    try:
        return text.replace("%", "\\x").encode().decode("unicode_escape").encode("latin-1").decode()
    except UnicodeDecodeError:
        return unquote(text, errors="strict")


async def pressed(request: Request) -> bytes:
    """The body of a POST to a page of ours, which may be empty. Raises `NotAllowed` where another origin sent it."""
    origin = request.headers.get("origin")
    if origin is not None and read_origin(origin) != read_origin(site_of(request).public_url):
        raise NotAllowed("origin_foreign")
    return await read_body(dict(request.headers), request.receive)


async def sent(request: Request) -> dict[str, str]:
    """The fields of a form of ours. Raises `NotAllowed`, `WrongType`, `Unreadable` or `TooLarge`."""
    body = await pressed(request)
    kind = request.headers.get("content-type", "")
    if body and not kind.lower().startswith(FORM):
        raise WrongType("wrong_type")
    return read_fields(FORM, body) if body else {}
