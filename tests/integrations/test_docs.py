"""The page for authors of integrations does what it says, and the one for receivers leaves nothing out; its code is run
by tests/outbox/test_receivers.py."""

from __future__ import annotations

import re
from math import inf
from pathlib import Path
from typing import Any

import pytest

from tests.integrations.samples import LETTER, NOW, RecordingClient, event, tools
from widget_server.contract import Destination, Response, Temporary
from widget_server.domain.events import EVENT_TYPES

ROOT = Path(__file__).parents[2]


def code_of(page: str) -> dict[str, Any]:
    """What the page's Python blocks define."""
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL):
        exec(block, names)
    return names


def test_every_type_of_event_is_explained() -> None:
    page = (ROOT / "docs/webhooks.md").read_text("utf-8")
    for type_ in [*EVENT_TYPES, "destination.test"]:
        assert f"`{type_}`" in page, type_


def test_every_key_of_an_event_is_in_the_example() -> None:
    page = (ROOT / "docs/webhooks.md").read_text("utf-8")
    for key in event().data:
        assert f'"{key}"' in page, key


async def test_the_example_for_authors_is_a_whole_integration() -> None:
    ticker = code_of("integrations/README.md")["Ticker"]()
    assert list(ticker.check("https://example.org", {"prefix": "x" * 101})) != []
    assert list(ticker.check("https://example.org", {})) == []
    events = [event(), event()]
    (group,) = ticker.plan(events, options={}, quiet_seconds=inf, now=NOW)
    client = RecordingClient()
    where = Destination("d1", "https://example.org/", {"prefix": "Names: "}, [], "en")
    await ticker.send(group, where, tools(client))
    ((_, content, _),) = client.posts
    assert content == f"Names: {LETTER.counts['total']}".encode()
    with pytest.raises(Temporary):
        await ticker.send(group, where, tools(RecordingClient(Response(500, {}, b""))))
