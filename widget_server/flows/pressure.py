"""When a letter is under pressure: so many of those who come to it look like robots that everybody works for a while.

One thing must stay true: it costs nothing while there is none, and holds no more than a handful of times for each
letter. Each server process feels for itself.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from time import monotonic

ARRIVALS = 30
WITHIN_SECONDS = 60
LASTS_SECONDS = 600


class Pressure:
    """`clock` gives seconds that only rise."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._felt: dict[int, deque[float]] = {}
        self._until: dict[int, float] = {}

    def felt(self, letter_id: int) -> None:
        """Somebody was set aside, or refused over the limit."""
        at = self._clock()
        times = self._felt.setdefault(letter_id, deque(maxlen=ARRIVALS))
        times.append(at)
        if len(times) == ARRIVALS and at - times[0] <= WITHIN_SECONDS:
            self._until[letter_id] = at + LASTS_SECONDS

    def seconds_left(self, letter_id: int) -> int:
        """How long it will last, at least; 0 for no pressure."""
        until = self._until.get(letter_id)
        return 0 if until is None else max(0, math.ceil(until - self._clock()))
