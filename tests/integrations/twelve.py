"""A letter with twelve destinations of twelve kinds, most of them ill, and a crowd that signs it.

Real server processes take the signatures and begin to deliver; they are killed. Then a dispatcher goes on, on a clock
that can be turned. What became of it is judged from facts: what each target has, and what the log says.

One thing must stay true: what a destination should have is worked out from who signed and who left, never from the
deliveries.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import httpx
from sqlalchemy import func, select

from tests.conftest import KEY, LETTER_TOML
from tests.integrations.doors import Door, behind_doors
from tests.integrations.targets.base import Answer, Asked, Target
from tests.integrations.targets.discord import DiscordRoom
from tests.integrations.targets.mattermost import MattermostRoom
from tests.integrations.targets.people import TARGETS
from tests.integrations.targets.room import Room
from tests.integrations.targets.slack import SlackRoom
from tests.integrations.targets.teams import TeamsRoom
from tests.integrations.test_rooms import reading
from tests.mail.postbox import Postbox, postbox
from tests.processes import Installation, installation
from tests.web.reading import PAGE
from widget_server.domain.letters import Letter
from widget_server.domain.links import link_url
from widget_server.domain.tokens import Seals
from widget_server.domain.vault import Vault
from widget_server.flows.destinations import Office, Wanted
from widget_server.flows.directory import Directory
from widget_server.flows.erase import erase_own
from widget_server.flows.letter_status import change_letter_status
from widget_server.flows.load_letter import load_letter
from widget_server.flows.partners import add_partner, token_of
from widget_server.flows.turn import Turns
from widget_server.flows.withdraw import withdraw
from widget_server.i18n import Texts
from widget_server.mail.layout import Layout
from widget_server.mail.servers import read_mail_server
from widget_server.mail.smtp import Smtp
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.outbox.mail_lane import MailOut
from widget_server.outbox.mail_writing import MailWriter
from widget_server.outbox.registry import Registry
from widget_server.outbox.schedule import DELAYS_SECONDS, SPREAD
from widget_server.store.db import Db
from widget_server.store.destinations import find_destination
from widget_server.store.migrate import migrate
from widget_server.store.tables import attempts, deliveries, destinations, events

CLIENTS = 16
RECIPIENT = "amal@letters.example.org"
DEADLINE_SECONDS = 0.5
"""Of the dispatcher on the turned clock: what hangs is waited for in earnest."""
DEAD = {"mattermost": "connection_refused", "civicrm": "http_500", "action-network": "timeout"}
"""What is dead, and what the log must say of it."""
NONSENSE = "nationbuilder"
ILL = (*DEAD, NONSENSE)
LISTS = ("mailchimp", "hubspot", "civicrm", "action-network", "nationbuilder")
ROOMS = ("slack", "discord", "teams", "mattermost")


class Hook(Target):
    """Somebody's own program behind a webhook: takes everything. `took`: each id, with the body that came first."""

    kind = "webhook"

    def __init__(self) -> None:
        super().__init__()
        self.times: Counter[str] = Counter()
        self.took: dict[str, dict[str, Any]] = {}

    def options(self) -> dict[str, str]:
        return {}

    def answer(self, asked: Asked) -> Answer:
        id_ = asked.headers["webhook-id"]
        self.times[id_] += 1
        self.took.setdefault(id_, asked.json)
        return Answer(204)


class TurnedClock:
    """The time of day, and however far it has been turned on."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def turn(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


Leaving = Literal["", "withdrawn", "erased"]


@dataclass
class Signer:
    """Everything about one who signs follows from their number. `left`: how they ended it; `late`: only once
    everything that is well had heard of them."""

    number: int
    id: str = field(default_factory=lambda: str(uuid4()))

    @property
    def is_organization(self) -> bool:
        return self.number % 7 == 3

    @property
    def opted_in(self) -> bool:
        return self.number % 4 == 0

    @property
    def leaves(self) -> Leaving:
        if self.number % 12 not in (0, 1):
            return ""
        return "withdrawn" if self.number // 12 % 2 else "erased"

    @property
    def late(self) -> bool:
        return self.number // 24 % 2 == 1

    @property
    def email(self) -> str:
        return f"signer{self.number:06}@example.org"

    @property
    def stays_listed(self) -> bool:
        return self.opted_in and not self.leaves

    def form(self, token: str) -> dict[str, str]:
        sent = {
            "token": token, "id": self.id, "kind": "individual", "name": f"Signer Number{self.number}",
            "email": self.email, "country": "US" if self.number % 3 == 0 else "CA",
            "locale": "fr" if self.number % 2 else "en", "public": "false" if self.number % 5 == 2 else "true",
            "contact_opt_in": "true" if self.opted_in else "false", "city": "Montréal",
            "comment": f"Because of {self.email}",
        }  # fmt: skip
        if self.is_organization:
            sent |= {"kind": "organization", "organization": f"Club {self.number}", "role": "Chair", "public": "true"}
            sent["authorized"] = "true"
        return sent


@dataclass
class Twelve:
    """The letter, its destinations, and everything that a phase of the scenario needs."""

    db: Db
    place: Installation
    letter: Letter
    token: str
    directory: Directory
    office: Office
    turns: Turns
    clock: TurnedClock
    seals: Seals
    doors: dict[str, Door]
    box: Postbox
    dispatcher: Dispatcher
    ids: dict[str, str]
    signers: list[Signer]
    kills: int = 0
    unanswered: list[Signer] = field(default_factory=list)

    # What happens.

    async def sign(self, many: Iterable[Signer], *, kill: tuple[asyncio.subprocess.Process, int] | None = None) -> None:
        """They sign, some at once. `kill`: a server that is killed once so many have been told that they have; whoever
        was not told signs again, later."""
        waiting, told = list(reversed(list(many))), 0

        async def client() -> None:
            nonlocal told
            async with httpx.AsyncClient(base_url=self.place.url, timeout=30) as http:
                while waiting:
                    one = waiting.pop()
                    try:
                        answer = await http.post("/v1/signatures", data=one.form(self.token))
                    except httpx.TransportError:
                        self.unanswered.append(one)
                        return
                    assert answer.status_code in (200, 201), answer.text
                    told += 1
                    if kill is not None and told == kill[1]:
                        os.killpg(kill[0].pid, signal.SIGKILL)

        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        self.unanswered += waiting
        if kill is not None:
            await kill[0].wait()
            self.kills += 1

    async def sign_through_a_crash(self) -> None:
        """Half of them, then kill -9; the others with a new server, and some of them leave; then kill -9 again."""
        number = len(self.signers)
        async with self.place.serving() as server:
            await self.sign(self.signers, kill=(server, number // 2))
        again, self.unanswered = self.unanswered, []
        async with self.place.serving() as server:
            await self.sign(again)
            assert self.unanswered == []
            await self.leave_early()
            os.killpg(server.pid, signal.SIGKILL)
            await server.wait()
            self.kills += 1

    async def leave_early(self) -> None:
        """By the page of each signer, while the server delivers."""
        waiting = [one for one in self.signers if one.leaves and not one.late]

        async def client() -> None:
            async with httpx.AsyncClient(base_url=self.place.url, headers=PAGE, timeout=30) as http:
                while waiting:
                    one = waiting.pop()
                    page = link_url("", self.seals, "signer", one.id, self.clock())
                    answer = await http.post(page + ("/withdraw" if one.leaves == "withdrawn" else "/erase"))
                    assert answer.status_code in (200, 303), answer.text

        await asyncio.gather(*(client() for _ in range(CLIENTS)))

    async def leave_late(self) -> None:
        for one in self.signers:
            if one.leaves and one.late:
                ending = withdraw if one.leaves == "withdrawn" else erase_own
                assert await ending(self.turns, self.letter, one.id)

    async def deliver(self, *kinds: str) -> None:
        """Delivers and turns the clock to whatever is next, until nothing waits for destinations of these kinds."""
        step, before, began = 0.5, -1, self.clock()
        while True:
            await self.dispatcher.drain()
            waiting = await self.waiting(kinds)
            if not waiting:
                return
            assert self.clock() - began < timedelta(days=4), f"still waiting: {waiting}"
            knocks = len(self.box.mails) + sum(door.knocks for door in self.doors.values())
            step = 0.5 if knocks != before else min(step * 2, 300)
            before = knocks
            ahead = (min(waiting.values()) - self.clock()).total_seconds()
            self.clock.turn(max(ahead, step))

    async def waiting(self, kinds: Sequence[str]) -> dict[str, datetime]:
        """When the next delivery is due at each destination that has one."""
        d, s = deliveries.c, destinations.c
        query = (
            select(d.kind, func.min(d.next_attempt_at).label("due"), func.max(s.not_before).label("held"))
            .join(destinations, s.id == d.destination_id)
            .where((d.status == "pending") & d.kind.in_(kinds))
            .group_by(d.kind)
        )
        rows = await self.db.all(query)
        return {row["kind"]: max(_instant(row["due"]), _instant(row["held"])) for row in rows}

    async def heal(self) -> None:
        """Whatever was ill is well; what was paused meanwhile is enabled."""
        for door in self.doors.values():
            await door.heal()
        for id_ in self.ids.values():
            row = await find_destination(self.db, id_)
            assert row is not None
            if row.health.status != "active":
                await self.office.enable(row)

    # What the log says.

    async def rows(self, kind: str) -> list[dict[str, Any]]:
        """Deliveries to the destination of a kind, with the type of their event and whose it is."""
        e = events.c
        query = select(deliveries, e.type, e.signature_id).join(events, e.id == deliveries.c.event_id)
        return [dict(row) for row in await self.db.all(query.where(deliveries.c.destination_id == self.ids[kind]))]

    async def tries(self, kind: str) -> dict[str, list[dict[str, Any]]]:
        """Every attempt at the destination of a kind, by delivery."""
        found: dict[str, list[dict[str, Any]]] = {}
        a, d = attempts.c, deliveries.c
        query = select(attempts).join(deliveries, d.id == a.delivery_id).order_by(a.started_at, a.id)
        for row in await self.db.all(query.where(d.destination_id == self.ids[kind])):
            found.setdefault(row["delivery_id"], []).append(dict(row))
        return found

    async def unexplained(self) -> list[str]:
        """What did not arrive, and the log does not say why."""
        found = []
        for kind, id_ in self.ids.items():
            row, tries = await find_destination(self.db, id_), await self.tries(kind)
            assert row is not None
            for one in await self.rows(kind):
                mine = tries.get(one["id"], [])
                found += [f"{kind}: an attempt without a reason" for it in mine if _is_silent(it)]
                if one["status"] == "delivered":
                    if not mine or mine[-1]["outcome"] != "delivered":
                        found.append(f"{kind}: delivered, and no attempt says so")
                elif one["status"] == "pending" and not mine:
                    if not (row.health.rests or row.health.status != "active" or row.health.is_held(self.clock())):
                        found.append(f"{kind}: never tried, and the destination does not rest")
                elif not one["last_error"]:
                    found.append(f"{kind}: {one['status']} without a reason")
        return found

    async def off_schedule(self, kind: str) -> list[str]:
        """Deliveries of a dead destination that are not to be tried again when the contract says."""
        found, tries = [], await self.tries(kind)
        for one in await self.rows(kind):
            if one["status"] == "cancelled":
                continue
            mine = [it for it in tries.get(one["id"], []) if it["outcome"] in ("retry", "unknown")]
            if one["status"] != "pending" or one["attempts"] != len(mine):
                found.append(
                    f"{kind}: {one['status']} after {len(mine)} attempts, of which {one['attempts']} are counted"
                )
            elif mine:
                ended = mine[-1]["started_at"] + timedelta(seconds=mine[-1]["duration_seconds"])
                wait = (one["next_attempt_at"] - ended).total_seconds()
                wanted = DELAYS_SECONDS[len(mine) - 1]
                if not wanted * (1 - SPREAD) - 1 <= wait <= wanted * (1 + SPREAD) + 5:
                    found.append(f"{kind}: attempt {len(mine) + 1} is {wait:.0f} s after the last, not {wanted}")
        return found

    async def errors(self, kind: str) -> set[str]:
        tries = await self.tries(kind)
        codes = [it["error"] for one in await self.rows(kind) for it in tries.get(one["id"], ()) if it["error"]]
        return {code.partition(":")[0] for code in codes}

    async def may_repeat(self, kind: str) -> set[str]:
        """Events whose delivery was in doubt once: an attempt may have arrived without our hearing of it."""
        tries = await self.tries(kind)
        rows = await self.rows(kind)
        unknown = {one["event_id"] for one in rows for it in tries.get(one["id"], ()) if it["outcome"] == "unknown"}
        return unknown | {one["event_id"] for one in rows if one["doubtful"]}

    # What each target has.

    async def wrong_at(self, kind: str) -> list[str]:
        """What a target lacks that it should have, has that it should not, or has twice."""
        target = self.doors[kind].target if kind in self.doors else None
        if kind == "webhook":
            assert isinstance(target, Hook)
            return await self._wrong_at_hook(target)
        if kind == "email":
            texts = [handed.part("plain") for handed in self.box.mails if handed.recipient == RECIPIENT]
            return await self._wrong_told(kind, texts)
        if isinstance(target, Room):
            return await self._wrong_told(kind, [reading(kind, one) for one in target.shown])
        assert isinstance(target, Target)
        return self._wrong_at_list(kind, target)

    async def _wrong_at_hook(self, hook: Hook) -> list[str]:
        heard = Counter((body["type"], body["data"].get("id")) for body in hook.took.values())
        wanted = {
            (type_, one.id)
            for one in self.signers
            if not one.leaves
            for type_ in ("signature.created", "signature.confirmed")
        }
        ended = {("signature.withdrawn", one.id) for one in self.signers if one.leaves and one.late}
        found = [f"webhook: {what} is missing" for what in (wanted | ended) - heard.keys()]
        found += [f"webhook: {what} {number} times" for what, number in heard.items() if number > 1 and what[1]]
        doubtful = await self.may_repeat("webhook")
        found += [f"webhook: {id_} repeated" for id_, times in hook.times.items() if times > 1 and id_ not in doubtful]
        addresses = {one.id: one.email for one in self.signers if one.opted_in}
        for body in hook.took.values():
            email = body["data"].get("email")
            if email is not None and addresses.get(body["data"]["id"]) != email:
                found.append(f"webhook: {email} goes nowhere")
        return found

    async def _wrong_told(self, kind: str, texts: Sequence[str]) -> list[str]:
        """Of a room and of mail: everybody is told of once, apart from what was in doubt or over before it was sent."""
        people, organizations = _told(texts)
        found = []
        rows = [one for one in await self.rows(kind) if one["type"] == "signature.confirmed"]
        sent = {one["signature_id"] for one in rows if one["status"] == "delivered"}
        by_id = {one.id: one for one in self.signers}
        found += [f"{kind}: {one.id} was not told" for one in self.signers if not one.leaves and one.id not in sent]
        doubtful = await self.may_repeat(kind)
        repeats = sum(one["event_id"] in doubtful for one in rows) * self.kills
        # Whoever left while their own message was under way is told of, and their delivery is cancelled all the same.
        tries = await self.tries(kind)
        crossed = {
            one["signature_id"]
            for one in rows
            if one["status"] == "cancelled" and any(it["outcome"] == "delivered" for it in tries.get(one["id"], ()))
        }
        for told, organization, what in ((people, False, "people"), (organizations, True, "organizations")):
            wanted = sum(by_id[id_].is_organization is organization for id_ in sent)
            more = repeats + sum(by_id[id_].is_organization is organization for id_ in crossed)
            if not wanted <= told <= wanted + more:
                found.append(f"{kind}: told of {told} {what}, not of {wanted} to {wanted + more}")
        said = "\n".join(texts)
        found += [f"{kind}: an address was told" for _ in re.findall(r"signer\d+@", said)]
        hidden = {f"Number{one.number} " for one in self.signers if one.form("")["public"] == "false"}
        found += [f"{kind}: {name} is private" for name in hidden if f"Signer {name}" in said.replace("\n", " ")]
        return found

    def _wrong_at_list(self, kind: str, target: Target) -> list[str]:
        wanted = sorted(one.email for one in self.signers if one.stays_listed)
        found = []
        if target.mailable() != wanted:
            missing, more = set(wanted) - set(target.mailable()), set(target.mailable()) - set(wanted)
            found.append(
                f"{kind}: {len(missing)} missing {sorted(missing)[:3]}, {len(more)} too many {sorted(more)[:3]}"
            )
        twice = [email for email, number in Counter(target.records()).items() if number > 1]
        found += [f"{kind}: {email} twice" for email in twice]
        sent = target.all_sent().replace("%40", "@")
        strangers = {one.email for one in self.signers if not one.opted_in}
        found += [f"{kind}: {email} was sent" for email in set(re.findall(r"signer\d+@example\.org", sent)) & strangers]
        if kind == "google-sheets":
            ids = {row["id"] for row in target.rows()}  # type: ignore[attr-defined]
            found += [f"{kind}: {one.id} has no row" for one in self.signers if not one.leaves and one.id not in ids]
        elif kind in ILL:
            gone = {one.email for one in self.signers if one.leaves}
            found += [f"{kind}: {email} came back" for email in gone & set(target.records())]
        return found


def _is_silent(attempt: dict[str, Any]) -> bool:
    return attempt["outcome"] != "delivered" and not attempt["error"]


def _instant(value: Any) -> datetime:
    """SQLite has forgotten the type behind `min` and `max`."""
    if value is None:
        return datetime.min.replace(tzinfo=UTC)
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _told(texts: Sequence[str]) -> tuple[int, int]:
    """Of how many people and organizations messages tell, as they are read."""
    people = organizations = 0
    for text in texts:
        for line in text.splitlines():
            if found := re.match(r"([\d,]+) (person|people|organizations?) signed:", line):
                number = int(found[1].replace(",", ""))
                people += number if found[2] in ("person", "people") else 0
                organizations += number if found[2].startswith("organization") else 0
            elif line.startswith("An organization signed:"):
                organizations += 1
            elif line.endswith(" signed"):
                people += 1
    return people, organizations


@asynccontextmanager
async def twelve(
    database_url: str, folder: Path, number: int, deadline_seconds: float = DEADLINE_SECONDS
) -> AsyncIterator[Twelve]:
    """Nobody has signed yet."""
    clock, seals, vault, registry = TurnedClock(), Seals([KEY]), Vault([KEY]), Registry()
    doors = {
        "webhook": Door(Hook(), "well", clock),
        "slack": Door(SlackRoom(clock), "well", clock),
        "discord": Door(DiscordRoom(clock), "well", clock),
        "teams": Door(TeamsRoom(clock), "well", clock),
        "google-sheets": Door(TARGETS["google-sheets"](), "well", clock),
        "hubspot": Door(TARGETS["hubspot"](), "slow", clock),
        "mailchimp": Door(TARGETS["mailchimp"](), "throttled", clock, bears=max(4, number // 200)),
        NONSENSE: Door(TARGETS[NONSENSE](), "nonsense", clock),
        "mattermost": Door(MattermostRoom(clock), "refusing", clock),
        "civicrm": Door(TARGETS["civicrm"](), "failing", clock),
        "action-network": Door(TARGETS["action-network"](), "hanging", clock),
    }
    async with behind_doors(list(doors.values())), postbox() as box:
        place = installation(
            folder / "place", database_url, secret_keys=KEY, smtp_url=box.url, proof_of_work="off",
        )  # fmt: skip
        db = Db(database_url)
        await db.connect()
        await migrate(db)
        directory, texts = Directory(db, seals), Texts()
        letter, token = await _letter(db, directory, seals, folder / "letter", clock)
        smtp = Smtp(read_mail_server(box.url), hello="letters.example.org", deadline_seconds=5.0)
        writer = MailWriter(texts, seals, place.url, "undersigned@letters.example.org", Layout())
        dispatcher = Dispatcher(
            db=db, directory=directory, vault=vault, registry=registry, texts=texts, public_url=place.url,
            egress_allow=[ip_network("127.0.0.0/8")], now=clock, mail=MailOut(writer, smtp),
            deadline_seconds=deadline_seconds,
        )  # fmt: skip

        async def nothing(url: str, hosts: frozenset[str] | None) -> list[Any]:
            return []

        office = Office(
            db=db, directory=directory, vault=vault, kinds=registry, judge_url=nothing, now=clock, actor="test"
        )
        signers = [Signer(one) for one in range(number)]
        turns = Turns(db, vault, clock)
        ids = {"email": (await office.add(letter, None, Wanted("email", "", _options(None)))).id}
        for kind, door in doors.items():
            ids[kind] = (await office.add(letter, None, Wanted(kind, door.url, _options(door.target)))).id
        yield Twelve(
            db, place, letter, token, directory, office, turns, clock, seals, doors, box, dispatcher, ids, signers
        )
        await dispatcher.aclose()
        await db.disconnect()


def _options(target: Target | Room | None) -> dict[str, str]:
    if target is None:
        return {"recipients": RECIPIENT, "locale": "en"}
    return target.options() if isinstance(target, Target) else {"locale": "en"}


async def _letter(db: Db, directory: Directory, seals: Seals, folder: Path, now: TurnedClock) -> tuple[Letter, str]:
    """An open letter that asks for a city and a comment, and the token of a partner of it."""
    folder.mkdir(parents=True)
    fields_ = '\n[fields]\ncity = "optional"\ncomment = "optional"\n'
    (folder / "letter.toml").write_text(LETTER_TOML + fields_, "utf-8")
    for locale in ("en", "fr"):
        (folder / f"body.{locale}.md").write_text("To whom it may concern.\n", "utf-8")
    await load_letter(db, folder, now=now(), actor="test")
    await change_letter_status(db, "letter", "open", now=now(), actor="test")
    await directory.refresh(now_please=True)
    letter = await directory.letter("letter")
    assert letter is not None
    origins = ["https://maple.example"]
    partner = await add_partner(db, letter, "maple", name="Maple House", origins=origins, now=now(), actor="test")
    return letter, token_of(seals, letter, partner)
