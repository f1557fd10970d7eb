"""The server as a process: it starts, stops cleanly, and says in one sentence why it cannot start."""

from __future__ import annotations

import asyncio
import signal
import socket
from pathlib import Path

import httpx
import pytest

from tests.processes import CONSOLE_SCRIPT, Installation, installation
from widget_server.store.migrate import HEAD


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/place/var/undersigned.db"


@pytest.fixture
def place(tmp_path: Path, database_url: str) -> Installation:
    return installation(tmp_path / "place", database_url, rate_limit="2/minute")


async def failing(place: Installation, *words: str, **settings: str) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        CONSOLE_SCRIPT, *words, cwd=place.folder, env={**place.environment, **settings},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, errors = await process.communicate()
    assert process.returncode == 1
    assert out == b""
    return errors.decode().splitlines()


async def test_it_makes_what_it_needs_and_stops_cleanly(place: Installation) -> None:
    async with place.serving() as server:
        assert (place.folder / "var/undersigned.db").stat().st_mode & 0o077 == 0
        assert (place.folder / "var/secret.key").stat().st_mode & 0o077 == 0
        server.send_signal(signal.SIGTERM)
        assert await server.wait() in (0, -signal.SIGTERM)


async def test_a_port_in_use_is_one_sentence(place: Installation) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", place.port))
        taken.listen()
        (line,) = await failing(place, "serve", "--port", str(place.port))
    assert str(place.port) in line
    assert "--port" in line


async def test_wrong_settings_are_named_at_once(place: Installation) -> None:
    lines = await failing(
        place,
        "serve",
        UNDERSIGNED_RATE_LIMIT="often",
        UNDERSIGNED_PROOF_OF_WORK="perhaps",
        UNDERSIGNED_PUBLIC_URL="x",
    )
    assert [line.partition(":")[0] for line in lines] == [
        "UNDERSIGNED_PUBLIC_URL", "UNDERSIGNED_PROOF_OF_WORK", "UNDERSIGNED_RATE_LIMIT",
    ]  # fmt: skip


async def test_a_database_out_of_reach_is_one_sentence(place: Installation) -> None:
    url = "postgresql://nobody@127.0.0.1:1/nothing"
    (line,) = await failing(place, "letter", "list", UNDERSIGNED_DATABASE_URL=url)
    assert "UNDERSIGNED_DATABASE_URL" in line


async def test_the_database_is_brought_to_this_version(place: Installation) -> None:
    assert await place.json("migrate") == {"version": HEAD}
    assert await place.command("migrate") == "The database is at this version.\n"


async def test_the_rate_limit_holds_and_says_how_long(place: Installation, letter_folder: Path) -> None:
    await place.command("letter", "load", str(letter_folder))
    await place.command("letter", "open", "letter")
    token = (await place.json("partner", "show", "letter", "house"))["token"]
    async with place.serving(), httpx.AsyncClient(base_url=place.url) as client:

        def form(number: int) -> dict[str, str]:
            return {
                "token": token, "kind": "individual", "name": "Zoë", "email": f"z{number}@example.org", "country": "CA",
            }  # fmt: skip

        answers = [await client.post("/v1/signatures", data=form(number)) for number in range(3)]
        assert [answer.status_code for answer in answers] == [201, 201, 429]
        assert answers[2].json()["code"] == "too_many"
        assert 1 <= int(answers[2].headers["retry-after"]) <= 120
        wrong = await client.post("/v1/signatures", data=form(9) | {"email": "nope"})
        assert wrong.status_code == 422  # what would not be stored is not counted against anybody
