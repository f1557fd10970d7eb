"""Lists for a person: a heading, columns as wide as what stands in them, and times that can be read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.cells import cell_len


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """One line for the heading and one for each row; an empty cell is a dash. No line for no rows."""
    if not rows:
        return []
    lines = [[one.upper() for one in heading], *([cell or "–" for cell in row] for row in rows)]
    widths = [max(cell_len(line[column]) for line in lines) for column in range(len(heading))]
    return ["  ".join(map(_padded, line, widths)).rstrip() for line in lines]


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - cell_len(cell))


def short_time(at: datetime) -> str:
    """To the second, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
