"""What every target on loopback can do: answer, keep what it was asked, fail when it is told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote

from aiohttp import web


@dataclass(frozen=True)
class Asked:
    """One request as it came. `json` is None where the body is none."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    raw_query: str = ""

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None

    @property
    def form(self) -> Mapping[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


@dataclass
class Answer:
    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        if self.body is None:
            return b""
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


class Target:
    """`asked`: every request, in order. `answers`: given instead of its own, one after another, to whatever matches.
    `losing`: so many requests are carried out and never answered. `more`: options of the
    destination beside its own."""

    kind = ""
    url = ""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: list[tuple[str, Answer]] = []
        self.losing: list[str] = []
        self.closing: list[str] = []
        self.credentials_good = True
        self.more: dict[str, str] = {}
        self.lost = asyncio.Event()
        self._ending = asyncio.Event()

    # What a test of any kind may ask.

    def options(self) -> dict[str, str]:
        """Of a destination that sends here."""
        raise NotImplementedError

    def mailable(self) -> list[str]:
        """The addresses that may be written to."""
        raise NotImplementedError

    def records(self) -> list[str]:
        """One address for each record of a signature (or of a person, where there are no others)."""
        raise NotImplementedError

    def refuse_next(self, where: str, answer: Answer, times: int = 1) -> None:
        """The next requests whose method and path contain `where` are answered so, and not carried out."""
        self.answers += [(where, answer)] * times

    def lose_answer(self, where: str) -> None:
        """The next request whose method and path contain `where` is carried out, and no answer comes."""
        self.losing.append(where)

    def close_after(self, where: str) -> None:
        """As `lose_answer`, and the connection is closed at once."""
        self.closing.append(where)

    def all_sent(self) -> str:
        """Everything that was sent, as one text."""
        return "\n".join(
            f"{one.method} {one.path} {dict(one.query)} {unquote(one.body.decode())}" for one in self.asked
        )

    # What a target says.

    def answer(self, asked: Asked) -> Answer:
        raise NotImplementedError

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Asked(
            request.method,
            request.path,
            dict(request.query),
            headers,
            await request.read(),
            request.rel_url.raw_query_string,
        )
        self.asked.append(asked)
        line = f"{asked.method} {asked.path}"
        for number, (where, answer) in enumerate(self.answers):
            if where in line:
                del self.answers[number]
                return _told(answer)
        given = self.answer(asked)
        if _taken(self.losing, line):
            self.lost.set()
            await self._ending.wait()
        if _taken(self.closing, line):
            assert request.transport is not None
            request.transport.abort()
        return _told(given)


def _taken(waiting: list[str], line: str) -> bool:
    for number, where in enumerate(waiting):
        if where in line:
            del waiting[number]
            return True
    return False


def _told(answer: Answer) -> web.Response:
    headers = {"content-type": "application/json", **answer.headers}
    return web.Response(status=answer.status, headers=headers, body=answer.content)


T = TypeVar("T", bound=Target)


@asynccontextmanager
async def running(target: T) -> AsyncIterator[T]:
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", target.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    target.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield target
    finally:
        target._ending.set()
        await runner.cleanup()
