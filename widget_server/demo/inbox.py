"""The inbox: a local receiver for the demo's destinations, and a page that shows live what arrived.

It stands for the systems that partners run, whose webhook is verified as any receiver should verify one, and for a
signer's mail program.
One thing must stay true: whatever arrives is data; the page puts it on screen as text, never as HTML.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from widget_server.demo.mails import mail_route
from widget_server.demo.pages import assets, render
from widget_server.demo.received import Message, Received
from widget_server.i18n import Texts

TOLERANCE_SECONDS = 300
_LARGEST = 256 * 1024
_SHOWN_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature", "content-type", "user-agent")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "frame-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def verified(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    """Whether `body` carries a signature by one of `secrets` (`whsec_…`), made within five minutes of `now`.

    Standard Webhooks 1.0: HMAC-SHA256 over `id.timestamp.body`; the header may carry several.
    """
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(now.timestamp() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    signed = f"{message_id}.{timestamp}.".encode() + body
    given = [part.partition(",")[2] for part in headers.get("webhook-signature", "").split() if part.startswith("v1,")]
    for secret in secrets:
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            continue
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        if any(hmac.compare_digest(expected.encode(), one.encode()) for one in given):
            return True
    return False


def create_inbox(
    received: Received,
    secrets: Sequence[str],
    texts: Texts,
    *,
    mail_folder: Path,
    sign_urls: Mapping[str, str],
    approve: str,
) -> Starlette:
    """The receiver and its page.

    `mail_folder`: where the server writes its mails. `sign_urls`: by locale, where one can sign. `approve`: the
    command that approves an organization, but for the id.
    """

    async def take(request: Request) -> Response:
        kind = request.url.path.strip("/")
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LARGEST:
                return PlainTextResponse("too large", 413)
        now = datetime.now(UTC)
        right = verified(secrets, request.headers, body, now) if kind == "webhook" else None
        headers = {name: request.headers[name] for name in _SHOWN_HEADERS if name in request.headers}
        await received.add(kind, now.isoformat(), headers, body.decode("utf-8", "replace"), right)
        if right is False:
            return PlainTextResponse("the signature does not match", 401)
        return PlainTextResponse("ok")

    async def page(request: Request) -> Response:
        wanted = request.query_params.get("lang") or request.headers.get("accept-language", "")
        locale = "fr" if wanted.lower().startswith("fr") else "en"
        other = "en" if locale == "fr" else "fr"
        html = render(
            "inbox.html",
            locale=locale,
            texts=texts.area("demo.inbox", locale),
            data=json.dumps({"locale": locale, "approve": approve, "texts": texts.area("demo.inbox", locale)}),
            other_locale=other,
            other_url=f"/?{urlencode({'lang': other})}",
            other_name=texts("demo.inbox.language", other),
            sign_url=sign_urls[locale],
        )
        return HTMLResponse(html, headers={"content-security-policy": _POLICY, "cache-control": "no-store"})

    async def messages(_: Request) -> Response:
        return JSONResponse([message.as_json() for message in reversed(received.since(0))])

    async def stream(request: Request) -> Response:
        last = request.headers.get("last-event-id", "0")
        return StreamingResponse(
            _events(received, int(last) if last.isdecimal() else 0),
            media_type="text/event-stream",
            headers={"cache-control": "no-store"},
        )

    return Starlette(
        routes=[
            Route("/", page),
            Route("/messages", messages),
            Route("/stream", stream),
            Route("/webhook", take, methods=["POST"]),
            Route("/slack", take, methods=["POST"]),
            mail_route(mail_folder),
            *assets("inbox.css", "inbox.js", "inbox.svg"),
        ]
    )


async def _events(received: Received, number: int) -> AsyncIterator[str]:
    # `retry` first: after `make demo` is stopped and started, an open page is back within two seconds.
    yield "retry: 1500\n\n"
    for message in received.since(number):
        number = message.number
        yield _event(message)
    yield "event: caught-up\ndata: \n\n"
    async for message in received.follow(number):
        yield _event(message)


def _event(message: Message) -> str:
    return f"id: {message.number}\ndata: {json.dumps(message.as_json())}\n\n"
