"""What every chat server of the tests is: a room that shows what was posted, and can misbehave when told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from aiohttp import web


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Says:
    """An answer. `json`: what its body is made of, where it is JSON."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None


class Room:
    """`shown`: what people in the room read, oldest first; `alerts`: whom it called. `asked`: every request.

    `state`: how it is with the webhook, in the words of each target; `broken`: so many requests are answered 503;
    `silent`: to so many it shows the message and gives no answer.
    """

    path: str

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.shown: list[Any] = []
        self.alerts: list[str] = []
        self.asked: list[Asked] = []
        self.state = "ok"
        self.broken = 0
        self.silent = 0
        self.port = 0
        self._times: list[datetime] = []
        self._ending = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    def answer(self, asked: Asked) -> Says:
        raise NotImplementedError

    def too_many(self, number: int, seconds: float) -> float | None:
        """Whether more than `number` requests came in `seconds`: then how long until one is let through again."""
        now = self.now()
        self._times = [at for at in self._times if (now - at).total_seconds() < seconds]
        if len(self._times) >= number:
            return seconds - (now - self._times[0]).total_seconds()
        self._times.append(now)
        return None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        asked = Asked(
            request.method,
            request.path,
            dict(request.query),
            {name.lower(): value for name, value in request.headers.items()},
            await request.read(),
        )
        self.asked.append(asked)
        if self.broken:
            self.broken -= 1
            return web.Response(status=503, body=b"down")
        says = self.answer(asked)
        if self.silent:
            self.silent -= 1
            await self._ending.wait()
        body = says.body if says.json is None else json.dumps(says.json).encode()
        return web.Response(status=says.status, headers=dict(says.headers), body=body)


R = TypeVar("R", bound=Room)


@asynccontextmanager
async def open_room(room: R) -> AsyncIterator[R]:
    app = web.Application(client_max_size=10_000_000)
    app.router.add_route("*", "/{path:.*}", room._handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    room.port = runner.addresses[0][1]
    try:
        yield room
    finally:
        room._ending.set()
        await runner.cleanup()


def read_json(asked: Asked) -> Any:
    """The body as JSON, or None where it is none."""
    try:
        return json.loads(asked.body)
    except ValueError:
        return None
