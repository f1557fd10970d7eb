"""`undersigned rule`: block rules by command, while a server runs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from tests.cli.test_letter_partner_signatures import Run, opened, run, value
from tests.processes import Installation, installation
from widget_server.store.db import Db
from widget_server.store.tables import audit, signatures

__all__ = ["opened", "run"]


@pytest.fixture
def place(tmp_path: Path, database_url: str) -> Installation:
    return installation(tmp_path / "place", database_url)


async def audited(database_url: str) -> list[dict[str, Any]]:
    db = Db(database_url)
    await db.connect()
    rows = await db.all(select(audit).where(audit.c.action.like("rule.%")).order_by(audit.c.seq))
    await db.disconnect()
    return rows


def test_rules_are_added_listed_checked_and_removed(run: Run, opened: str, database_url: str) -> None:
    assert value(run("rule", "list", "--json")) == []
    added = value(run("rule", "add", "*@SPAM.example", "jane*@x.example", "--reason", "a flood", "--json"))
    assert [(rule["pattern"], rule["allow"], rule["letter"], rule["reason"]) for rule in added] == [
        ("spam.example", False, None, "a flood"),
        ("jane*@x.example", False, None, "a flood"),
    ]
    (own,) = value(run("rule", "add", "janet@x.example", "--letter", "letter", "--allow", "--json"))
    assert (own["letter"], own["allow"]) == ("letter", True)
    again = value(run("rule", "add", "spam.example", "--json"))
    assert [rule["id"] for rule in again] == [added[0]["id"]], "the same rule is there once"
    assert [rule["id"] for rule in value(run("rule", "list", "--letter", "letter", "--json"))] == [
        *(rule["id"] for rule in added),
        own["id"],
    ]
    listed = run("rule", "list").stdout
    assert "jane*@x.example" in listed
    assert "letter letter" in listed
    for address, blocked in (("a@spam.example", True), ("janet@x.example", False), ("a@mailinator.com", True)):
        assert value(run("rule", "check", "letter", address, "--json"))["blocked"] is blocked
    assert "not blocked" in run("rule", "check", "letter", "zoe@example.org").stdout
    gone = value(run("rule", "remove", *(str(rule["id"]) for rule in added), "--reason", "over", "--json"))
    assert [rule["id"] for rule in gone] == [rule["id"] for rule in added]
    assert [rule["id"] for rule in value(run("rule", "list", "--json"))] == [own["id"]]

    rows = asyncio.run(audited(database_url))
    assert [(row["action"], row["subject"], row["reason"]) for row in rows] == [
        ("rule.add", str(added[0]["id"]), "a flood"),
        ("rule.add", str(added[1]["id"]), "a flood"),
        ("rule.add", str(own["id"]), None),
        ("rule.remove", str(added[0]["id"]), "over"),
        ("rule.remove", str(added[1]["id"]), "over"),
    ]
    assert all(row["actor"].startswith("cli") for row in rows)
    assert "jane" not in str(rows), "a pattern may be somebody's address"


def test_every_problem_is_said_and_nothing_changed(run: Run, opened: str) -> None:
    def failing(*words: str) -> list[str]:
        result = run(*words, ok=False)
        assert (result.exit_code, result.stdout) == (1, "")
        return result.stderr.splitlines()

    lines = failing("rule", "add", "good.example", "*", "spam", "a b@x.example")
    assert len(lines) == 3
    assert [line.partition(":")[0] for line in lines] == ["'*'", "'spam'", "'a b@x.example'"]
    assert value(run("rule", "list", "--json")) == []
    assert "nowhere" in failing("rule", "add", "a.example", "--letter", "nowhere")[0]
    run("rule", "add", "good.example")
    assert failing("rule", "remove", "1", "77", "88") == ["there is no rule 77", "there is no rule 88"]
    assert len(value(run("rule", "list", "--json"))) == 1
    (line,) = failing("rule", "check", "letter", "nobody")
    assert "nobody" in line


async def test_a_running_server_hears_of_it_by_itself(place: Installation, letter_folder: Path, db: Db) -> None:
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
        async with asyncio.timeout(30):
            while await sign() != "blocked":
                pass
