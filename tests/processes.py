"""The product as its users run it: the console script, and the server as a process that can be killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

CONSOLE_SCRIPT = str(Path(sys.executable).with_name("undersigned"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Installation:
    """A working directory and the settings of everything that runs in it."""

    folder: Path
    environment: Mapping[str, str]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def command(self, *words: str) -> str:
        """What a command prints. Fails the test when it fails."""
        process = await asyncio.create_subprocess_exec(
            CONSOLE_SCRIPT, *words, cwd=self.folder, env=dict(self.environment),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, errors = await process.communicate()
        assert process.returncode == 0, f"undersigned {' '.join(words)}: {errors.decode()}"
        return out.decode()

    async def json(self, *words: str) -> Any:
        return json.loads(await self.command(*words, "--json"))

    @asynccontextmanager
    async def serving(self, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """The server as a process of its own, from the moment it answers; killed at the end if it still runs."""
        process = await asyncio.create_subprocess_exec(
            CONSOLE_SCRIPT, "serve", "--port", str(self.port), *words, cwd=self.folder, env=dict(self.environment),
            start_new_session=True,
        )  # fmt: skip
        try:
            await self.until_ready(process)
            yield process
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    async def until_ready(self, process: asyncio.subprocess.Process) -> None:
        transport = httpx.AsyncHTTPTransport(retries=0)
        async with asyncio.timeout(30), httpx.AsyncClient(base_url=self.url, transport=transport) as client:
            while True:
                assert process.returncode is None, "the server ended before it answered"
                try:
                    if (await client.get("/readyz")).status_code == 200:
                        return
                except httpx.TransportError:
                    await asyncio.sleep(0.02)  # it does not listen yet; there is nothing else to wait for


def installation(folder: Path, database_url: str, **settings: str) -> Installation:
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "UNDERSIGNED_DATABASE_URL": database_url,
        "UNDERSIGNED_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "UNDERSIGNED_EGRESS_ALLOW": "127.0.0.0/8",
        "UNDERSIGNED_RATE_LIMIT": "off",
    } | {f"UNDERSIGNED_{name.upper()}": value for name, value in settings.items()}
    return Installation(folder, environment, port)
