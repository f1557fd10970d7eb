"""What came through one partner, as its webmaster and its contact may see it: numbers, and nobody's name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

DAYS = 30
"""So many days are told one by one."""
PLACES = 20
"""So many sources and pages are told, the largest first."""


@dataclass(frozen=True, slots=True)
class PartnerNumbers:
    """Confirmed signatures, as everywhere: tests, quarantined ones and repeats are none. `waiting`: their addresses are
    not confirmed yet. A day is told by its start, the newest first; a source or page is None where none was told.
    `last_page` is that of the last signature."""

    confirmed: int
    waiting: int
    by_day: Sequence[tuple[datetime, int]]
    by_source: Sequence[tuple[str | None, int]]
    by_page: Sequence[tuple[str | None, int]]
    last_at: datetime | None
    last_page: str | None
    last_test_at: datetime | None
    last_test_page: str | None
