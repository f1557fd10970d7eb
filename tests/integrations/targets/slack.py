"""Slack: an incoming webhook and a workflow's trigger.

Sources: docs.slack.dev, "Sending messages using incoming webhooks" and "Rate limits"; the errors of
api.slack.com/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks; limits of blocks from docs.slack.dev,
"Block Kit reference", and the models of slack-sdk; about 13.2 kB for all blocks from slackapi/bolt-js#2509.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tests.integrations.targets.room import Asked, Room, Says, read_json

STATES = {
    "revoked": (404, "no_service"),
    "archived": (410, "channel_is_archived"),
    "channel gone": (404, "channel_not_found"),
    "team gone": (403, "team_disabled"),
    "forbidden": (403, "action_prohibited"),
    "token": (403, "invalid_token"),
    "blocks": (400, "invalid_blocks"),
    "rollup": (500, "rollup_error"),
}
BLOCKS_BYTES = 13_200
SECTION_TEXT = 3000
CONTEXT_ELEMENTS = 10
BLOCKS = 50
_ALERT = re.compile(r"<(!(?:channel|here|everyone)|@U\w+|!subteam\^\w+)[|>]")
_RAW_LINK = re.compile(r"<(https?://[^|>]+)(?:\|([^>]*))?>")


class SlackRoom(Room):
    """`shown`: the parsed messages. A workflow declares `declared`; a run with other variables fails where nobody
    outside sees it (`failed_runs`), and is answered like any other."""

    path = "/services/T0/B0/secret"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.declared = {"text"}
        self.failed_runs: list[Any] = []
        self.links: list[str] = []

    def answer(self, asked: Asked) -> Says:
        if asked.path.startswith(("/triggers/", "/workflows/")):
            return self._run(asked)
        if asked.path != self.path:
            return Says(404, b"no_service")
        if self.state in STATES:
            status, word = STATES[self.state]
            return Says(status, word.encode())
        wait = self.too_many(1, 1.0)  # "no more than one message per second"; short bursts may pass, we allow none
        if wait is not None:
            return Says(429, b"rate_limited", {"Retry-After": "1"})
        body = read_json(asked)
        word = "invalid_payload" if not isinstance(body, dict) else self._objection(body)
        if word is not None:
            return Says(400, word.encode())
        self._read(body)
        self.shown.append(body)
        return Says(200, b"ok")

    def _run(self, asked: Asked) -> Says:
        """A trigger says ok whatever its fields are: seen from outside only in the channel."""
        body = read_json(asked)
        fits = isinstance(body, dict) and set(body) == self.declared
        if fits and all(isinstance(value, str) for value in body.values()):
            self.shown.append(body)
        else:
            self.failed_runs.append(body)
        return Says(200, json={"ok": True})

    def _objection(self, body: Mapping[str, Any]) -> str | None:
        if not body.get("text") and not body.get("blocks"):
            return "no_text"
        blocks = body.get("blocks", [])
        if len(blocks) > BLOCKS or not all(map(_is_block, blocks)):
            return "invalid_blocks"
        if len(json.dumps(blocks, ensure_ascii=False).encode()) > BLOCKS_BYTES:
            return "msg_blocks_too_long"
        return None

    def _read(self, body: Mapping[str, Any]) -> None:
        """As Slack reads a message: control sequences in mrkdwn and in `text`, none in plain_text."""
        read = [body["text"]]
        for block in body.get("blocks", ()):
            texts = [block["text"]] if "text" in block else block.get("elements", [])
            read += [text["text"] for text in texts if text["type"] == "mrkdwn"]
        for text in read:
            self.alerts += _ALERT.findall(text)
            self.links += [link for link, _ in _RAW_LINK.findall(text)]


def _is_block(block: Mapping[str, Any]) -> bool:
    match block.get("type"):
        case "section":
            return _is_text(block.get("text"), SECTION_TEXT)
        case "context":
            elements = block.get("elements", [])
            return 1 <= len(elements) <= CONTEXT_ELEMENTS and all(_is_text(one, SECTION_TEXT) for one in elements)
        case _:
            return False


def _is_text(text: Any, limit: int) -> bool:
    """A text object; `emoji` belongs to plain_text, `verbatim` to mrkdwn, and either elsewhere is invalid."""
    if not isinstance(text, dict) or not 1 <= len(text.get("text", "")) <= limit:
        return False
    if text.get("type") == "plain_text":
        return set(text) <= {"type", "text", "emoji"}
    return text.get("type") == "mrkdwn" and set(text) <= {"type", "text", "verbatim"}
