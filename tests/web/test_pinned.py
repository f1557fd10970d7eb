"""Pinned scripts: whatever a server once gave out under a hash is answered byte for byte, whoever is asked and
whatever version runs by then."""

from __future__ import annotations

import gzip
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from hashlib import sha384
from pathlib import Path

import brotli
import httpx
import pytest

from tests.conftest import KEY, free_socket, served
from widget_server.app import create_app
from widget_server.settings import Settings
from widget_server.web import challenge, scripts, widget_file
from widget_server.web.styles import static_folder


@asynccontextmanager
async def running(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A server of its own on the test's database. Its public address is the same every time."""
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        database_url=database_url,
        secret_keys=(KEY,),
        public_url="https://letters.example",
    )
    async with (
        served(create_app(settings, dispatch=False), free_socket()) as url,
        httpx.AsyncClient(base_url=url) as client,
    ):
        yield client


@pytest.fixture
def another_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The next version's `static/`, in which every script has changed."""
    for file in static_folder().iterdir():
        text = file.read_text("utf-8")
        if file.suffix == ".js":
            text = f"globalThis.next = 1;\n{text}"
        (tmp_path / file.name).write_text(text, "utf-8")
    for module in (scripts, widget_file):
        monkeypatch.setattr(module, "static_folder", lambda: tmp_path)
    challenge.solver.cache_clear()


@pytest.fixture(autouse=True)
def _solver_of_this_version() -> Iterator[None]:
    yield
    challenge.solver.cache_clear()


async def paths(client: httpx.AsyncClient) -> dict[str, str]:
    """The pinned address of each script that this server's version gives out."""
    library = (await client.get("/widget.js")).content
    more = re.search(rb"more\.[0-9a-f]{16}\.js", library)
    assert more is not None
    return {
        "widget": f"/widget.{scripts.file_hash(library)}.js",
        "more": f"/{more[0].decode()}",
        "pow": f"/{challenge.solver().path}",
    }


async def raw(client: httpx.AsyncClient, path: str, encoding: str) -> bytes:
    async with client.stream("GET", path, headers={"accept-encoding": encoding}) as answer:
        assert answer.status_code == 200, path
        return b"".join([part async for part in answer.aiter_raw()])


async def test_old_pins_hold_after_an_upgrade(database_url: str, request: pytest.FixtureRequest) -> None:
    async with running(database_url) as old:
        before = await paths(old)
        bodies = {path: (await old.get(path)).content for path in before.values()}
    request.getfixturevalue("another_version")
    async with running(database_url) as new:
        after = await paths(new)
        assert not set(after.values()) & set(before.values()), "the next version's scripts are others"
        for path, body in bodies.items():
            found = await new.get(path)
            assert found.content == body
            assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert brotli.decompress(await raw(new, path, "br")) == body
            assert gzip.decompress(await raw(new, path, "gzip")) == body
            etag = found.headers["etag"]
            assert (await new.get(path, headers={"if-none-match": etag})).status_code == 304


async def test_servers_of_two_versions_side_by_side_know_each_others(
    database_url: str, request: pytest.FixtureRequest
) -> None:
    async with running(database_url) as old:
        before = await paths(old)
        request.getfixturevalue("another_version")
        async with running(database_url) as new:
            for path in (await paths(new)).values():
                assert (await old.get(path)).content == (await new.get(path)).content
            for path in before.values():
                assert (await old.get(path)).content == (await new.get(path)).content


async def test_a_second_start_keeps_nothing_twice(database_url: str) -> None:
    async with running(database_url), running(database_url) as second:
        assert (await second.get((await paths(second))["widget"])).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/widget.0123456789abcdef.js", "/pow.0123456789abcdef.js", "/widget.%00.js", "/other.0123456789abcdef.js",
     "/widget.0123456789ABCDEF.js", "/widget..js", "/%F0%9F%92%A3.0123456789abcdef.js"],
)  # fmt: skip
async def test_what_nobody_gave_out_is_not_there(database_url: str, path: str) -> None:
    async with running(database_url) as client:
        assert (await client.get(path)).status_code == 404


async def test_integrity_is_that_of_the_bytes_and_readable_across_origins(database_url: str) -> None:
    async with running(database_url) as client:
        found = await client.get((await paths(client))["widget"])
    wanted = f"sha384-{b64encode(sha384(found.content).digest()).decode()}"
    assert scripts.Script.of("widget", found.content).integrity == wanted
    for name, value in {
        "access-control-allow-origin": "*",
        "cross-origin-resource-policy": "cross-origin",
        "timing-allow-origin": "*",
        "x-content-type-options": "nosniff",
        "content-type": "text/javascript; charset=utf-8",
    }.items():
        assert found.headers[name] == value
