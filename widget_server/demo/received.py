"""What the inbox has received: in memory for the page, and in a file so that a restart shows it again.

One thing must stay true: a message is in the file before anybody is told of it.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

KEPT = 200
"""How many messages are shown; older ones leave the file at the next start."""


@dataclass(frozen=True, slots=True)
class Message:
    """One request that the server sent. `verified` is None where the kind is not signed."""

    number: int
    kind: str
    received_at: str
    headers: Mapping[str, str]
    body: str
    verified: bool | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Received:
    """The messages, newest last. `file` holds one JSON object a line."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._messages: deque[Message] = deque(self._read(), maxlen=KEPT)
        self._news = asyncio.Condition()
        self._closed = False
        lines = [json.dumps(message.as_json(), ensure_ascii=False) for message in self._messages]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{line}\n" for line in lines), "utf-8")

    def _read(self) -> list[Message]:
        if not self._file.exists():
            return []
        found = []
        for line in self._file.read_text("utf-8").splitlines():
            try:
                found.append(Message(**json.loads(line)))
            except (ValueError, TypeError):
                continue  # the last line of a demo that was killed while writing
        return found

    def since(self, number: int) -> list[Message]:
        """Every message kept whose number is above `number`, oldest first."""
        return [message for message in self._messages if message.number > number]

    async def add(
        self, kind: str, received_at: str, headers: Mapping[str, str], body: str, verified: bool | None
    ) -> Message:
        """Keeps a message and tells every `follow`."""
        number = self._messages[-1].number + 1 if self._messages else 1
        message = Message(number, kind, received_at, dict(headers), body, verified)
        self._messages.append(message)
        with self._file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(message.as_json(), ensure_ascii=False) + "\n")
        async with self._news:
            self._news.notify_all()
        return message

    async def follow(self, number: int) -> AsyncIterator[Message]:
        """Every message after `number`, those to come included, until `close`."""
        while True:
            for message in self.since(number):
                number = message.number
                yield message
            async with self._news:
                while not (self._closed or self.since(number)):
                    await self._news.wait()
            if self._closed:
                return

    async def close(self) -> None:
        """Ends every `follow`: an open page would otherwise hold the server back from stopping."""
        self._closed = True
        async with self._news:
            self._news.notify_all()
