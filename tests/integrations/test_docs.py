"""The code in the pages for receivers and for authors of integrations does what they say."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Any

import pytest

from integrations.webhook import Webhook
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


async def test_the_example_for_receivers_verifies_what_we_send_and_nothing_else() -> None:
    verify: Callable[..., bool] = code_of("docs/webhooks.md")["verify"]
    secrets = ["whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", "whsec_ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM="]
    client = RecordingClient()
    at = datetime.now(UTC)
    hands = tools(client)
    where = Destination("d1", "https://crm.example.org/", {}, secrets, "en")
    await Webhook().send([event()], where, type(hands)(client, hands.text, lambda: at))
    ((_, body, sent),) = client.posts
    headers = dict(sent)
    assert all(verify(secret, headers, body) for secret in secrets)
    assert not verify(secrets[0], headers, body + b" ")
    assert not verify(secrets[0], {**headers, "webhook-id": "another"}, body)
    assert not verify(secrets[0], {**headers, "webhook-timestamp": "1700000000"}, body)
    assert not verify("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", headers, body)
    assert not verify(secrets[0], {}, body)


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
