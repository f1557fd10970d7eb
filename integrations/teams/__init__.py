"""Kind `teams`: a workflow of Microsoft Teams ("When a Teams webhook request is received"), told who signs.

One thing must stay true: the answer's body is read even where its status says success, since a refusal may hide there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override

from integrations.chat.escaping import MARKDOWN
from integrations.chat.kind import Chat, read_json
from integrations.chat.told import Told, tell
from widget_server.contract import Destination, Event, NotAuthorized, Permanent, Response, judge

_ROOM = 6000
"""Bytes of Markdown, before JSON is put round each line. A card may have 28 kB by the documentation
(learn.microsoft.com/connectors/teams); others met refusals from 21 kB on."""

_HIDDEN = re.compile(r"returned HTTP error (\d{3})")
_OFF = ("WorkflowTriggerIsNotEnabled", "WorkflowDisabled")
_NO_MORE = ("WorkflowNotFound", "ResourceNotFound")


class Teams(Chat):
    kind: ClassVar[str] = "teams"
    summary: ClassVar[str] = "Microsoft Teams workflow: organizations one by one, people in digests"
    pace_seconds: ClassVar[float] = 36.0
    """A hundred messages an hour, as the older connectors bore; what a workflow bears depends on its licence."""
    digest_seconds: ClassVar[float] = 300.0
    hosts: ClassVar[frozenset[str] | None] = frozenset({".logic.azure.com", ".environment.api.powerplatform.com"})
    address_looks: ClassVar[str] = "https://….logic.azure.com/workflows/…?…&sig=…, whole: a workflow's address is long"

    @override
    def looks_right(self, url: str) -> bool:
        parts = urlsplit(url)
        return not self.is_at_home(url) or ("/workflows/" in parts.path and "sig" in parse_qs(parts.query))

    @override
    def message(self, events: Sequence[Event], destination: Destination) -> Mapping[str, Any]:
        told = tell(events, destination.locale, room=_ROOM, measure=lambda line: len(MARKDOWN(line).encode()))
        return {
            "type": "message",
            "attachments": [
                {
                    "contentType": "application/vnd.microsoft.card.adaptive",
                    "contentUrl": None,
                    "content": _card(told),
                }
            ],
        }

    @override
    def judged(self, response: Response, now: datetime) -> Response:
        """A connector answers 200 where Teams refused, and says in its body what Teams said; a workflow that was
        switched off answers 400, which is no fault of the message."""
        status, text = response.status_code, response.text[:1000]
        hidden = _HIDDEN.search(text) if 200 <= status < 300 else None
        if hidden is not None:
            return self.judged(Response(int(hidden[1]), response.headers, response.content), now)
        error = read_json(response).get("error")
        said = str(error.get("code", "")) if isinstance(error, dict) else ""
        if said in _OFF or status in (401, 403):
            raise NotAuthorized(f"http_{status}", said, status_code=status, response=text)
        if said in _NO_MORE or status == 404:
            raise Permanent(f"http_{status}", said, status_code=status, response=text, gone=True)
        return judge(response, now=now)


def _card(told: Told) -> Mapping[str, Any]:
    """An Adaptive Card. Its texts are read as Markdown, each line in a block of its own."""
    body: list[dict[str, Any]] = [_block(told.headline, size="Medium", weight="Bolder")]
    body += [_block(line, spacing="None") for line in told.lines]
    body.append(_block(" · ".join(told.counts), isSubtle=True, spacing="Small"))
    return {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": told.title[:_TITLE_LIMIT], "url": told.url}],
    }


_TITLE_LIMIT = 200


def _block(text: str, **looks: Any) -> dict[str, Any]:
    return {"type": "TextBlock", "text": MARKDOWN.fit(text, _LINE_LIMIT), "wrap": True, **looks}


_LINE_LIMIT = 2000
