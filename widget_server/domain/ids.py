"""Public ids: UUIDs of version 7 (RFC 9562), which sort by the time they were made."""

from __future__ import annotations

import re
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> str:
    return str(uuid7())


_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def read_id(text: str) -> str | None:
    """A UUID of any version in its canonical form, or None. Written without dashes, or in capitals, it passes too."""
    if _UUID.fullmatch(text):
        return text
    try:
        return str(UUID(text)) if len(text) in (32, 36) else None
    except ValueError:
        return None
