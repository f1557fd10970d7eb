"""What every installed kind must do, ours and anybody's: found by entry point, like the server finds them."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from math import inf
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integrations.samples import (
    LISTED,
    NOTHING,
    NOW,
    Keeper,
    RecordingClient,
    RecordingMailer,
    destination,
    event,
    heard_by,
    options_of,
    tools,
    url_of,
)
from widget_server.contract import DeliveryError, Event, Integration, Permanent, Report, Response, Suppressed, Temporary
from widget_server.domain.addresses import is_among
from widget_server.domain.destinations import option_problems
from widget_server.domain.events import EVENT_TYPES
from widget_server.outbox.registry import Registry

KINDS: Mapping[str, Integration] = Registry()
TYPES = [*EVENT_TYPES, "destination.test"]


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> Integration:
    return KINDS[request.param]


class Tried:
    """One send: what went out, and how each event fared (None: delivered)."""

    def __init__(self) -> None:
        self.client = RecordingClient()
        self.mailer = RecordingMailer()
        self.keeper = Keeper()
        self.outcomes: list[DeliveryError | None] = []


async def tried(kind: Integration, events: list[Event], answer: Any = None, locale: str = "en") -> Tried:
    """`answer`: what the target says to everything, or the trouble on the way. Any error that is not the contract's
    fails the test."""
    one = Tried()
    one.client.answer = answer or Response(200, {"content-type": "application/json"}, b"{}")
    one.mailer.answer = answer if isinstance(answer, Exception) else None
    where = destination(url_of(kind), signed=kind.signed, locale=locale, **options_of(kind))
    try:
        came = await kind.send(events, where, tools(one.client, mail=one.mailer, keeper=one.keeper))
    except DeliveryError as error:
        one.outcomes = [error for _ in events]
    else:
        failed = came.failed if isinstance(came, Report) else {}
        assert set(failed) <= {event.id for event in events}
        one.outcomes = [failed.get(event.id) for event in events]
    for error in filter(None, one.outcomes):
        assert re.fullmatch(r"[a-z][a-z0-9_]{1,39}", error.code), f"{error.code} is no code: words go into the detail"
        shown = f"{error} {error.response}"
        secrets = [option.name for option in kind.options if option.secret and where.options.get(option.name)]
        assert [name for name in secrets if where.options[name] in shown] == [], "the log shows no secret"
    return one


def test_both_of_ours_are_there() -> None:
    assert {"webhook", "slack"} <= set(KINDS)


def test_it_says_what_it_is(kind: Integration) -> None:
    assert isinstance(kind, Integration)
    assert kind.summary
    assert kind.events is None or set(kind.events) <= set(EVENT_TYPES)
    assert not (kind.lists and not kind.contact_details), "a mailing list is made of addresses"
    limits = kind.limits({})
    assert limits.batch >= 1
    assert limits.in_flight >= 1
    assert limits.pace_seconds >= 0
    module = importlib.import_module(type(kind).__module__)
    assert module.__file__ is not None
    readme = next(
        page for folder in Path(module.__file__).parents if (page := folder / "README.md").exists()
    ).read_text("utf-8")
    assert kind.kind in readme
    for option in kind.options:
        assert option.help
        assert f"`{option.name}`" in readme, f"{option.name} is not in the README"


def problems(kind: Integration, options: Mapping[str, str]) -> list[str]:
    """The names of the options that something is wrong with, as adding a destination finds them."""
    found = [*option_problems(kind, options), *kind.check(url_of(kind), options)]
    return [problem.option for problem in found]


def test_a_plain_configuration_has_no_problems_and_defaults_are_valid(kind: Integration) -> None:
    assert problems(kind, options_of(kind)) == []
    defaults = {option.name: option.default for option in kind.options if option.default is not None}
    assert problems(kind, {**defaults, **options_of(kind)}) == []


def test_what_is_needed_is_asked_for(kind: Integration) -> None:
    needed = {option.name for option in kind.options if option.required}
    assert needed <= set(problems(kind, {}))


def test_nonsense_in_every_choice_and_number_is_reported_at_once(kind: Integration) -> None:
    nonsense = {option.name: "⚠ nonsense" for option in kind.options if option.form in ("choice", "number")}
    assert set(problems(kind, {**options_of(kind), **nonsense})) >= set(nonsense)


@settings(max_examples=50)
@given(
    types=st.lists(st.tuples(st.sampled_from(TYPES), st.sampled_from(["individual", "organization"]), st.booleans())),
    quiet=st.sampled_from([0.0, 1.0, 14.9, 60.0, inf]),
    age=st.sampled_from([0, 10, 20, 100_000]),
)
def test_a_plan_neither_doubles_nor_forgets(types: Any, quiet: float, age: int) -> None:
    for kind in KINDS.values():
        at = NOW - timedelta(seconds=age)
        events = [heard_by(kind, type_, kind=who, test=test, at=at) for type_, who, test in types]
        batch = kind.limits({}).batch
        groups = kind.plan(events, options=options_of(kind), quiet_seconds=quiet, now=NOW)
        planned = [one.id for group in groups for one in group]
        assert len(planned) == len(set(planned))
        assert set(planned) <= {one.id for one in events}
        assert all(1 <= len(group) <= max(batch, len(events)) for group in groups)
        if quiet == inf:
            assert set(planned) == {one.id for one in events}, "after a quiet spell, everything goes"


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("locale", ["en", "fr", "de"])
async def test_every_type_of_event_can_be_sent(kind: Integration, type_: str, locale: str) -> None:
    for one in (heard_by(kind, type_), heard_by(kind, type_, test=True), event(type_, **NOTHING)):
        await tried(kind, [one], locale=locale)


async def test_nothing_goes_to_another_host_than_its_own(kind: Integration) -> None:
    hosts = kind.limits(options_of(kind)).hosts
    own = urlsplit(url_of(kind)).hostname
    for url, _, _ in (await tried(kind, [heard_by(kind, "signature.confirmed")])).client.posts:
        host = urlsplit(url).hostname or ""
        assert host == own or (hosts is not None and is_among(host, hosts)), host


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 405, 409, 410, 413, 422, 429, 500, 502, 503, 504])
async def test_a_refusal_is_never_taken_for_a_success(kind: Integration, status: int) -> None:
    one = await tried(kind, [heard_by(kind, "signature.confirmed")], Response(status, {}, b"no"))
    if one.client.posts:
        assert all(outcome is not None for outcome in one.outcomes)


async def test_what_is_gone_or_too_much_says_so(kind: Integration) -> None:
    gone = await tried(kind, [heard_by(kind, "signature.confirmed")], Response(410, {}, b""))
    if gone.client.posts:
        assert isinstance(gone.outcomes[0], Permanent)
        busy = Response(429, {"retry-after": "7"}, b"")
        (outcome,) = (await tried(kind, [heard_by(kind, "signature.confirmed")], busy)).outcomes
        assert isinstance(outcome, Temporary)
        assert outcome.retry_after_seconds is not None


async def test_trouble_on_the_way_keeps_its_class(kind: Integration) -> None:
    for error in (Temporary("timeout"), Permanent("blocked_address")):
        one = await tried(kind, [heard_by(kind, "signature.confirmed")], error)
        if one.client.posts or one.mailer.mails:
            assert all(isinstance(outcome, type(error)) for outcome in one.outcomes)


@pytest.fixture(params=sorted(name for name in KINDS if KINDS[name].lists))
def lister(request: pytest.FixtureRequest) -> Integration:
    """Kinds that build mailing lists."""
    return KINDS[request.param]


@pytest.mark.parametrize("type_", TYPES)
async def test_a_list_is_sent_nothing_of_whoever_has_not_opted_in(lister: Integration, type_: str) -> None:
    """The server hands over nobody else; the kinds lock the same door once more."""
    if type_ == "destination.test":
        return
    for one in (
        event(type_, **LISTED),
        event(type_, **NOTHING),
        event(type_, test=True, opted_in=True, **LISTED),
        event(type_, opted_in=True, **{**LISTED, "status": "pending"}),
    ):
        found = await tried(lister, [one])
        assert found.client.posts == []
        assert isinstance(found.outcomes[0], Suppressed)


async def test_the_end_of_a_consent_sends_the_address_and_nothing_else_of_the_person(lister: Integration) -> None:
    data = {"name": "Zoë Gagné", "city": "Montréal", "postal_code": "H2X 1Y4", "comment": "For my neighbours"}
    found = await tried(lister, [event("signature.withdrawn", ended=True, email=LISTED["email"], **data)])
    sent = json.dumps([(url, content.decode()) for url, content, _ in found.client.posts], ensure_ascii=False)
    assert found.client.posts
    for typed in data.values():
        assert typed not in sent
    (outcome,) = (await tried(lister, [event("signature.withdrawn", ended=True)])).outcomes
    assert isinstance(outcome, Permanent), "an end whose address is no longer known is no success"
    assert outcome.item


@pytest.mark.parametrize(
    "name", sorted(name for name in KINDS if any(one.name == "map" for one in KINDS[name].options))
)
def test_nonsense_in_a_map_is_reported_beside_everything_else(name: str) -> None:
    kind = KINDS[name]
    nonsense = "nonsense\nx = nobody | shout\n"
    found = [one for one in kind.check(url_of(kind), {**options_of(kind), "map": nonsense}) if one.option == "map"]
    assert len(found) >= 3


@pytest.mark.parametrize("bad", ["two\nlines", "clé", "a key"])
def test_a_key_that_fits_into_no_header_is_refused(lister: Integration, bad: str) -> None:
    keys = {option.name for option in lister.options if option.secret} & {"key", "api_key", "site_key", "token"}
    found = {one.option for one in lister.check(url_of(lister), {**options_of(lister), **dict.fromkeys(keys, bad)})}
    assert found == keys


@pytest.fixture(params=["slack", "webhook"])
def poster(request: pytest.FixtureRequest) -> Integration:
    """Kinds that make one JSON post to the destination's address of each event."""
    return KINDS[request.param]


@pytest.mark.parametrize("type_", TYPES)
async def test_every_type_of_event_becomes_one_json_post_to_the_destination(poster: Integration, type_: str) -> None:
    for one in (event(type_), event(type_, test=True), event(type_, **NOTHING)):
        ((url, content, headers),) = (await tried(poster, [one])).client.posts
        assert url == url_of(poster)
        assert isinstance(json.loads(content), dict)
        assert headers["content-type"].startswith("application/json")


async def test_a_post_never_names_another_host_than_the_letters(poster: Integration) -> None:
    ((_, content, _),) = (await tried(poster, [event()])).client.posts
    for word in json.dumps(json.loads(content)).replace('"', " ").replace("|", " ").replace("<", " ").split():
        if word.startswith("https://"):
            assert urlsplit(word).hostname == "letters.example.org"


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_refused_item_says_nothing_about_the_destination(poster: Integration, status: int) -> None:
    (outcome,) = (await tried(poster, [event()], Response(status, {}, b"invalid_blocks"))).outcomes
    assert isinstance(outcome, Permanent)
    assert outcome.item
    assert outcome.status_code == status


async def test_410_is_gone(poster: Integration) -> None:
    (outcome,) = (await tried(poster, [event()], Response(410, {}, b"channel_is_archived"))).outcomes
    assert isinstance(outcome, Permanent)
    assert outcome.gone


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 429])
async def test_what_may_pass_is_temporary_and_retry_after_is_read(poster: Integration, status: int) -> None:
    (outcome,) = (await tried(poster, [event()], Response(status, {"retry-after": "7"}, b""))).outcomes
    assert isinstance(outcome, Temporary)
    assert outcome.retry_after_seconds == (7.0 if status in (429, 503) else None)
    assert outcome.code == f"http_{status}"
