"""Server and dispatchers as processes of their own: one that is killed loses nothing, and the others go on."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.faults.test_kill import form
from tests.outbox.receiver import Answer, receiving
from tests.processes import CONSOLE_SCRIPT, Installation, installation

NUMBER = 60


@pytest.fixture
async def place(tmp_path: Path, database_url: str, letter_folder: Path) -> Installation:
    place = installation(tmp_path / "place", database_url)
    await place.command("letter", "load", str(letter_folder))
    await place.command("letter", "open", "letter")
    return place


async def dispatching(place: Installation) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        CONSOLE_SCRIPT, "dispatch", cwd=place.folder, env=dict(place.environment), start_new_session=True
    )


async def test_several_dispatchers_apart_from_the_server_one_of_which_is_killed(place: Installation) -> None:
    async with receiving() as receiver, place.serving("--no-dispatch"):
        token = (await place.json("partner", "show", "letter", "house"))["token"]
        await place.command(
            "destination", "add", "letter", "webhook", "--url", receiver.url, "--event", "signature.confirmed"
        )
        async with httpx.AsyncClient(base_url=place.url) as http:
            for number in range(NUMBER):
                assert (await http.post("/v1/signatures", data=form(token, number))).status_code == 201
        assert receiver.received == [], "this server delivers nothing"
        receiver.always = lambda _: Answer(hang=True)
        first = await dispatching(place)
        begun = len(await receiver.wait_for(10, 60))
        os.killpg(first.pid, signal.SIGKILL)
        await first.wait()
        receiver.always = lambda _: Answer()
        others = [await dispatching(place), await dispatching(place)]
        try:
            rows = []
            async with asyncio.timeout(120):
                while [row["status"] for row in rows] != ["delivered"] * NUMBER:
                    rows = await place.json("delivery", "list", "letter")
        finally:
            for one in others:
                one.send_signal(signal.SIGTERM)
                await one.wait()
    arrived = Counter(one.headers["webhook-id"] for one in receiver.received)
    assert set(arrived) == {row["event_id"] for row in rows}
    assert sum(arrived.values()) <= NUMBER + begun, "only what was under way came twice"
    assert {row["attempts"] for row in rows} == {1}
