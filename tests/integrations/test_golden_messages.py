"""What each chat kind and e-mail sends for each type of event, in both languages, to the byte.

`UNDERSIGNED_GOLDEN=write` writes the files anew: look at what has changed before you keep it.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tests.integrations.samples import (
    NOTHING,
    RecordingClient,
    RecordingMailer,
    destination,
    event,
    options_of,
    tools,
    url_of,
)
from widget_server.contract import Event, Integration
from widget_server.domain.events import EVENT_TYPES
from widget_server.outbox.registry import Registry

GOLDEN = Path(__file__).parents[1] / "golden" / "integrations"
KINDS = ("slack", "slack-workflow", "mattermost", "rocketchat", "discord", "teams", "email")
WORKFLOW = {"variables": "text,headline,lines,total,organizations,letter,url,type"}

ORGANIZATION: dict[str, Any] = {"kind": "organization", "organization": "Un Café & Fils", "name": None}
GROUPS: dict[str, list[Event]] = {
    **{type_: [event(type_)] for type_ in [*EVENT_TYPES, "destination.test"]},
    "organization": [event(**ORGANIZATION, listing="awaiting_review")],
    "organization-pending": [event("signature.created", **ORGANIZATION, status="pending")],
    "organizations": [event(**{**ORGANIZATION, "organization": f"Group {number}"}) for number in range(6)],
    "person-private": [event(name=None)],
    "people": [event(name=f"Person {number}") for number in range(20)]
    + [event(**{**NOTHING, "kind": "individual"}), event(name="Sam", organization="Employer")],
    "people-pending": [event("signature.created", name=name, status="pending") for name in ("A", "B")],
    "goal": [event("letter.milestone", milestone=5000)],
    "test-signature": [event("signature.created", test=True)],
    "markup": [event(name="<!channel> @here [x](https://evil.test) *b* _i_ `c` www.evil.test", organization="a & b")],
    "meanwhile": [
        event(name="Zoë"),
        event(name="Sam"),
        event(**ORGANIZATION),
        event("signature.withdrawn"),
        event("letter.milestone"),
        event("abuse.spike"),
    ],
    "repeat": [event(name="Zoë", doubtful=True)],
}
GROUPS = {
    name: [replace(one, id=f"01900000-0000-7000-8000-{number:012}") for number, one in enumerate(group)]
    for name, group in GROUPS.items()
}


async def sent(kind: Integration, events: list[Event], locale: str, *, workflow: bool) -> Any:
    client, mailer = RecordingClient(), RecordingMailer()
    url = "https://hooks.slack.com/triggers/T0/1/secret" if workflow else url_of(kind)
    where = destination(url, signed=False, locale=locale, **(WORKFLOW if workflow else options_of(kind)))
    await kind.send(events, where, tools(client, mail=mailer))
    if mailer.mails:
        return asdict(mailer.mails[0])
    ((_, content, _),) = client.posts
    return json.loads(content)


@pytest.mark.parametrize("locale", ["en", "fr"])
@pytest.mark.parametrize("name", sorted(GROUPS))
@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_sent_is_what_was_agreed(kind: str, name: str, locale: str) -> None:
    integration = Registry()[kind.partition("-")[0]]
    body = await sent(integration, GROUPS[name], locale, workflow=kind.endswith("-workflow"))
    written = json.dumps(body, ensure_ascii=False, indent=2) + "\n"
    file = GOLDEN / kind / f"{name}.{locale}.json"
    if os.environ.get("UNDERSIGNED_GOLDEN") == "write":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(written, "utf-8")
    assert file.read_text("utf-8") == written


def test_no_file_is_left_over() -> None:
    for kind in KINDS:
        files = {file.name for file in (GOLDEN / kind).iterdir()}
        assert files == {f"{name}.{locale}.json" for name in GROUPS for locale in ("en", "fr")}
