"""Slack: what its channel reads, and what it must never read."""

from __future__ import annotations

import json
from datetime import timedelta
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.chat.escaping import ENTITIES
from integrations.slack import HOSTS, Slack
from integrations.slack.messages import SECTION_LIMIT, VARIABLES, message
from tests.integrations.samples import NOTHING, NOW, RecordingClient, destination, event, tools
from widget_server.contract import Event, NotAuthorized, Permanent, Response, Temporary

URL = "https://hooks.slack.com/services/T0/B0/secret"
KIND = Slack()


def texts(shown: dict[str, Any]) -> list[str]:
    """Everything in a message that Slack would read."""
    found = [shown["text"]]
    for block in shown["blocks"]:
        found += [block["text"]["text"]] if "text" in block else []
        found += [element["text"] for element in block.get("elements", ())]
    return found


def person(at_seconds: float = 0, **data: Any) -> Event:
    return event(at=NOW + timedelta(seconds=at_seconds), **data)


def organization(name: str = "Un Café & Fils", **data: Any) -> Event:
    return event(kind="organization", organization=name, name=None, **data)


def test_an_organization_is_told_by_name_with_statement_partner_count_and_review() -> None:
    shown = message([organization(listing="awaiting_review")], "en")
    section = shown["blocks"][0]["text"]
    assert section["type"] == "plain_text"
    assert section["emoji"] is False
    assert section["text"] == (
        "An organization signed: Un Café &amp; Fils\nSigned in Canada · via Maple House · awaiting review"
    )
    context = [element["text"] for element in shown["blocks"][1]["elements"]]
    assert context == [
        "1,204 signatures in total",
        "51 organizations",
        "<https://letters.example.org/letters/letter|A &lt;Letter&gt; &amp; more>",
    ]
    assert "Un Café &amp; Fils" in shown["text"]
    assert (shown["unfurl_links"], shown["unfurl_media"]) == (False, False)


def test_french_is_french() -> None:
    shown = message([organization()], "fr")
    assert shown["blocks"][0]["text"]["text"].startswith("Une organisation a signé\u00a0: Un Café")
    assert "1\u00a0204 signatures au total" in texts(shown)[2]
    many = message([person(), person(name="Sam")], "fr")
    assert many["blocks"][0]["text"]["text"].startswith("2 personnes ont signé\u00a0:")


def test_people_share_a_message_that_says_the_total() -> None:
    crowd = [person(name=f"Person {n}") for n in range(40)] + [person(**{**NOTHING, "kind": "individual"})] * 3
    shown = message(crowd, "en")
    lines = shown["blocks"][0]["text"]["text"].split("\n")
    assert lines[0] == "43 people signed:"
    assert lines[1] == "• Person 0 · Signed in Canada · via Maple House"
    assert lines[-2:] == ["and 25 more", "• 3 people who keep their names private"]
    assert len(lines) == 1 + 15 + 2
    assert "1,204 signatures in total" in texts(shown)


def test_one_person_who_keeps_their_name_private_is_told_without_it() -> None:
    shown = message([person(name=None)], "en")
    assert shown["blocks"][0]["text"]["text"].startswith("A person who keeps their name private signed")


def test_a_test_signature_tells_the_partner_and_nothing_that_was_typed() -> None:
    shown = message([person(test=True, name="Typed", organization="Typed too")], "en")
    assert shown["blocks"][0]["text"]["text"] == "Test signature via Maple House"
    assert not any("Typed" in text for text in texts(shown))


NASTY = [
    "<!channel>",
    "<!here|here>",
    "<@U123>",
    "<https://evil.test|Maple>",
    "&lt;!channel&gt;",
    "a & b",
    "*b* _i_ `c`",
]


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("many", [False, True])
def test_nothing_typed_is_read_as_markup(name: str, many: bool) -> None:
    each = [
        [person(name=name, organization=name, partner={"slug": "m", "name": name})] * (2 if many else 1),
        [organization(name, partner={"slug": "m", "name": name})],
    ]
    for events in each:
        shown = message(events, "en")
        for text in texts(shown):
            bare = text.replace("<https://letters.example.org/letters/letter|", "").removesuffix(">")
            for character in "<>":
                assert character not in bare
            assert "&" not in bare.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
        assert shown["blocks"][0]["text"]["type"] == "plain_text"
        for element in shown["blocks"][1]["elements"]:
            assert element["verbatim"] is True


@given(st.text(), st.integers(2, 200))
def test_a_cut_never_splits_an_escape(text: str, limit: int) -> None:
    cut = ENTITIES.fit(text, limit)
    assert len(cut) <= limit
    rest = cut.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
    assert "&" not in rest
    assert "<" not in rest


def test_the_longest_message_is_within_slacks_limits() -> None:
    crowd = [
        person(name="&" * 200, organization="<" * 200, partner={"slug": "m", "name": ">" * 200}) for _ in range(500)
    ]
    for events in (crowd, [organization("&" * 200)], [person(name="😀" * 200)] * 3):
        shown = message(events, "fr")
        for block in shown["blocks"]:
            if "text" in block:
                assert len(block["text"]["text"]) <= SECTION_LIMIT
        assert len(shown["blocks"]) <= 45
        assert len(json.dumps(shown["blocks"], ensure_ascii=False).encode()) <= 12_000


WORKFLOW = "https://hooks.slack.com/triggers/T0/1/secret"


async def test_a_workflow_is_given_flat_strings_of_the_variables_that_it_declares() -> None:
    client = RecordingClient(Response(200, {}, b'{"ok":true}'))
    where = destination(WORKFLOW, signed=False, variables="headline, total,url")
    await KIND.send([organization("<!here> & Co")], where, tools(client))
    ((_, content, _),) = client.posts
    assert json.loads(content) == {
        "headline": "An organization signed: &lt;!here&gt; &amp; Co",
        "total": "1,204 signatures in total",
        "url": "https://letters.example.org/letters/letter",
    }
    await KIND.send([person(), organization()], destination(WORKFLOW, signed=False), tools(client))
    assert list(json.loads(client.posts[1][1])) == ["text"], (
        "a workflow declares `text` unless its owner says otherwise"
    )


def test_what_a_workflow_may_be_given_is_checked() -> None:
    assert list(KIND.check(WORKFLOW, {"variables": ",".join(VARIABLES)})) == []
    for wrong in ("text,email", ",", "Text"):
        (problem,) = KIND.check(WORKFLOW, {"variables": wrong})
        assert problem.option == "variables"
    (problem,) = KIND.check("https://hooks.slack.com/elsewhere/T0", {})
    assert problem.option == "url"


def plan(events: list[Event], quiet: float, later: float = 0) -> list[list[str]]:
    now = NOW + timedelta(seconds=later)
    groups = KIND.plan(events, options={}, quiet_seconds=quiet, now=now)
    return [
        [str(one.data.get("organization") or one.data.get("name") or one.type) for one in group] for group in groups
    ]


def test_the_first_of_a_quiet_spell_goes_at_once_and_the_others_gather() -> None:
    assert plan([person(name="A")], inf) == [["A"]]
    assert plan([person(name="A")], 15) == [["A"]]
    assert plan([person(name="A"), person(3, name="B")], 5, later=5) == []
    assert plan([person(name="A"), person(3, name="B")], 15, later=14) == [["A", "B"]]
    assert plan([person(name="A"), person(14, name="B")], 1, later=15) == [["A", "B"]], (
        "organizations must not starve people"
    )


def test_organizations_and_trouble_go_one_by_one_at_once() -> None:
    waiting = [person(name="A"), organization("One"), organization("Two"), event("letter.milestone")]
    assert plan(waiting, 1) == [["One"], ["Two"], ["letter.milestone"]]


@pytest.mark.parametrize(
    ("locale", "of", "name", "told"),
    [
        ("en", "client", "Ab3_-x9Q", "from one network: 1,200 in 10 minutes (client Ab3_-x9Q)"),
        ("fr", "client", "Ab3_-x9Q", "d’un même réseau\u00a0: 1\u00a0200 en 10 minutes (client Ab3_-x9Q)"),
        ("en", "domain", "spam.example", "with addresses at spam.example: 1,200 in 10 minutes"),
        ("fr", "domain", "spam.example", "vient d’adresses chez spam.example\u00a0: 1\u00a0200 en 10 minutes"),
        ("en", "partner", "maple", "through one partner, maple: 1,200 in 10 minutes"),
        ("fr", "partner", "maple", "par un même partenaire, maple\u00a0: 1\u00a0200 en 10 minutes"),
        ("en", "planet", "mars", "from one place"),
    ],
)
def test_a_spike_says_where_many_signatures_come_from(locale: str, of: str, name: str, told: str) -> None:
    spike = event("abuse.spike", **{"of": of, of: name})
    said = message([spike], locale)
    assert told in said["text"]
    assert told in said["blocks"][0]["text"]["text"]


def test_what_kinds_of_events_a_channel_gets() -> None:
    assert KIND.events == (
        "signature.confirmed",
        "letter.milestone",
        "abuse.spike",
        "destination.failing",
        "destination.disabled",
    )
    assert not KIND.contact_details
    assert KIND.url_is_secret
    assert {"hooks.slack.com", "hooks.slack-gov.com"} == HOSTS


async def answered(status: int, said: bytes, **headers: str) -> Exception:
    client = RecordingClient(Response(status, headers, said))
    with pytest.raises((Temporary, Permanent, NotAuthorized)) as caught:
        await KIND.send([organization()], destination(URL, signed=False), tools(client))
    return caught.value


@pytest.mark.parametrize(
    ("status", "said"),
    [(404, b"no_service"), (404, b"no_team"), (404, b"no_active_hooks"), (404, b"channel_not_found"),
     (410, b"channel_is_archived"), (403, b"team_disabled")],
)  # fmt: skip
async def test_a_webhook_that_is_no_more_is_gone(status: int, said: bytes) -> None:
    error = await answered(status, said)
    assert isinstance(error, Permanent)
    assert error.gone


@pytest.mark.parametrize("said", [b"action_prohibited", b"posting_to_general_channel_denied", b"invalid_token"])
async def test_refused_credentials_pause(said: bytes) -> None:
    assert isinstance(await answered(403, said), NotAuthorized)


async def test_slack_asks_to_wait() -> None:
    error = await answered(429, b"rate_limited", **{"retry-after": "30"})
    assert isinstance(error, Temporary)
    assert error.retry_after_seconds == 30
    assert isinstance(await answered(500, b"rollup_error"), Temporary)
