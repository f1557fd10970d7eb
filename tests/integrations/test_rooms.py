"""Every chat kind on the real path, into a room that behaves as its target's documentation says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from integrations.discord import Discord
from tests.conftest import Clock
from tests.integrations.samples import destination, tools
from tests.integrations.targets.discord import DiscordRoom
from tests.integrations.targets.mattermost import MattermostRoom
from tests.integrations.targets.rocketchat import RocketChatRoom
from tests.integrations.targets.room import Room, open_room
from tests.integrations.targets.slack import SlackRoom
from tests.integrations.targets.teams import TeamsRoom
from tests.outbox.conftest import LOOPBACK, AddDestination, MakeDispatcher, Sign, sign_many
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.flows.destinations import Office
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.outbox.egress import Egress
from widget_server.store.db import Db
from widget_server.store.delivery_log import deliveries_of
from widget_server.store.destinations import DestinationRow, find_destination

LETTER = "https://letters.example.org/letters/letter"


@dataclass(frozen=True)
class House:
    """A target and how it is in trouble: the states of its room that mean each kind of trouble."""

    kind: str
    room: Callable[[Callable[[], Any]], Room]
    pace: float
    digest: float
    gone: Sequence[str]
    refused: Sequence[str]
    item: str
    wait: float
    """Seconds that it asks to wait where too much came."""

    def read(self, room: Room) -> list[str]:
        """The messages as people read them."""
        return [reading(self.kind, one) for one in room.shown]


def reading(kind: str, shown: Any) -> str:
    match kind:
        case "slack":
            texts = [text["text"] for block in shown["blocks"] for text in block.get("elements", [block.get("text")])]
            said = "\n".join(texts).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        case "discord":
            embed = shown["embeds"][0]
            said = "\n".join([shown["content"], embed.get("description", ""), embed["footer"]["text"]])
        case "teams":
            said = "\n".join(block["text"] for block in shown["body"])
        case _:
            said = str(shown)
    return said.replace("\\", "").replace("*", "").replace("\u200b", "")


HOUSES = {
    house.kind: house
    for house in (
        House(
            "slack", SlackRoom, 1.2, 15, ["revoked", "archived", "channel gone", "team gone"], ["forbidden", "token"],
            "blocks", 1,
        ),
        House(
            "mattermost", MattermostRoom, 1.2, 15, ["revoked", "channel gone"],
            ["off", "locked", "forbidden", "author gone"], "parse", 7,
        ),
        House("rocketchat", RocketChatRoom, 6, 15, ["revoked", "channel gone"], ["forbidden"], "script", 60),
        House("discord", DiscordRoom, 2, 15, ["revoked"], ["token", "forbidden"], "forum", 60.4),
        House("teams", TeamsRoom, 36, 300, ["gone"], ["off", "forbidden"], "hidden 413", 9),
    )
}  # fmt: skip


@pytest.fixture(params=sorted(HOUSES))
def house(request: pytest.FixtureRequest) -> House:
    return HOUSES[request.param]


@pytest.fixture
async def room(house: House, clock: Clock) -> AsyncIterator[Room]:
    async with open_room(house.room(clock)) as one:
        yield one


@pytest.fixture
async def there(house: House, room: Room, add_destination: AddDestination) -> str:
    """A destination of the kind, in English; its id."""
    return await add_destination(room.url, house.kind, locale="en")


async def destination_row(db: Db, id_: str) -> DestinationRow:
    row = await find_destination(db, id_)
    assert row is not None
    return row


async def statuses(db: Db, letter: Letter) -> list[str]:
    """Of what goes to destinations; what their owners are told by mail is another matter."""
    return sorted(one.status for one in await deliveries_of(db, letter.id) if one.destination_id is not None)


async def settle(dispatcher: Dispatcher, clock: Clock, house: House, rounds: int) -> None:
    for _ in range(rounds):
        await dispatcher.drain()
        clock.advance(house.pace)


async def test_the_first_at_once_then_a_digest_with_the_running_count(
    house: House, room: Room, there: str, sign: Sign, dispatcher: Dispatcher, clock: Clock
) -> None:
    await sign(name="First Person")
    await dispatcher.drain()
    (first,) = house.read(room)
    assert "First Person signed" in first
    assert "1 signature in total" in first
    clock.advance(house.pace)
    for number in range(5):
        await sign(name=f"Person {number}")
        await dispatcher.drain()
    assert len(room.shown) == 1
    clock.advance(house.digest)
    await dispatcher.drain()
    first, digest = house.read(room)
    assert "5 people signed:" in digest
    assert "Person 4" in digest
    assert "6 signatures in total" in digest


async def test_organizations_go_one_by_one_at_the_targets_pace(
    house: House, room: Room, there: str, sign: Sign, dispatcher: Dispatcher, clock: Clock
) -> None:
    for name in ("One", "Two"):
        await sign(kind="organization", organization=name, listing="awaiting_review")
    for expected in (1, 2, 2):
        await dispatcher.drain()
        await dispatcher.drain()
        assert len(room.shown) == expected
        clock.advance(house.pace)
    assert all(
        f"An organization signed: {name}" in said
        for name, said in zip(("One", "Two"), house.read(room), strict=True)
    )  # fmt: skip
    assert "awaiting review" in house.read(room)[0]


async def test_many_organizations_share_a_message(
    house: House,
    room: Room,
    there: str,
    db: Db,
    letter: Letter,
    partner: Partner,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    many = [{"kind": "organization", "organization": f"Group {number}"} for number in range(40)]
    await sign_many(db, letter, partner, clock, many)
    await settle(dispatcher, clock, house, 3)
    (said,) = house.read(room)
    assert "40 organizations signed:" in said
    assert "and 25 more" in said


async def test_after_an_outage_one_message_tells_it_all(
    house: House,
    room: Room,
    there: str,
    db: Db,
    letter: Letter,
    partner: Partner,
    office: Office,
    sign: Sign,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    await office.pause(await destination_row(db, there))
    await sign_many(db, letter, partner, clock, [{"name": f"Person {number}"} for number in range(200)])
    clock.advance(1800)
    for name in ("One", "Two", "Three"):
        await sign(kind="organization", organization=name)
    clock.advance(1800)
    await sign(name="Last")
    await office.enable(await destination_row(db, there))
    await settle(dispatcher, clock, house, 3)
    (said,) = house.read(room)
    assert "What has happened in the meantime" in said
    assert "201 people signed:" in said
    assert "3 organizations signed:" in said
    assert "204 signatures in total" in said
    assert set(await statuses(db, letter)) == {"delivered"}


async def test_a_flood_never_comes_faster_than_the_pace_and_all_of_it_is_told(
    house: House,
    room: Room,
    there: str,
    db: Db,
    letter: Letter,
    partner: Partner,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    sent_at = []
    for number in range(12):
        kind = {"kind": "organization", "organization": f"Group {number}"} if number % 3 == 0 else {}
        await sign_many(db, letter, partner, clock, [{"name": "A"}, {"name": "B"}, kind])
        before = len(room.shown)
        await dispatcher.drain()
        sent_at += [clock.now] * (len(room.shown) - before)
        clock.advance(house.pace / 2)
    assert all((later - earlier).total_seconds() >= house.pace for earlier, later in pairwise(sent_at))
    for _ in range(12):
        clock.advance(house.digest + house.pace)
        await dispatcher.drain()
    assert set(await statuses(db, letter)) == {"delivered"}
    assert "36 signatures in total" in house.read(room)[-1]
    assert len(room.shown) == len(room.asked), "nothing was refused"


NASTY = [
    "@channel", "@here @all", "@everyone", "<!channel>", "<@U123>", "<@123>", "<at>Everyone</at>",
    "<https://evil.test|Maple>", "[Maple](https://evil.test)", "https://evil.test/x", "www.evil.com", "evil.com",
    "*b* _i_ ~s~ `c`", "# Heading", "> quote", "||spoiler||", "&lt;!channel&gt;",
]  # fmt: skip


@pytest.mark.parametrize("many", [False, True])
async def test_nothing_typed_calls_anybody_or_becomes_a_link(
    house: House,
    room: Any,
    there: str,
    many: bool,
    db: Db,
    letter: Letter,
    partner: Partner,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    for name in NASTY:
        await sign_many(db, letter, partner, clock, [{"name": name, "organization": name}] * (2 if many else 1))
        if not many:
            clock.advance(house.digest + house.pace)
            await dispatcher.drain()
    clock.advance(house.digest + house.pace)
    await dispatcher.drain()
    assert len(room.shown) == (1 if many else len(NASTY))
    assert room.alerts == []
    assert set(room.links) <= {LETTER}


async def test_the_longest_message_is_taken_whole(
    house: House,
    room: Any,
    there: str,
    db: Db,
    letter: Letter,
    partner: Partner,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    for sign_of in "&<é*@":
        long = {"name": sign_of * 200, "organization": sign_of * 200}
        await sign_many(db, letter, partner, clock, [long] * 100)
        await sign_many(db, letter, partner, clock, [{**long, "kind": "organization"}] * 100)
        clock.advance(4000)
        await dispatcher.drain()
    assert len(room.shown) == 5
    assert getattr(room, "failed_runs", []) == []
    assert set(await statuses(db, letter)) == {"delivered"}


async def test_a_target_that_had_too_much_is_left_alone_as_long_as_it_asks(
    house: House, room: Any, there: str, db: Db, letter: Letter, sign: Sign, dispatcher: Dispatcher, clock: Clock
) -> None:
    while (
        room.too_many({"slack": 1, "mattermost": 10, "rocketchat": 10, "discord": 30, "teams": 4}[house.kind], 1)
        is None
    ):
        pass  # others have posted there
    await sign(name="Patient")
    await dispatcher.drain()
    assert room.shown == []
    (waiting,) = await deliveries_of(db, letter.id)
    assert (waiting.status, waiting.attempts) == ("pending", 0), "throttling spends no attempt"
    clock.advance(house.wait - 0.9)
    await dispatcher.drain()
    assert len(room.asked) == 1
    clock.advance(max(1, house.pace))
    await dispatcher.drain()
    assert "Patient signed" in house.read(room)[0]


async def test_teams_hides_a_429_in_a_success(
    add_destination: AddDestination, db: Db, letter: Letter, sign: Sign, dispatcher: Dispatcher, clock: Clock
) -> None:
    async with open_room(TeamsRoom(clock)) as room:
        await add_destination(room.url, "teams", locale="en")
        room.state = "hidden 429"
        await sign()
        await dispatcher.drain()
        (waiting,) = await deliveries_of(db, letter.id)
        assert (waiting.status, waiting.last_error) == ("pending", "http_429")
        room.state = "ok"
        clock.advance(60)
        await dispatcher.drain()
        assert len(room.shown) == 1


async def test_discord_is_asked_no_more_than_it_bears_before_it_bans(
    add_destination: AddDestination, sign: Sign, dispatcher: Dispatcher, clock: Clock
) -> None:
    async with open_room(DiscordRoom(clock)) as room:
        await add_destination(room.url, "discord", locale="en")
        room.state = "global"
        for _ in range(20):
            await sign()
            await dispatcher.drain()
            clock.advance(3)
        assert room.invalid == 1
        clock.advance(6)  # the header asked for 65 seconds, the body for 65.4
        room.state = "ok"
        await dispatcher.drain()
        assert len(room.shown) == 1


async def test_refused_credentials_pause_and_keep_the_work(
    house: House,
    room: Room,
    there: str,
    db: Db,
    letter: Letter,
    office: Office,
    sign: Sign,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    for state in house.refused:
        room.state = state
        before = len(room.shown)
        await sign(name="Kept")
        clock.advance(house.digest + house.pace)
        await dispatcher.drain()
        row = await destination_row(db, there)
        assert row.health.status == "paused", state
        asked = len(room.asked)
        await sign(name="Kept too")
        clock.advance(10)
        await dispatcher.drain()
        assert len(room.asked) == asked, "nobody asks a target that refuses us"
        room.state = "ok"
        await office.enable(row)
        clock.advance(house.digest + house.pace)
        await dispatcher.drain()
        assert len(room.shown) == before + 1, state
        assert "Kept too" in house.read(room)[-1]


async def test_what_is_no_more_is_switched_off(
    house: House, clock: Clock, add_destination: AddDestination, db: Db, sign: Sign, dispatcher: Dispatcher
) -> None:
    for state in house.gone:
        async with open_room(house.room(clock)) as room:
            id_ = await add_destination(room.url, house.kind)
            room.state = state
            await sign()
            await dispatcher.drain()
            assert (await destination_row(db, id_)).health.status == "disabled", state
            assert len(room.asked) == 1


async def test_a_message_that_is_refused_costs_no_other(
    house: House, room: Any, there: str, db: Db, letter: Letter, sign: Sign, dispatcher: Dispatcher, clock: Clock
) -> None:
    room.state = house.item
    room.forum = house.item == "forum"
    await sign(name="Refused")
    await dispatcher.drain()
    row = await destination_row(db, there)
    assert (row.health.status, row.health.first_failed_at) == ("active", None)
    room.state, room.forum = "ok", False
    await sign(name="Taken")
    clock.advance(house.digest + house.pace)
    await dispatcher.drain()
    assert "Taken signed" in house.read(room)[0]
    assert await statuses(db, letter) == ["delivered", "failed"]


async def test_a_repeat_says_that_it_may_be_one_and_misleads_nobody(
    house: House,
    room: Room,
    there: str,
    db: Db,
    letter: Letter,
    sign: Sign,
    make_dispatcher: MakeDispatcher,
    clock: Clock,
) -> None:
    dispatcher = make_dispatcher(deadline_seconds=0.5)
    room.silent = 1
    await sign(name="Twice")
    await dispatcher.drain()
    clock.advance(house.pace + 10)
    await dispatcher.drain()
    first, second = house.read(room)
    assert "may have been told before" not in first
    assert "may have been told before" in second
    assert "1 signature in total" in first
    assert "1 signature in total" in second
    assert await statuses(db, letter) == ["delivered"]


async def test_a_target_that_is_down_is_tried_again(
    house: House, room: Room, there: str, db: Db, letter: Letter, sign: Sign, dispatcher: Dispatcher, clock: Clock
) -> None:
    room.broken = 1
    await sign(name="Later")
    await dispatcher.drain()
    assert room.shown == []
    clock.advance(house.pace + 10)
    await dispatcher.drain()
    assert "Later signed" in house.read(room)[0]
    assert "may have been told before" not in house.read(room)[0]


async def test_no_personal_detail_reaches_a_room(
    house: House, room: Room, there: str, sign: Sign, dispatcher: Dispatcher, clock: Clock
) -> None:
    await sign(email="zoe@example.org", contact_opt_in=True, partner_opt_in=True)
    await sign(name="Hidden Name", organization="Hidden Employer", public=False, contact_opt_in=True)
    await sign(kind="organization", organization="Café", name="Representative", contact_opt_in=True)
    for _ in range(4):
        await dispatcher.drain()
        clock.advance(house.digest + house.pace)
    heard = json.dumps([one.body.decode() for one in room.asked], ensure_ascii=False)
    for secret in ("zoe@example.org", "zoe@", "H2X", "For my neighbours", "Hidden", "Representative", "Montréal"):
        assert secret not in heard
    assert "Café" in heard


async def test_a_workflow_of_slack_runs_with_the_variables_that_it_declares(
    add_destination: AddDestination, sign: Sign, dispatcher: Dispatcher, clock: Clock
) -> None:
    async with open_room(SlackRoom(clock)) as room:
        room.declared = {"headline", "total"}
        url = room.url.replace(room.path, "/triggers/T0/1/secret")
        await add_destination(url, "slack", locale="en", variables="headline,total")
        await sign(name="<!here>")
        await dispatcher.drain()
        assert room.shown == [{"headline": "&lt;!here&gt; signed", "total": "1 signature in total"}]
        assert room.failed_runs == []


@pytest.mark.parametrize("status", [200, 400])
async def test_rocketchat_says_in_its_body_that_it_failed(
    status: int,
    add_destination: AddDestination,
    db: Db,
    letter: Letter,
    sign: Sign,
    dispatcher: Dispatcher,
    clock: Clock,
) -> None:
    async with open_room(RocketChatRoom(clock)) as room:
        id_ = await add_destination(room.url, "rocketchat")
        room.failure_status = status
        room.state = "script"
        await sign()
        await dispatcher.drain()
        assert await statuses(db, letter) == ["failed"]
        assert (await destination_row(db, id_)).health.status == "active"
        room.state = "off"  # 503: it may be switched on again
        clock.advance(60)
        await sign()
        await dispatcher.drain()
        assert await statuses(db, letter) == ["failed", "pending"]
        room.state = "revoked"
        clock.advance(60)
        await dispatcher.drain()
        assert (await destination_row(db, id_)).health.status == "disabled"


async def test_slack_that_cannot_roll_up_is_tried_again(
    add_destination: AddDestination, db: Db, letter: Letter, sign: Sign, dispatcher: Dispatcher, clock: Clock
) -> None:
    async with open_room(SlackRoom(clock)) as room:
        await add_destination(room.url, "slack")
        room.state = "rollup"
        await sign()
        await dispatcher.drain()
        assert await statuses(db, letter) == ["pending"]
        room.state = "ok"
        clock.advance(10)
        await dispatcher.drain()
        assert len(room.shown) == 1


async def test_discord_shows_whether_it_knows_a_webhook(clock: Clock) -> None:
    out = Egress(allowed=LOOPBACK, public_url="https://letters.example.org", user_agent="Undersigned/0")
    try:
        async with open_room(DiscordRoom(clock)) as room:
            where = destination(room.url, signed=False)
            assert list(await Discord().probe(where, tools(out.client()))) == []
            room.state = "revoked"
            (problem,) = await Discord().probe(where, tools(out.client()))
            assert problem.option == "url"
            assert [one.method for one in room.asked] == ["GET", "GET"]
            assert room.shown == []
    finally:
        await out.aclose()
