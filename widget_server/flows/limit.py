"""How many signatures one client may send to one letter: a burst and a sustained window, both at once.

One thing must stay true: a client's address is held in memory only, under a key made at start, and is never stored.
Each server process counts for itself: with N of them a client may reach up to N times the limit.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Sequence
from hashlib import blake2b
from time import monotonic

from widget_server.domain.limits import Window
from widget_server.domain.refusals import TooMany


class _Counts:
    """One window's numbers. The one before counts by the share of it that the sliding window still covers, so that
    nobody doubles the limit across a boundary; forgetting is dropping a dict, whatever the number of clients."""

    __slots__ = ("_before", "_now", "_period", "window")

    def __init__(self, window: Window) -> None:
        self.window = window
        self._period = -1
        self._now: dict[bytes, int] = {}
        self._before: dict[bytes, int] = {}

    def used(self, who: bytes, at: float) -> float:
        passed = self._turn(at)
        return self._now.get(who, 0) + self._before.get(who, 0) * (1 - passed / self.window.seconds)

    def add(self, who: bytes, at: float) -> None:
        self._turn(at)
        self._now[who] = self._now.get(who, 0) + 1

    def _turn(self, at: float) -> float:
        """Begins a new period where the last is over. Gives the seconds that have passed of the present one."""
        period, passed = divmod(at, self.window.seconds)
        if period != self._period:
            self._before = self._now if period == self._period + 1 else {}
            self._now = {}
            self._period = int(period)
        return passed

    def wait_seconds(self, who: bytes, at: float, times: int) -> int:
        """Until one more is within `times` the window's number, in whole seconds; 0 where it is now."""
        number = self.window.number * times
        if self.used(who, at) + 1 <= number:
            return 0
        seconds = self.window.seconds
        passed = at % seconds
        room = number - 1 - self._now.get(who, 0)
        before = self._before.get(who, 0)
        if room >= 0 and before > room:  # the share of the window before has to shrink to what is left
            return max(1, math.ceil(seconds * (1 - room / before) - passed))
        now = self._now.get(who, 0)
        shrink = seconds * (1 - (number - 1) / now) if now else 0
        return max(1, math.ceil(seconds - passed + max(0.0, shrink)))


class ClientLimit:
    """`clock` gives seconds that only rise."""

    def __init__(self, windows: Sequence[Window], clock: Callable[[], float] = monotonic) -> None:
        self._counts = [_Counts(window) for window in windows]
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def check(self, letter_id: int, client: str) -> None:
        """Counts one signature. Raises `TooMany` with the seconds to wait; then it does not count."""
        wait = self.wait_seconds(letter_id, client)
        if wait:
            raise TooMany("too_many", retry_after_seconds=wait)
        self.count(letter_id, client)

    def wait_seconds(self, letter_id: int, client: str, *, times: int = 1) -> int:
        """Until every window has room for one more, each of them `times` as wide; 0 for now."""
        if not self._counts:
            return 0
        at, who = self._clock(), self._who(letter_id, client)
        return max(counts.wait_seconds(who, at, times) for counts in self._counts)

    def count(self, letter_id: int, client: str) -> None:
        if not self._counts:
            return
        at, who = self._clock(), self._who(letter_id, client)
        for counts in self._counts:
            counts.add(who, at)

    def _who(self, letter_id: int, client: str) -> bytes:
        return blake2b(f"{letter_id}\0{client}".encode(), digest_size=16, key=self._key).digest()
