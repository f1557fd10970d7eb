"""Mattermost: an incoming webhook.

Sources: mattermost/mattermost, server/channels/web/webhook.go and app/webhook.go (HandleIncomingWebhook: ids and
statuses of errors), app/slack.go (what of Slack's markup is translated); how long a post may be and that a longer one
is split: SplitWebhookPost. The headers of a 429 are those of throttled/throttled, which the server uses.
"""

from __future__ import annotations

import re

from tests.integrations.targets.room import Asked, Room, Says, read_json

ERRORS = {
    "revoked": (400, "web.incoming_webhook.invalid.app_error"),
    "off": (501, "web.incoming_webhook.disabled.app_error"),
    "channel gone": (404, "app.channel.get.existing.app_error"),
    "locked": (403, "web.incoming_webhook.channel_locked.app_error"),
    "forbidden": (403, "web.incoming_webhook.permissions.app_error"),
    "parse": (400, "web.incoming_webhook.parse.app_error"),
    "author gone": (403, "web.incoming_webhook.user.app_error"),
}
POST_LENGTH = 4000
"""Of servers whose database was made before 5.0; 16,383 since."""
_SLACK_LINK = re.compile(r"<([^<|]+)\|([^>]+)>")
_ALERT = re.compile(r"(?<![\w`])@(channel|all|here|[a-z][a-z0-9._-]+)\b", re.IGNORECASE)
_URL = re.compile(r"(?:https?://|www\.)[^\s)\]>]+")


class MattermostRoom(Room):
    """`shown`: posts as texts, after translation. `links`: what a reader could click."""

    path = "/hooks/abc123"

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.links: list[str] = []
        self.most_in_a_second = 10

    def answer(self, asked: Asked) -> Says:
        if asked.path != self.path:
            return self._error(*ERRORS["revoked"])
        if self.state in ERRORS:
            return self._error(*ERRORS[self.state])
        wait = self.too_many(self.most_in_a_second, 1.0)
        if wait is not None:
            return Says(429, b"limit exceeded", {"X-RateLimit-Limit": "10", "X-RateLimit-Reset": "7"})
        body = read_json(asked)
        if not isinstance(body, dict):
            return self._error(400, "web.incoming_webhook.parse.app_error")
        if not body.get("text"):
            return self._error(400, "web.incoming_webhook.text.app_error")
        text = body["text"].replace("<!channel>", "@channel").replace("<!here>", "@here").replace("<!all>", "@all")
        text = _SLACK_LINK.sub(r"[\2](\1)", text)
        self.alerts += _ALERT.findall(text)
        self.links += _URL.findall(text)
        self.shown += [text[at : at + POST_LENGTH] for at in range(0, len(text), POST_LENGTH)]
        return Says(200, b"ok")

    def _error(self, status: int, id_: str) -> Says:
        return Says(status, json={"id": id_, "message": "…", "detailed_error": "", "status_code": status})
