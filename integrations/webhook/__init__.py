"""Kind `webhook`: Standard Webhooks 1.0, for anybody who can receive a POST.

One thing must stay true: the bytes that are signed are the bytes that are sent.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import ClassVar

from widget_server.contract import Destination, Event, Limits, Option, Problem, Response, Tools, judge

_PREFIX = "whsec_"
_LONGEST_PACE_SECONDS = 3600.0


class Webhook:
    kind: ClassVar[str] = "webhook"
    summary: ClassVar[str] = "Standard Webhooks 1.0: signed JSON, one event a request"
    options: ClassVar[Sequence[Option]] = (
        Option(
            "contact_details",
            "`all` sends e-mail, postal code and comment of every signer, not only of those who opted in;"
            " the audit log keeps that you asked for it",
        ),
        Option("pace", "least seconds between two requests, such as 0.5; none by default", default="0"),
    )
    signed: ClassVar[bool] = True
    url_is_secret: ClassVar[bool] = False
    events: ClassVar[Sequence[str] | None] = None
    contact_details: ClassVar[bool] = True

    def limits(self, options: Mapping[str, str]) -> Limits:
        return Limits(pace_seconds=_pace(options.get("pace", "0")) or 0.0, in_flight=10)

    def check(self, url: str, options: Mapping[str, str]) -> Sequence[Problem]:  # noqa: ARG002  any URL will do
        found = []
        if options.get("contact_details", "all") != "all":
            found.append(Problem("contact_details", "the only value is `all`; leave it out for opted-in signers only"))
        if _pace(options.get("pace", "0")) is None:
            found.append(Problem("pace", f"a number of seconds from 0 to {_LONGEST_PACE_SECONDS:g}"))
        return found

    def plan(
        self,
        events: Sequence[Event],
        *,
        options: Mapping[str, str],  # noqa: ARG002
        quiet_seconds: float,  # noqa: ARG002
        now: datetime,  # noqa: ARG002
    ) -> Sequence[Sequence[Event]]:
        return [[event] for event in events]

    async def send(self, events: Sequence[Event], destination: Destination, tools: Tools) -> Response:
        (event,) = events
        content = body(event)
        sent_at = tools.now()
        timestamp = str(int(sent_at.timestamp()))
        headers = {
            "content-type": "application/json",
            "webhook-id": event.id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(
                signature(secret, event.id, timestamp, content) for secret in destination.secrets
            ),
        }
        response = await tools.client.post(destination.url, content=content, headers=headers)
        return judge(response, now=tools.now())


def body(event: Event) -> bytes:
    """The event as JSON: type, when it happened, data; `test` beside them only where it is one."""
    shown: dict[str, object] = {"type": event.type}
    if event.test:
        shown["test"] = True
    shown["timestamp"] = event.occurred_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    shown["data"] = event.data
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()


def signature(secret: str, id_: str, timestamp: str, content: bytes) -> str:
    """One entry of `webhook-signature`: version 1, HMAC-SHA256 over id, timestamp and the body as sent."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = f"{id_}.{timestamp}.".encode() + content
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode('ascii')}"


def _pace(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if isfinite(seconds) and 0 <= seconds <= _LONGEST_PACE_SECONDS else None
