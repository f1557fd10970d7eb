"""A door in front of a target on loopback, which lets requests through or is as ill as it is told to be.

One thing must stay true: what a door does not let through, its target never sees.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Literal

from aiohttp import web

from tests.integrations.targets.base import Target
from tests.integrations.targets.room import Room

Mood = Literal["well", "slow", "throttled", "nonsense", "refusing", "failing", "hanging"]
SLOW_SECONDS = 0.1
RETRY_AFTER_SECONDS = 3
PAGE = "<!doctype html><title>Welcome</title><p>Please sign in to the café's network."


class Door:
    """`knocks`: how many requests came. `impatient`: how many of them came sooner than a throttled door had asked for.
    A throttled one lets `bears` through and then none for `RETRY_AFTER_SECONDS`."""

    def __init__(self, target: Target | Room, mood: Mood, now: Callable[[], datetime], bears: int = 4) -> None:
        self.target = target
        self.mood: Mood = mood
        self.knocks = 0
        self.throttled = 0
        self.impatient = 0
        self._now = now
        self._bears = bears
        self._let_in = 0
        self._shut_until: datetime | None = None
        self._healed = asyncio.Event()
        self._socket = socket.socket()
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return self.target.url

    async def open(self) -> None:
        """Takes a port; one that refuses does not listen there."""
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        if isinstance(self.target, Room):
            self.target.port = self.port
        else:
            self.target.url = f"http://127.0.0.1:{self.port}"
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        if self.mood != "refusing":
            await web.SockSite(self._runner, self._socket).start()

    async def heal(self) -> None:
        """From now on everything is let through."""
        was, self.mood = self.mood, "well"
        self._healed.set()
        if was == "refusing":
            assert self._runner is not None
            await web.SockSite(self._runner, self._socket).start()

    async def close(self) -> None:
        self._healed.set()
        if self._runner is not None:
            await self._runner.cleanup()
        self._socket.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.knocks += 1
        match self.mood:
            case "failing":
                return web.Response(status=500, text="Internal Server Error")
            case "nonsense":
                return web.Response(text=PAGE, content_type="text/html")
            case "hanging":
                await self._healed.wait()
                return web.Response(status=503)  # to nobody: whoever asked has gone long since
            case "slow":
                await asyncio.sleep(SLOW_SECONDS)
            case "throttled" if self._is_too_much():
                self.throttled += 1
                return web.Response(status=429, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
        if isinstance(self.target, Room):
            return await self.target._handle(request)
        return await self.target.handle(request)

    def _is_too_much(self) -> bool:
        now = self._now()
        if self._shut_until is not None and now < self._shut_until:
            self.impatient += 1
            return True
        if self._let_in >= self._bears:
            self._let_in = 0
            self._shut_until = now + timedelta(seconds=RETRY_AFTER_SECONDS)
            return True
        self._let_in += 1
        return False


@asynccontextmanager
async def behind_doors(doors: list[Door]) -> AsyncIterator[None]:
    """All of them, open."""
    try:
        for door in doors:
            await door.open()
        yield
    finally:
        await asyncio.gather(*(door.close() for door in doors))
