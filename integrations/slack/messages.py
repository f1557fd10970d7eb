"""What Slack is told: events → the JSON of one message, or of one run of a workflow.

One thing must stay true: whatever comes from a signer, a partner or a letter is escaped, in `text` and in blocks
alike; and it stands in `plain_text`, which Slack does not read for links, mentions or emphasis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from integrations.chat.escaping import ENTITIES
from integrations.chat.told import tell
from widget_server.contract import Event

SECTION_LIMIT = 2900
"""Slack refuses 3,000 characters and counts them after escaping."""
NAME_LIMIT = 1200
_ROOM = SECTION_LIMIT - 400
VARIABLES = ("text", "headline", "lines", "total", "organizations", "letter", "url", "type")
"""What a workflow may be given."""


def message(events: Sequence[Event], locale: str) -> dict[str, Any]:
    """One message. It says the total, so that a repeat of it does no harm."""
    told = tell(events, locale, room=_ROOM, measure=lambda line: len(ENTITIES(line)))
    shown = ENTITIES.fit(told.text, SECTION_LIMIT)
    link = f"<{ENTITIES(told.url)}|{ENTITIES.fit(told.title, NAME_LIMIT)}>"
    footer = [*(ENTITIES.fit(part, NAME_LIMIT) for part in told.counts), link]
    spoken = " · ".join([told.headline, *told.lines, *told.counts, told.title])
    return {
        "text": ENTITIES.fit(spoken, SECTION_LIMIT),
        "blocks": [
            {"type": "section", "text": {"type": "plain_text", "text": shown, "emoji": False}},
            {
                "type": "context",
                "elements": [{"type": "mrkdwn", "text": part, "verbatim": True} for part in footer],
            },
        ],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def variables(events: Sequence[Event], locale: str, wanted: Sequence[str]) -> dict[str, str]:
    """The same as the variables of a workflow: flat, and every value a string (slack.com/help, "Build a workflow
    that starts with a webhook")."""
    told = tell(events, locale, room=_ROOM, measure=lambda line: len(ENTITIES(line)))
    values = {
        "text": "\n".join([told.text, " · ".join(told.counts), f"{told.title}: {told.url}"]),
        "headline": told.headline,
        "lines": "\n".join(told.lines),
        "total": told.total,
        "organizations": told.organizations,
        "letter": told.title,
        "url": told.url,
        "type": events[0].type if len({event.type for event in events}) == 1 else "several",
    }
    return {name: ENTITIES.fit(values[name], SECTION_LIMIT) for name in VARIABLES if name in wanted}
