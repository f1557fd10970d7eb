"""`undersigned rule`: block rules by command, while a server runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from tests.cli.test_serve import failing
from tests.processes import Installation, installation
from widget_server.store.db import Db
from widget_server.store.tables import audit, signatures


@pytest.fixture
def place(tmp_path: Path, database_url: str) -> Installation:
    return installation(tmp_path / "place", database_url)


async def test_rules_are_added_listed_checked_and_removed(place: Installation, letter_folder: Path, db: Db) -> None:
    await place.command("letter", "load", str(letter_folder))
    assert await place.json("rule", "list") == []
    added = await place.json("rule", "add", "*@SPAM.example", "jane*@x.example", "--reason", "a flood")
    assert [(rule["pattern"], rule["allow"], rule["letter"], rule["reason"]) for rule in added] == [
        ("spam.example", False, None, "a flood"),
        ("jane*@x.example", False, None, "a flood"),
    ]
    (own,) = await place.json("rule", "add", "janet@x.example", "--letter", "letter", "--allow")
    assert (own["letter"], own["allow"]) == ("letter", True)
    again = await place.json("rule", "add", "spam.example")
    assert [rule["id"] for rule in again] == [added[0]["id"]], "the same rule is there once"
    assert [rule["id"] for rule in await place.json("rule", "list", "--letter", "letter")] == [
        *(rule["id"] for rule in added),
        own["id"],
    ]
    listed = await place.command("rule", "list")
    assert "jane*@x.example" in listed
    assert "letter letter" in listed
    for address, blocked in (("a@spam.example", True), ("janet@x.example", False), ("a@mailinator.com", True)):
        assert (await place.json("rule", "check", "letter", address))["blocked"] is blocked
    assert "not blocked" in await place.command("rule", "check", "letter", "zoe@example.org")
    gone = await place.json("rule", "remove", *(str(rule["id"]) for rule in added), "--reason", "over")
    assert [rule["id"] for rule in gone] == [rule["id"] for rule in added]
    assert [rule["id"] for rule in await place.json("rule", "list")] == [own["id"]]

    rows = await db.all(select(audit).where(audit.c.action.like("rule.%")).order_by(audit.c.seq))
    assert [(row["action"], row["subject"], row["reason"]) for row in rows] == [
        ("rule.add", str(added[0]["id"]), "a flood"),
        ("rule.add", str(added[1]["id"]), "a flood"),
        ("rule.add", str(own["id"]), None),
        ("rule.remove", str(added[0]["id"]), "over"),
        ("rule.remove", str(added[1]["id"]), "over"),
    ]
    assert all(row["actor"].startswith("cli") for row in rows)
    assert "jane" not in str(rows), "a pattern may be somebody's address"


async def test_every_problem_is_said_and_nothing_changed(place: Installation, letter_folder: Path) -> None:
    await place.command("letter", "load", str(letter_folder))
    lines = await failing(place, "rule", "add", "good.example", "*", "spam", "a b@x.example")
    assert len(lines) == 3
    assert [line.partition(":")[0] for line in lines] == ["'*'", "'spam'", "'a b@x.example'"]
    assert await place.json("rule", "list") == []
    assert "nowhere" in (await failing(place, "rule", "add", "a.example", "--letter", "nowhere"))[0]
    await place.command("rule", "add", "good.example")
    assert await failing(place, "rule", "remove", "1", "77", "88") == ["there is no rule 77", "there is no rule 88"]
    assert len(await place.json("rule", "list")) == 1
    (line,) = await failing(place, "rule", "check", "letter", "nobody")
    assert "nobody" in line


async def test_a_running_server_knows_within_two_seconds(place: Installation, letter_folder: Path, db: Db) -> None:
    await place.command("letter", "load", str(letter_folder))
    await place.command("letter", "open", "letter")
    token = (await place.json("partner", "show", "letter", "house"))["token"]
    async with place.serving(), httpx.AsyncClient(base_url=place.url) as client:
        number = 0

        async def sign() -> str | None:
            nonlocal number
            number += 1
            email = f"z{number}@spam.example"
            form = {"token": token, "kind": "individual", "name": "Zoë", "email": email, "country": "CA"}
            assert (await client.post("/v1/signatures", data=form)).status_code == 201
            row = await db.one(select(signatures.c.quarantine).where(signatures.c.email == email))
            assert row is not None
            return None if row["quarantine"] is None else str(row["quarantine"]).partition(",")[0]

        assert await sign() is None
        await place.command("rule", "add", "spam.example")
        async with asyncio.timeout(2):
            while await sign() != "blocked":
                pass
