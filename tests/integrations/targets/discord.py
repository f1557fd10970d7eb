"""Discord: a webhook of a channel.

Source: Discord's documentation: "Webhook Resource" (Execute Webhook, Get Webhook with Token, `wait`), "Message
Resource" (limits of content and embeds, `allowed_mentions`), "Rate Limits" (the JSON of a 429, invalid requests),
"Opcodes and Status Codes" (10015, 50006, 50027, 50035, 220001). Thirty messages of webhooks in a minute: others'
experience.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.integrations.targets.room import Asked, Room, Says, read_json

_ALERT = re.compile(r"(?<!\\)(@everyone|@here|<@[!&]?\d+>)")
_URL = re.compile(r"https?://[^\s<>)]+")
EMBED = {"title": 256, "description": 4096}


class DiscordRoom(Room):
    """`invalid`: how many 401, 403 and 429 were answered: ten thousand in ten minutes ban an address."""

    path = "/api/webhooks/123/secret"

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.links: list[str] = []
        self.invalid = 0
        self.forum = False

    def answer(self, asked: Asked) -> Says:
        says = self._answer(asked)
        self.invalid += says.status in (401, 403, 429)
        return says

    def _answer(self, asked: Asked) -> Says:
        if not asked.path.startswith("/api/webhooks/123/") or self.state == "revoked":
            return _error(404, 10015, "Unknown Webhook")
        if asked.path != self.path or self.state == "token":
            return _error(401, 50027, "Invalid Webhook Token")
        if self.state == "forbidden":
            return _error(403, 50013, "Missing Permissions")
        if asked.method == "GET":
            return Says(200, json={"id": "123", "type": 1, "channel_id": "9", "token": "secret"})
        wait = self.too_many(30, 60.0)
        if wait is not None or self.state == "global":
            seconds = 65.4 if wait is None else wait + 0.4
            # Retry-After is whole seconds, the body is exact: the longer one must be honoured
            body = {"message": "You are being rate limited.", "retry_after": seconds, "global": wait is None}
            return Says(429, headers={"Retry-After": str(int(seconds))}, json=body)
        if self.forum and "thread_id" not in asked.query:
            return _error(400, 220001, "Webhooks posted to forum channels must have a thread_name or thread_id")
        body = read_json(asked)
        problem = _objection(body)
        if problem is not None:
            return problem
        if body.get("allowed_mentions", {}).get("parse") != []:
            self.alerts += _ALERT.findall(body["content"])
        described = [embed.get("description", "") for embed in body.get("embeds", ())]
        self.links += [link for text in (body["content"], *described) for link in _URL.findall(text)]
        self.shown.append(body)
        if asked.query.get("wait") != "true":
            return Says(204)
        return Says(200, json={"id": str(len(self.shown)), "content": body["content"]})


def _objection(body: Any) -> Says | None:
    if not isinstance(body, dict):
        return _error(400, 50109, "The request body contains invalid JSON.")
    if not body.get("content") and not body.get("embeds"):
        return _error(400, 50006, "Cannot send an empty message")
    embeds = body.get("embeds", [])
    if len(body.get("content", "")) > 2000 or len(embeds) > 10 or not all(map(_is_embed, embeds)):
        return _error(400, 50035, "Invalid Form Body")
    if sum(map(_length, embeds)) > 6000:
        return _error(400, 50035, "Invalid Form Body")
    return None


def _is_embed(embed: Mapping[str, Any]) -> bool:
    fits = all(len(embed.get(name, "")) <= limit for name, limit in EMBED.items())
    return fits and len(embed.get("footer", {}).get("text", "")) <= 2048


def _length(embed: Mapping[str, Any]) -> int:
    return sum(len(embed.get(name, "")) for name in EMBED) + len(embed.get("footer", {}).get("text", ""))


def _error(status: int, code: int, message: str) -> Says:
    return Says(status, json={"message": message, "code": code})
