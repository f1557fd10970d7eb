"""What each kind about people asks its target, to the byte, and that its page shows the map that it has.

`UNDERSIGNED_GOLDEN=write` writes the files anew: look at what has changed before you keep it.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from integrations.action_network import ActionNetwork
from integrations.mapping import FIELDS, TRANSFORMS
from integrations.nationbuilder import NationBuilder
from tests.integrations.samples import LISTED, Keeper, destination, event, tools
from tests.integrations.targets.base import Asked, Target, running
from tests.integrations.targets.people import TARGETS
from tests.outbox.conftest import LOOPBACK, PUBLIC_URL
from widget_server.contract import DeliveryError, Event, Integration, Report
from widget_server.outbox.egress import Egress
from widget_server.outbox.registry import Registry

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "integrations"
KINDS: Mapping[str, Integration] = Registry()

WHO: dict[str, Any] = {
    **LISTED,
    "postal_code": "H2X 1Y4",
    "comment": "Pour mes voisins & moi <3",
    "source": "newsletter-june",
    "page": "https://maple.example/sign",
}
ORGANIZATION = {
    "kind": "organization",
    "organization": "Un Café & Fils",
    "name": "Anne-Marie D’Amours",
    "role": "présidente",
}
GROUPS: dict[str, list[Event]] = {
    "person": [event(opted_in=True, **WHO)],
    "person-bare": [event(opted_in=True, **LISTED, name=None, city=None)],
    "organization": [event(opted_in=True, **{**WHO, **ORGANIZATION})],
    "again": [event("signature.updated", opted_in=True, **WHO)],
    "end": [
        event(opted_in=True, **WHO),
        event("signature.withdrawn", ended=True, email=WHO["email"], status="withdrawn", name=None, city=None),
    ],
    "end-of-a-stranger": [event("signature.withdrawn", ended=True, email="stranger@example.org", id="0" * 36)],
    "test": [event("destination.test")],
    "nobody": [event(), event("letter.milestone"), event(test=True, opted_in=True, **WHO)],
}
GROUPS = {
    name: [replace(one, id=f"01900000-0000-7000-8000-{number:012}") for number, one in enumerate(group)]
    for name, group in GROUPS.items()
}


@pytest.fixture
async def egress() -> AsyncIterator[Egress]:
    egress = Egress(allowed=LOOPBACK, public_url=PUBLIC_URL, user_agent="Undersigned/1")
    yield egress
    await egress.aclose()


def shown(asked: Asked) -> dict[str, Any]:
    """A request without what differs from run to run or is a secret."""
    found: dict[str, Any] = {"request": f"{asked.method} {asked.path}", "query": dict(asked.query)}
    if asked.path == "/token":
        return found | {"form": sorted(asked.form)}
    if asked.headers.get("content-type") == "application/x-www-form-urlencoded":
        return found | {"form": {name: json.loads(value) for name, value in asked.form.items()}}
    return found | {"body": asked.json}


async def asked_of(target: Target, egress: Egress, events: list[Event]) -> list[dict[str, Any]]:
    """Sends them one group after another, and gives every request."""
    kind = KINDS[target.kind]
    keeper = Keeper()
    for group in kind.plan(events, options=target.options(), quiet_seconds=0, now=events[0].occurred_at):
        where = destination(target.url, signed=False, kept=keeper.kept, **target.options(), **MORE[target.kind])
        try:
            came = await kind.send(group, where, tools(egress.client(kind.limits({}).hosts), keeper=keeper))
            troubles = list(came.failed.values()) if isinstance(came, Report) else []
        except DeliveryError as error:
            troubles = [error]
        target.asked += [Asked("—", f"{type(one).__name__} {one.code}", {}, {}, b"") for one in troubles]
    return [shown(one) for one in target.asked]


AN_MAP = f"{ActionNetwork.default_map}custom_fields.Town = city"
NB_MAP = f"{NationBuilder.default_map}comment = comment"
MORE = {
    "action-network": {"tags": "open letter", "map": AN_MAP},
    "civicrm": {},
    "mailchimp": {"tags": "open letter"},
    "hubspot": {"opt_in_property": "letters_opt_in"},
    "nationbuilder": {"map": NB_MAP},
    "google-sheets": {},
}


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize("kind", sorted(TARGETS))
async def test_what_is_asked_is_what_is_on_file(kind: str, name: str, egress: Egress) -> None:
    async with running(TARGETS[kind]()) as target:
        told = await asked_of(target, egress, GROUPS[name])
        if name in ("nobody", "test"):
            assert target.records() == [] or kind == "google-sheets"
    file = GOLDEN / kind / f"{name}.json"
    if os.environ.get("UNDERSIGNED_GOLDEN") == "write":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    assert told == json.loads(file.read_text("utf-8"))


def test_no_file_is_left_over() -> None:
    for kind in TARGETS:
        assert {one.stem for one in (GOLDEN / kind).iterdir()} == set(GROUPS)


@pytest.mark.parametrize("kind", sorted(TARGETS))
def test_the_page_of_a_kind_shows_its_map(kind: str) -> None:
    page = (ROOT / "integrations" / kind.replace("-", "_") / "README.md").read_text("utf-8")
    (option,) = [one for one in KINDS[kind].options if one.name == "map"]
    assert option.default
    assert f"```\n{option.default}```" in page


def test_the_page_about_maps_names_every_field_and_transform() -> None:

    page = (ROOT / "integrations/README.md").read_text("utf-8")
    for name in FIELDS:
        assert f"`{name}`" in page, name
    for name in TRANSFORMS:
        assert f"`{name}" in page, name
