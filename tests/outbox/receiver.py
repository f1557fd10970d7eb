"""A real HTTP server on loopback that answers as it is told, and keeps what it was sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Received:
    path: str
    headers: Mapping[str, str]
    body: bytes
    peer: tuple[str, int]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    hang: bool = False


Script = Callable[[Received], Answer]


class Receiver:
    """`answers` are given one after another; then `always`. `url` is its address with a path."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: list[Answer] = []
        self.always: Script = lambda _: Answer()
        self.port = 0
        self._arrived = asyncio.Condition()
        self._ending = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def wait_for(self, number: int, seconds: float = 10) -> list[Received]:
        """Until so many requests have arrived."""
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(lambda: len(self.received) >= number)
        return self.received

    def let_go(self) -> None:
        """Whatever hangs is answered now."""
        self._ending.set()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        peer = request.transport.get_extra_info("peername")[:2]
        one = Received(str(request.rel_url), dict(request.headers), await request.read(), peer)
        async with self._arrived:
            self.received.append(one)
            self._arrived.notify_all()
        answer = self.answers.pop(0) if self.answers else self.always(one)
        if answer.hang:
            await self._ending.wait()
        return web.Response(status=answer.status, headers=dict(answer.headers), body=answer.body)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver._handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.port = runner.addresses[0][1]
    try:
        yield receiver
    finally:
        receiver._ending.set()
        await runner.cleanup()
