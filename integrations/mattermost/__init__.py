"""Kind `mattermost`: an incoming webhook of a Mattermost server, told who signs.

One thing must stay true: nothing that somebody typed calls anybody (`@channel`), links anywhere or is read as markup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

from typing_extensions import override

from integrations.chat.escaping import MARKDOWN
from integrations.chat.kind import Chat, read_json, wait_asked_for
from integrations.chat.posts import one_text
from widget_server.contract import Destination, Event, NotAuthorized, Permanent, Response, Temporary, judge

# The ids of HandleIncomingWebhook's errors (mattermost/mattermost, server/channels/app/webhook.go).
_GONE = (
    "web.incoming_webhook.invalid.app_error",
    "web.incoming_webhook.channel.app_error",
    "app.channel.get.existing.app_error",
)
_REFUSED = (
    "web.incoming_webhook.disabled.app_error",
    "web.incoming_webhook.channel_locked.app_error",
    "web.incoming_webhook.permissions.app_error",
    "web.incoming_webhook.user.app_error",
)


class Mattermost(Chat):
    kind: ClassVar[str] = "mattermost"
    summary: ClassVar[str] = "Mattermost incoming webhook: organizations one by one, people in digests"
    pace_seconds: ClassVar[float] = 1.2
    address_looks: ClassVar[str] = "https://chat.example.org/hooks/KEY"

    @override
    def looks_right(self, url: str) -> bool:
        before, hooks, key = urlsplit(url).path.rpartition("/hooks/")
        return bool(hooks) and key.isalnum() and not before.endswith("/hooks")

    @override
    def message(self, events: Sequence[Event], destination: Destination) -> Mapping[str, Any]:
        return {"text": one_text(events, destination.locale, escaping=MARKDOWN, bold="**")}

    @override
    def judged(self, response: Response, now: datetime) -> Response:
        """Mattermost answers errors as JSON with an id."""
        status, said = response.status_code, str(read_json(response).get("id") or "")
        if said in _GONE:
            raise Permanent(f"http_{status}", said, status_code=status, response=response.text[:1000], gone=True)
        if said in _REFUSED or status in (401, 403):
            raise NotAuthorized(f"http_{status}", said, status_code=status, response=response.text[:1000])
        if status == 429:  # its limiter says in `X-RateLimit-Reset` in how many seconds
            after = wait_asked_for(response, now, response.headers.get("x-ratelimit-reset"))
            raise Temporary("http_429", status_code=status, response=response.text[:1000], retry_after_seconds=after)
        return judge(response, now=now)
