"""A message as one text with a little markup: for rooms that take nothing else.

One thing must stay true: whatever somebody typed has gone through the target's escaping before markup is put round it.
"""

from __future__ import annotations

from collections.abc import Sequence

from integrations.chat.escaping import Escaping
from integrations.chat.told import tell
from widget_server.contract import Event

TEXT_LIMIT = 2800
"""Older Mattermost servers cut what is longer than 4,000 characters into several posts; a Rocket.Chat server takes
5,000 unless its administrator says less."""
_HEADLINE_LIMIT = 500
_LINES_LIMIT = 1800
_TITLE_LIMIT = 250


def one_text(events: Sequence[Event], locale: str, *, escaping: Escaping, bold: str) -> str:
    """Headline in bold, lines, counts, and the letter as a link; at most `TEXT_LIMIT` characters but for the letter's
    address."""
    told = tell(events, locale, room=_LINES_LIMIT - 200, measure=lambda line: len(escaping(line)))
    shown = [f"{bold}{escaping.fit(told.headline, _HEADLINE_LIMIT)}{bold}"]
    if told.lines:
        shown.append(escaping.fit("\n".join(told.lines), _LINES_LIMIT))
    shown.append(" · ".join(map(escaping, told.counts)))
    shown.append(f"[{escaping.fit(told.title, _TITLE_LIMIT)}]({told.url})")
    return "\n".join(shown)
