"""Microsoft Teams: a workflow that begins with "When a Teams webhook request is received".

Sources: learn.microsoft.com, "Create incoming webhooks with Workflows" and the Teams connector's known limits (about
28 kB a message); 429 inside 200 from "Rate limiting for connectors"; 400 WorkflowTriggerIsNotEnabled for a workflow
that is off or deleted, 401 DirectApiAuthorizationRequired for a wrong signature and 404 WorkflowNotFound as others'
programs meet them (unconfirmed by Microsoft's pages).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.integrations.targets.room import Asked, Room, Says, read_json

MESSAGE_BYTES = 28 * 1024
REFUSALS = {
    "off": (400, "WorkflowTriggerIsNotEnabled"),
    "gone": (404, "WorkflowNotFound"),
    "forbidden": (403, "AuthorizationFailed"),
}
_URL = re.compile(r"https?://[^\s)\]]+")


class TeamsRoom(Room):
    """`shown`: cards that reached the channel. The workflow says 202 before it posts: what fails then, it does in
    silence (`failed_runs`)."""

    path = "/workflows/1/triggers/manual/paths/invoke"

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.failed_runs: list[str] = []
        self.links: list[str] = []

    @property
    def url(self) -> str:
        return f"{super().url}?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=secret"

    def answer(self, asked: Asked) -> Says:
        if asked.path != self.path:
            return _error(404, "WorkflowNotFound")
        if asked.query.get("sig") != "secret":
            return _error(401, "DirectApiAuthorizationRequired")
        if self.state in REFUSALS:
            return _error(*REFUSALS[self.state])
        if self.state == "hidden 429":
            text = b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429"
            return Says(200, text + b" with ContextId tcid=0,server=X,cv=Y")
        if self.state == "hidden 413":
            return Says(
                200, b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 413"
            )
        if self.too_many(4, 1.0) is not None:
            return Says(429, headers={"Retry-After": "9"})
        body = read_json(asked)
        if not isinstance(body, dict) or body.get("type") != "message" or not isinstance(body.get("attachments"), list):
            return _error(400, "TriggerInputSchemaMismatch")
        self._post(body, asked)
        return Says(202)

    def _post(self, body: Mapping[str, Any], asked: Asked) -> None:
        (attachment,) = body["attachments"]
        card = attachment["content"]
        if len(asked.body) > MESSAGE_BYTES:
            self.failed_runs.append("Request Entity too large")
        elif attachment["contentType"] != "application/vnd.microsoft.card.adaptive" or card["type"] != "AdaptiveCard":
            self.failed_runs.append("no card")
        else:
            texts = [block["text"] for block in card["body"]]
            self.alerts += [text for text in texts if "<at>" in text]
            self.links += [link for text in texts for link in _URL.findall(text)]
            self.shown.append(card)


def _error(status: int, code: str) -> Says:
    return Says(status, json={"error": {"code": code, "message": "…"}})
