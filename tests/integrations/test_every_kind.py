"""What every installed kind must do, ours and anybody's: found by entry point, like the server finds them."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from datetime import timedelta
from math import inf
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integrations.samples import NOTHING, NOW, RecordingClient, destination, event, tools
from widget_server.contract import Event, Integration, Permanent, Response, Temporary
from widget_server.domain.events import EVENT_TYPES
from widget_server.outbox.registry import Registry

KINDS: Mapping[str, Integration] = Registry()
TYPES = [*EVENT_TYPES, "destination.test"]


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> Integration:
    return KINDS[request.param]


def url_of(kind: Integration) -> str:
    hosts = kind.limits({}).hosts
    return f"https://{sorted(hosts)[0] if hosts else 'hooks.example.org'}/services/T0/B0/secret"


async def sent(kind: Integration, events: list[Event], answer: Any = None, locale: str = "en") -> RecordingClient:
    client = RecordingClient(answer)
    await kind.send(events, destination(url_of(kind), signed=kind.signed, locale=locale), tools(client))
    return client


def test_both_of_ours_are_there() -> None:
    assert {"webhook", "slack"} <= set(KINDS)


def test_it_says_what_it_is(kind: Integration) -> None:
    assert kind.summary
    assert kind.events is None or set(kind.events) <= set(EVENT_TYPES)
    limits = kind.limits({})
    assert limits.batch >= 1
    assert limits.in_flight >= 1
    assert limits.pace_seconds >= 0
    module = importlib.import_module(type(kind).__module__)
    assert module.__file__ is not None
    readme = (Path(module.__file__).parent / "README.md").read_text("utf-8")
    assert kind.kind in readme
    for option in kind.options:
        assert option.help
        assert f"`{option.name}`" in readme, f"{option.name} is not in the README"


def test_a_plain_configuration_has_no_problems_and_defaults_are_valid(kind: Integration) -> None:
    assert list(kind.check(url_of(kind), {})) == []
    defaults = {option.name: option.default for option in kind.options if option.default is not None}
    assert list(kind.check(url_of(kind), defaults)) == []


def test_nonsense_in_every_option_is_reported_at_once(kind: Integration) -> None:
    nonsense = {option.name: "⚠ nonsense" for option in kind.options}
    assert {problem.option for problem in kind.check(url_of(kind), nonsense)} >= set(nonsense)


@settings(max_examples=50)
@given(
    types=st.lists(st.tuples(st.sampled_from(TYPES), st.sampled_from(["individual", "organization"]), st.booleans())),
    quiet=st.sampled_from([0.0, 1.0, 14.9, 60.0, inf]),
    age=st.sampled_from([0, 10, 20, 100_000]),
)
def test_a_plan_neither_doubles_nor_forgets(types: Any, quiet: float, age: int) -> None:
    for kind in KINDS.values():
        at = NOW - timedelta(seconds=age)
        events = [event(type_, kind=who, test=test, at=at) for type_, who, test in types]
        batch = kind.limits({}).batch
        groups = kind.plan(events, options={}, quiet_seconds=quiet, now=NOW)
        planned = [one.id for group in groups for one in group]
        assert len(planned) == len(set(planned))
        assert set(planned) <= {one.id for one in events}
        assert all(1 <= len(group) <= max(batch, len(events)) for group in groups)
        if quiet == inf:
            assert set(planned) == {one.id for one in events}, "after a quiet spell, everything goes"


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("locale", ["en", "fr", "de"])
async def test_every_type_of_event_becomes_one_json_post_to_the_destination(
    kind: Integration, type_: str, locale: str
) -> None:
    for one in (event(type_), event(type_, test=True), event(type_, **NOTHING)):
        client = await sent(kind, [one], locale=locale)
        ((url, content, headers),) = client.posts
        assert url == url_of(kind)
        assert isinstance(json.loads(content), dict)
        assert headers["content-type"].startswith("application/json")


async def test_a_post_never_names_another_host_than_the_letters(kind: Integration) -> None:
    ((_, content, _),) = (await sent(kind, [event()])).posts
    for word in json.dumps(json.loads(content)).replace('"', " ").replace("|", " ").replace("<", " ").split():
        if word.startswith("https://"):
            assert urlsplit(word).hostname == "letters.example.org"


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_refused_item_says_nothing_about_the_destination(kind: Integration, status: int) -> None:
    with pytest.raises(Permanent) as caught:
        await sent(kind, [event()], Response(status, {}, b"invalid_blocks"))
    assert caught.value.item
    assert caught.value.status_code == status


async def test_410_is_gone(kind: Integration) -> None:
    with pytest.raises(Permanent) as caught:
        await sent(kind, [event()], Response(410, {}, b"channel_is_archived"))
    assert caught.value.gone


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 429])
async def test_what_may_pass_is_temporary_and_retry_after_is_read(kind: Integration, status: int) -> None:
    with pytest.raises(Temporary) as caught:
        await sent(kind, [event()], Response(status, {"retry-after": "7"}, b""))
    assert caught.value.retry_after_seconds == (7.0 if status in (429, 503) else None)
    assert caught.value.code == f"http_{status}"


async def test_trouble_of_the_client_passes_through(kind: Integration) -> None:
    for error in (Temporary("timeout"), Permanent("blocked_address")):
        with pytest.raises(type(error)):
            await sent(kind, [event()], error)
