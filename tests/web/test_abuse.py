"""What looks abusive, over real HTTP and on both engines: set aside unseen, and its client known for a week."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from tests.conftest import Clock, Live
from tests.web.abuse import Http, Serve, http, person, post, serve, shown, somebody
from tests.web.test_sign import rows, told_of
from widget_server.app import utc_now
from widget_server.domain.letters import Letter
from widget_server.flows.block_rules import add_rules, remove_rules
from widget_server.flows.load_letter import load_letter
from widget_server.store.db import Db
from widget_server.store.letters import directory_revision
from widget_server.store.tables import deliveries, metadata

__all__ = ["http", "person", "serve", "shown"]


async def confirm_by_mail(db: Db, live: Live, letter_folder: Any) -> None:
    toml = letter_folder / "letter.toml"
    toml.write_text(toml.read_text("utf-8").replace('confirmation = "none"', 'confirmation = "email"'), "utf-8")
    await load_letter(db, letter_folder, now=utc_now(), actor="test")
    await live.site.directory.refresh(now_please=True)


def comparable(answer: httpx.Response) -> tuple[Any, ...]:
    """All of an answer but what differs between any two signatures."""
    document = answer.json()
    headers = {name: value for name, value in answer.headers.items() if name not in ("date", "content-length")}
    lengths = {key: len(str(value)) for key, value in document.items() if key in ("id", "replaces")}
    rest = {key: value for key, value in document.items() if key not in ("id", "replaces")}
    return answer.status_code, headers, lengths, rest


@pytest.mark.parametrize(
    ("odd", "codes", "mailed"),
    [
        ({"elapsed": "300", "shown": ""}, "fast,not_shown", True),
        ({"elapsed": "0", "shown": "forged"}, "fast,not_shown", True),
        ({"email": "robot@mailinator.com"}, "blocked", True),
        ({"email": "no-reply@example.org"}, "blocked", True),
        ({"hp_contact_2": "x"}, "honeypot", False),
    ],
)
async def test_whoever_is_set_aside_notices_nothing(
    serve: Serve, http: Http, db: Db, person: dict[str, str], letter_folder: Any, odd: dict[str, str], codes: str,
    mailed: bool,
) -> None:  # fmt: skip
    live = await serve()
    await confirm_by_mail(db, live, letter_folder)
    client = http(live)
    honest = await post(client, person)
    caught = await post(client, somebody(person) | odd)
    assert comparable(caught) == comparable(honest)
    again = await post(client, person | odd | {"id": caught.json()["id"]})
    assert (again.status_code, again.json()["status"]) == (200, "pending")
    first, second = await rows(db)
    assert (first["quarantine"], first["status"]) == (None, "pending")
    assert (second["quarantine"], second["status"]) == (codes, "pending")
    assert await told_of(db) == ["signature.created", "signer.mail", *(["signer.mail"] if mailed else [])]
    assert len(await db.all(select(deliveries.c.id).where(deliveries.c.kind == "signer-mail"))) == 1 + mailed


async def test_where_nothing_is_confirmed_it_is_answered_as_confirmed_and_kept_pending(
    serve: Serve, http: Http, db: Db, person: dict[str, str]
) -> None:
    client = http(await serve())
    honest, caught = await post(client, person), await post(client, somebody(person, elapsed="1", shown=""))
    assert comparable(caught) == comparable(honest)
    row = (await rows(db))[1]
    assert (row["status"], row["confirmed_at"], row["quarantine"]) == ("pending", None, "fast,not_shown")
    assert caught.json()["counts"]["total"] == 1
    assert await told_of(db) == ["signature.created", "signature.confirmed", "signer.mail"]


@pytest.mark.parametrize("odd", [{"elapsed": "1"}, {"shown": ""}, {"elapsed": ""}, {"shown": "", "elapsed": ""}])
async def test_a_single_suspicion_is_not_enough(
    serve: Serve, http: Http, db: Db, person: dict[str, str], odd: dict[str, str]
) -> None:
    client = http(await serve())
    answer = await client.post("/v1/signatures", data=person | odd, headers={"origin": "https://elsewhere.example"})
    assert answer.json()["counts"]["total"] == 1
    (row,) = await rows(db)
    assert (row["quarantine"], row["origin_flagged"]) == (None, True)


async def test_with_everything_off_only_traps_and_rules_are_left(
    serve: Serve, http: Http, db: Db, person: dict[str, str]
) -> None:
    client = http(await serve(proof_of_work="off", rate_limit="off"))
    for odd in ({"elapsed": "1", "shown": ""}, {"hp_contact_2": "x"}, {"email": "a@mailinator.com"}):
        await post(client, somebody(person) | odd)
    assert [row["quarantine"] for row in await rows(db)] == [None, "honeypot", "blocked"]


@pytest.mark.parametrize("setting", [{"rate_limit": "100/minute"}, {"proof_of_work": "auto"}])
async def test_one_of_them_is_enough_to_weigh_suspicions(
    serve: Serve, http: Http, db: Db, person: dict[str, str], setting: dict[str, str]
) -> None:
    client = http(await serve(**{"proof_of_work": "off", "rate_limit": "off", **setting}))
    await post(client, person | {"elapsed": "1", "shown": ""})
    assert (await rows(db))[0]["quarantine"] == "fast,not_shown"


async def test_a_test_is_never_set_aside(serve: Serve, http: Http, db: Db, person: dict[str, str]) -> None:
    client = http(await serve())
    await post(client, person | {"elapsed": "1", "shown": "", "test": "true", "email": "a@mailinator.com"})
    assert [(row["test"], row["quarantine"]) for row in await rows(db)] == [(True, None)]


async def test_a_rule_reaches_every_server_and_goes_again(
    serve: Serve, http: Http, db: Db, person: dict[str, str], letter: Letter
) -> None:
    servers = [await serve(), await serve()]

    async def sign_at_each(email: str) -> list[str | None]:
        before = len(await rows(db))
        for number, live in enumerate(servers):
            async with asyncio.timeout(30):
                revision = -1
                while revision != await directory_revision(db):
                    await live.site.directory.refresh()
                    revision = live.site.directory._contents.revision
                    await asyncio.sleep(0.01)  # it asks by itself twice a second; there is nothing else to wait for
            await post(http(live), person | {"email": email.replace("@", f"{number}@")})
        return [row["quarantine"] for row in (await rows(db))[before:]]

    assert await sign_at_each("a@spam.example") == [None, None]
    (block,) = await add_rules(
        db, None, ["*@SPAM.example"], allow=False, reason="a flood", now=utc_now(), actor="test"
    )  # fmt: skip
    assert await sign_at_each("b@spam.example") == ["blocked", "blocked"]
    allow = await add_rules(db, letter, ["c?@spam.example"], allow=True, reason=None, now=utc_now(), actor="test")
    assert await sign_at_each("c@spam.example") == [None, None]
    await remove_rules(db, [block.id, *(rule.id for rule in allow)], reason=None, now=utc_now(), actor="test")
    assert await sign_at_each("d@spam.example") == [None, None]


async def test_a_clients_address_is_kept_as_a_hash_that_changes_daily(
    serve: Serve, http: Http, db: Db, person: dict[str, str], clock: Clock
) -> None:
    clock.now = utc_now().replace(hour=23, minute=59)
    servers = [await serve(now=clock), await serve(now=clock)]
    addresses = ["203.0.113.77", "::ffff:203.0.113.77", "2001:db8:1:2:3::4", "2001:DB8:1:2::ffff", "2001:db8:1:3::4"]
    for address in addresses:
        await post(http(servers[0], client=address), somebody(person))
    await post(http(servers[1], client=addresses[0]), somebody(person))
    for days in (1, -2, 1):  # over midnight, back by two days, and where it was
        clock.advance(days * 86400)
        await post(http(servers[0], client=addresses[0]), somebody(person))
    found = [row["client"] for row in await rows(db)]
    assert all(len(hash_) == 22 for hash_ in found)
    v4, mapped, house, same_house, next_door, elsewhere, tomorrow, yesterday, today = found
    assert v4 == mapped == elsewhere == today
    assert house == same_house
    assert len({v4, house, next_door, tomorrow, yesterday}) == 5

    book = servers[1].site.signing.clients
    assert set(await book.every("203.0.113.77")) == {v4, tomorrow, yesterday}
    assert house in await book.every("2001:db8:1:2:aaaa::1")
    assert v4 not in await book.every("203.0.113.78")
    kept = str([await db.all(select(table)) for table in metadata.sorted_tables])
    assert not [address for address in addresses if address in kept]
    assert "203.0.113" not in kept


async def test_many_first_comers_make_one_key_between_them(
    serve: Serve, http: Http, db: Db, person: dict[str, str]
) -> None:
    servers = [await serve() for _ in range(3)]
    await asyncio.gather(*(post(http(servers[number % 3]), somebody(person)) for number in range(12)))
    assert len({row["client"] for row in await rows(db)}) == 1
