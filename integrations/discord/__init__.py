"""Kind `discord`: a webhook of a Discord channel, told who signs.

One thing must stay true: no message mentions anybody: `allowed_mentions` allows none, whatever the text says; and
nothing that somebody typed is read as markup.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from typing_extensions import override

from integrations.chat.escaping import MARKDOWN
from integrations.chat.kind import Chat, read_json, wait_asked_for
from integrations.chat.told import tell
from widget_server.contract import (
    Client,
    Destination,
    Event,
    NotAuthorized,
    Option,
    Permanent,
    Problem,
    Response,
    Temporary,
    Tools,
    judge,
)

# Discord's documentation, "Webhook Resource" and "Channel Resource" (embed limits).
CONTENT_LIMIT = 2000
DESCRIPTION_LIMIT = 4096
TITLE_LIMIT = 256
FOOTER_LIMIT = 2048
_ROOM = 3000

_PATH = re.compile(r"/api(/v\d+)?/webhooks/\d+/[\w-]+/?$")


class Discord(Chat):
    kind: ClassVar[str] = "discord"
    summary: ClassVar[str] = "Discord webhook: organizations one by one, people in digests"
    pace_seconds: ClassVar[float] = 2.0
    """A channel takes 30 messages of webhooks in a minute."""
    hosts: ClassVar[frozenset[str] | None] = frozenset(
        {"discord.com", "ptb.discord.com", "canary.discord.com", "discordapp.com"}
    )
    address_looks: ClassVar[str] = "https://discord.com/api/webhooks/ID/TOKEN"
    further_options: ClassVar[Sequence[Option]] = (
        Option("thread_id", "the number of a thread to post into; a forum channel needs one", form="number"),
    )

    @override
    def check(self, url: str, options: Mapping[str, str]) -> Sequence[Problem]:
        found = [*super().check(url, options)]
        thread = options.get("thread_id")
        if thread is not None and not (thread.isascii() and thread.isdigit()):
            found.append(Problem("thread_id", "the digits at the end of the thread's link"))
        return found

    @override
    def looks_right(self, url: str) -> bool:
        return not self.is_at_home(url) or _PATH.search(urlsplit(url).path) is not None

    @override
    async def probe(self, destination: Destination, tools: Tools) -> Sequence[Problem]:
        """Discord shows a webhook to whoever has its address ("Get Webhook with Token")."""
        answer = await tools.client.request("GET", _asked(destination.url, {}))
        if answer.status_code in (401, 403, 404):
            return [Problem("url", "Discord knows no such webhook: make a new one and give its address")]
        self.judged(answer, tools.now())
        return ()

    @override
    async def post(self, client: Client, destination: Destination, content: bytes) -> Response:
        """With `wait`: without it, a message that could not be saved is answered like one that was."""
        thread = destination.options.get("thread_id")
        url = _asked(destination.url, {"wait": "true", **({"thread_id": thread} if thread else {})})
        return await client.post(url, content=content, headers={"content-type": "application/json"})

    @override
    def message(self, events: Sequence[Event], destination: Destination) -> Mapping[str, Any]:
        told = tell(events, destination.locale, room=_ROOM, measure=lambda line: len(MARKDOWN(line)))
        embed: dict[str, Any] = {
            "title": MARKDOWN.fit(told.title, TITLE_LIMIT),
            "url": told.url,
            "footer": {"text": " · ".join(told.counts)[:FOOTER_LIMIT]},
        }
        if told.lines:
            embed["description"] = MARKDOWN.fit("\n".join(told.lines), DESCRIPTION_LIMIT - 100)
        return {
            "content": f"**{MARKDOWN.fit(told.headline, CONTENT_LIMIT - 10)}**",
            "embeds": [embed],
            "allowed_mentions": {"parse": []},
        }

    @override
    def judged(self, response: Response, now: datetime) -> Response:
        """Whoever goes on after 401, 403 and 429 is banned by address: all three halt the destination. Its 404 is
        10015, Unknown Webhook, or a channel that is no more."""
        status, body = response.status_code, read_json(response)
        said, shown = f"{body.get('code', '')} {body.get('message', '')}".strip()[:200], response.text[:1000]
        if status == 429:
            after = wait_asked_for(response, now, body.get("retry_after"))
            code = "http_429"
            raise Temporary(code, said, status_code=status, response=shown, retry_after_seconds=after)
        if status == 404:
            raise Permanent("http_404", said, status_code=status, response=shown, gone=True)
        if status in (401, 403):
            raise NotAuthorized(f"http_{status}", said, status_code=status, response=shown)
        return judge(response, now=now)


def _asked(url: str, query: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=urlencode({**dict(parse_qsl(parts.query)), **query})))
