"""Text that people typed, made harmless for one target.

One thing must stay true: an escape is never cut in two, and a limit is kept as the target counts: after escaping.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_CALLS = re.compile(r"([@:#])(?=\S)")
_JOINS = re.compile(r"\.(?=\S)")
_ZERO_WIDTH = "\u200b"


@dataclass(frozen=True, slots=True)
class Escaping:
    """How one target is kept from reading markup. `table`: character → what is sent for it. `apart`: a zero-width
    space behind `@`, `:` and `#` and on both sides of `.` where something follows at once, so that no mention, no
    address, no emoji and no link comes of it."""

    table: Mapping[str, str]
    apart: bool = False

    def __call__(self, text: str) -> str:
        return "".join(self._pieces(text))

    def fit(self, text: str, limit: int) -> str:
        """`text` escaped, cut so that the escaped form has at most `limit` characters."""
        kept: list[str] = []
        length = 0
        for piece in self._pieces(text):
            if length + len(piece) > limit - 1:
                return "".join(kept) + "…"
            kept.append(piece)
            length += len(piece)
        return "".join(kept)

    def _pieces(self, text: str) -> list[str]:
        if self.apart:
            text = _CALLS.sub(rf"\1{_ZERO_WIDTH}", _JOINS.sub(f"{_ZERO_WIDTH}.{_ZERO_WIDTH}", text))
        return [self.table.get(character, character) for character in text]


_POINTED = {"<": "‹", ">": "›"}
"""`<` begins mentions, links and tags in every dialect, and no dialect agrees on how to escape it."""

ENTITIES = Escaping({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
"""Slack: these three and no others (docs.slack.dev, "Escaping text")."""
MARKDOWN = Escaping({**{mark: f"\\{mark}" for mark in "\\`*_[]()#~|"}, **_POINTED}, apart=True)
LOOKALIKES = Escaping(
    {"*": "∗", "_": "＿", "~": "∼", "`": "ˋ", "[": "［", "]": "］", "|": "¦", "\\": "＼", "$": "＄", **_POINTED},
    apart=True,
)
"""For a dialect without escapes: characters that look the same and mean nothing."""
