"""Rate limits as an operator writes them: `10/minute;60/hour`, or `off`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_WINDOW = re.compile(r"([1-9][0-9]{0,8})\s*/\s*(second|minute|hour|day)")


@dataclass(frozen=True, slots=True)
class Window:
    """At most `number` in any `seconds`."""

    number: int
    seconds: int


def read_windows(text: str) -> tuple[Window, ...]:
    """The windows, which hold together; none for `off`. Raises ValueError."""
    if text.strip() == "off":
        return ()
    found = [_WINDOW.fullmatch(part.strip()) for part in text.split(";")]
    if not all(found):
        raise ValueError("off, or limits such as 10/minute;60/hour")
    return tuple(Window(int(match[1]), _SECONDS[match[2]]) for match in found if match)
