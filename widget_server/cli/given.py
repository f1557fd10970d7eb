"""Values given to a command: as they stand, from a file, or from standard input.

One thing must stay true: a secret need never stand on a command line, where every process of the machine
can read it.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from widget_server.domain.refusals import Problems


def read_options(pairs: list[str]) -> dict[str, str]:
    """Raises `Problems` with everything that cannot be read."""
    options: dict[str, str] = {}
    problems: list[str] = []
    for pair in pairs:
        name, found, value = pair.partition("=")
        if not found or not name:
            problems.append(f"--option {pair}: write KEY=VALUE, KEY=@FILE or KEY=-")
            continue
        try:
            options[name] = read_value(name, value)
        except Problems as error:
            problems += error.problems
    if problems:
        raise Problems(problems)
    return options


def read_value(name: str, value: str) -> str:
    """The value itself, or what stands in the file or on standard input that it names. Raises `Problems`."""
    if value == "-":
        text = sys.stdin.read().strip()
        if not text:
            raise Problems([f"{name}: nothing came on standard input, which can be read for one value only"])
        return text
    if not value.startswith("@"):
        return value
    try:
        return Path(value[1:]).read_text("utf-8").strip()
    except OSError as error:
        raise Problems([f"{name}: {value[1:]} cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise Problems([f"{name}: {value[1:]} cannot be read: it is not text in UTF-8"]) from error


def read_time(option: str, text: str | None) -> datetime | None:
    """A time without an offset is in UTC. Raises `Problems`."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise Problems([f"{option} {text}: write a time such as 2026-06-20T12:00:00Z"]) from error
