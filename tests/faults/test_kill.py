"""kill -9 in the middle of load: what was acknowledged is there, and every event arrives."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import func, select

from tests.outbox.receiver import receiving
from tests.processes import Installation, installation
from widget_server.store.db import Db
from widget_server.store.tables import signature_counts, signatures

CLIENTS = 24
ENOUGH = 300


@pytest.fixture
async def place(tmp_path: Path, database_url: str, letter_folder: Path) -> Installation:
    place = installation(tmp_path / "place", database_url)
    await place.command("letter", "load", str(letter_folder))
    await place.command("letter", "open", "letter")
    return place


def form(token: str, number: int) -> dict[str, str]:
    return {
        "token": token, "id": str(uuid4()), "kind": "individual", "name": f"Person {number}",
        "email": f"person{number}@example.org", "country": "CA",
    }  # fmt: skip


async def sign_until_killed(
    place: Installation, token: str, server: asyncio.subprocess.Process
) -> tuple[set[str], list[dict[str, str]]]:
    """Signs from many clients, kills the server in the middle; what was acknowledged, and what was left unanswered."""
    acknowledged: set[str] = set()
    unanswered: list[dict[str, str]] = []
    enough = asyncio.Event()

    async def client(number: int) -> None:
        async with httpx.AsyncClient(base_url=place.url, timeout=10) as http:
            for round_ in range(10_000):
                sent = form(token, number * 10_000 + round_)
                try:
                    answer = await http.post("/v1/signatures", data=sent)
                except httpx.TransportError:
                    unanswered.append(sent)
                    return
                assert answer.status_code == 201
                acknowledged.add(answer.json()["id"])
                if len(acknowledged) >= ENOUGH:
                    enough.set()

    async def killer() -> None:
        await enough.wait()
        os.killpg(server.pid, signal.SIGKILL)

    await asyncio.gather(killer(), *(client(number) for number in range(CLIENTS)))
    await server.wait()
    return acknowledged, unanswered


async def test_nothing_acknowledged_is_lost(place: Installation, database_url: str) -> None:
    async with receiving() as receiver:
        token = (await place.json("partner", "show", "letter", "house"))["token"]
        await place.command("destination", "add", "letter", "webhook", "--url", receiver.url)
        async with place.serving() as server:
            acknowledged, unanswered = await sign_until_killed(place, token, server)

        async with place.serving():
            async with httpx.AsyncClient(base_url=place.url) as http:
                # A client whose answer was lost sends the same again, and is told what became of it.
                for sent in unanswered:
                    answer = await http.post("/v1/signatures", data=sent)
                    assert answer.status_code in (200, 201)
                    acknowledged.add(answer.json()["id"])
            wanted = {(type_, id_) for id_ in acknowledged for type_ in ("signature.created", "signature.confirmed")}

            def told() -> set[tuple[str, str]]:
                bodies = [one.json for one in receiver.received]
                return {(body["type"], body["data"]["id"]) for body in bodies if body["type"].startswith("signature.")}

            async with asyncio.timeout(60):
                while not wanted <= told():
                    await receiver.wait_for(len(receiver.received) + 1, seconds=60)

    db = Db(database_url)
    await db.connect()
    rows = await db.all(select(signatures.c.id, signatures.c.email))
    counted = await db.value(select(func.sum(signature_counts.c.number)))
    await db.disconnect()
    assert {row["id"] for row in rows} == acknowledged
    assert max(Counter(row["email"] for row in rows).values()) == 1
    assert counted == len(acknowledged)


async def test_two_hundred_at_once_none_lost_none_doubled(place: Installation, database_url: str) -> None:
    token = (await place.json("partner", "show", "letter", "house"))["token"]
    async with place.serving("--workers", "2"):
        limits = httpx.Limits(max_connections=None)

        async def one(number: int) -> str:
            sent = form(token, number)
            async with httpx.AsyncClient(base_url=place.url, timeout=60, limits=limits) as http:
                answers = await asyncio.gather(*(http.post("/v1/signatures", data=sent) for _ in range(2)))
            assert sorted(answer.status_code for answer in answers) == [200, 201]
            assert {answer.json()["id"] for answer in answers} == {sent["id"]}
            return sent["id"]

        ids = await asyncio.gather(*(one(number) for number in range(200)))
    db = Db(database_url)
    await db.connect()
    stored = [row["id"] for row in await db.all(select(signatures.c.id))]
    counted = await db.value(select(func.sum(signature_counts.c.number)))
    await db.disconnect()
    assert sorted(stored) == sorted(ids)
    assert counted == 200
