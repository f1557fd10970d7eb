"""The mails that the server writes where no SMTP server is set, shown in the inbox as they come.

One thing must stay true: a mail is shown as data. Its HTML part comes from a page of its own, in which nothing runs.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from widget_server.demo.received import Received

KIND = "mail"
LOOK_SECONDS = 0.3
_NAME = re.compile(r"[\w.@+-]+\.eml")
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; base-uri 'none';"
    " sandbox allow-popups allow-popups-to-escape-sandbox allow-same-origin"
)


async def watch(folder: Path, received: Received) -> None:
    """Puts every new mail of `folder` into the inbox, the oldest first, until cancelled."""
    shown = {message.headers["file"] for message in received.since(0) if message.kind == KIND}
    while True:
        for file in await asyncio.to_thread(_files, folder):
            if file.name not in shown:
                shown.add(file.name)
                await _show(file, received)
        await asyncio.sleep(LOOK_SECONDS)


def _files(folder: Path) -> list[Path]:
    """By name, which is by time; none where no mail was written yet."""
    return sorted(folder.glob("*.eml"))


async def _show(file: Path, received: Received) -> None:
    mail = await asyncio.to_thread(_read, file)
    headers = {name: str(mail[name] or "") for name in ("to", "from", "subject")} | {"file": file.name}
    text = mail.get_body(("plain",))
    body = "" if text is None else text.get_content()
    await received.add(KIND, datetime.now(UTC).isoformat(), headers, body, None)


def _read(file: Path) -> EmailMessage:
    return message_from_bytes(file.read_bytes(), EmailMessage, policy=default)


def mail_route(folder: Path) -> Route:
    """`/mail/NAME.eml`: the HTML part of one mail, for a frame in the inbox."""

    async def answer(request: Request) -> Response:
        name = request.path_params["name"]
        file = folder / name
        if not _NAME.fullmatch(name) or not file.is_file():
            return PlainTextResponse("There is no such mail any more.", 404)
        part = _read(file).get_body(("html",))
        html = "" if part is None else part.get_content()
        return HTMLResponse(html, headers={"content-security-policy": _POLICY, "cache-control": "no-store"})

    return Route("/mail/{name}", answer)
