"""Rocket.Chat: an incoming webhook.

Sources: RocketChat/Rocket.Chat, apps/meteor/app/integrations/server/api/api.ts (a disabled integration is 503, a
failure is 400 with `success: false`, an unknown one throws "Invalid integration id or token provided."),
app/api/server/api.ts (ten calls in a minute by default; the sentence and the headers of a 429), processWebhookMessage
(invalid-channel), sendMessage (error-message-size-exceeded). Whether a failure ever comes with status 200 is
unconfirmed; the room can.
"""

from __future__ import annotations

import re

from tests.integrations.targets.room import Asked, Room, Says, read_json

FAILURES = {
    "channel gone": "invalid-channel",
    "forbidden": "error-not-allowed",
    "script": "error-running-script",
}
MESSAGE_SIZE = 5000
_ALERT = re.compile(r"(?<!\w)@(all|here|[\w.-]+)")
_LINK = re.compile(r"(?:https?://)?[^\s./|<>%`\[\]()]+(?:\.[^\s./|<>%`\[\]()]+)*\.[a-z]{2,}[^\s)]*", re.IGNORECASE)
"""As its grammar has it: a label may hold almost anything, the last one must be a known domain."""


class RocketChatRoom(Room):
    """`links`: what a reader could click; its own markup makes a link of a bare domain too."""

    path = "/hooks/id1/token1"

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.links: list[str] = []
        self.failure_status = 400

    def answer(self, asked: Asked) -> Says:
        if asked.path != self.path or self.state == "revoked":
            return self._failure("Invalid integration id or token provided.")
        if self.state == "off":
            return Says(503, json={"success": False, "error": "Service Unavailable"})
        wait = self.too_many(10, 60.0)
        if wait is not None:
            error = (
                f"Error, too many requests. Please slow down. You must wait {wait:.0f} seconds before trying this"
                " endpoint again. [error-too-many-requests]"
            )
            reset = str(int((self.now().timestamp() + wait) * 1000))
            return Says(429, headers={"X-RateLimit-Reset": reset}, json={"success": False, "error": error})
        if self.state in FAILURES:
            return self._failure(FAILURES[self.state])
        body = read_json(asked)
        if not isinstance(body, dict):
            return self._failure("Invalid JSON")
        if not body:
            return Says(200, json={"success": True})
        if len(body.get("text", "")) > MESSAGE_SIZE:
            return self._failure("error-message-size-exceeded")
        self.alerts += _ALERT.findall(body["text"])
        self.links += _LINK.findall(body["text"])
        self.shown.append(body["text"])
        return Says(200, json={"success": True})

    def _failure(self, error: str) -> Says:
        return Says(self.failure_status, json={"success": False, "error": error})
