"""Kind `rocketchat`: an incoming webhook of a Rocket.Chat server, told who signs.

One thing must stay true: nothing that somebody typed calls anybody, links anywhere or is read as markup. Its markup has
no escapes (RocketChat/Rocket.Chat, packages/message-parser/src/grammar.pegjs), so that look-alikes stand for its signs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

from typing_extensions import override

from integrations.chat.escaping import LOOKALIKES
from integrations.chat.kind import Chat, read_json, wait_asked_for
from integrations.chat.posts import one_text
from widget_server.contract import Destination, Event, NotAuthorized, Permanent, Response, Temporary, judge

_PATH = re.compile(r"/hooks/[^/]+/[^/]+(/[^/]+)?$")
_WAIT = re.compile(r"wait (\d+) seconds?")

# What apps/meteor/app/integrations/server/api/api.ts and processWebhookMessage throw.
_GONE = ("Invalid integration id or token", "invalid-channel", "error-invalid-channel", "error-invalid-room")
_REFUSED = ("error-not-allowed", "error-room-archived", "readonly", "You must be logged in", "muted", "blocked")


class RocketChat(Chat):
    kind: ClassVar[str] = "rocketchat"
    summary: ClassVar[str] = "Rocket.Chat incoming webhook: organizations one by one, people in digests"
    pace_seconds: ClassVar[float] = 6.0
    """Unless its administrator says otherwise, a server takes ten requests to a webhook in a minute."""
    address_looks: ClassVar[str] = "https://chat.example.org/hooks/ID/TOKEN"

    @override
    def looks_right(self, url: str) -> bool:
        return _PATH.search(urlsplit(url).path) is not None

    @override
    def message(self, events: Sequence[Event], destination: Destination) -> Mapping[str, Any]:
        return {"text": one_text(events, destination.locale, escaping=LOOKALIKES, bold="*")}

    @override
    def judged(self, response: Response, now: datetime) -> Response:
        """Rocket.Chat says in its body whether it succeeded."""
        status, body = response.status_code, read_json(response)
        said = str(body.get("error") or body.get("message") or "")[:200]
        shown = response.text[:1000]
        if any(word in said for word in _GONE):
            raise Permanent(f"http_{status}", said, status_code=status, response=shown, gone=True)
        if status == 429 or "error-too-many-requests" in said:
            after = wait_asked_for(response, now, *_WAIT.findall(said), _seconds_until(response, now))
            raise Temporary("http_429", said, status_code=status, response=shown, retry_after_seconds=after)
        if status in (401, 403) or any(word in said for word in _REFUSED):
            raise NotAuthorized(f"http_{status}", said, status_code=status, response=shown)
        judge(response, now=now)
        if body.get("success") is False:
            raise Permanent("refused", said, status_code=status, response=shown, item=True)
        return response


def _seconds_until(response: Response, now: datetime) -> float | None:
    """Its `X-RateLimit-Reset` is a time: milliseconds since 1970."""
    try:
        return int(response.headers.get("x-ratelimit-reset", "")) / 1000 - now.timestamp()
    except ValueError:
        return None
