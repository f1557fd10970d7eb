"""A receiver that answers 204 to everything and knows how many came, between which moments, and when each signature."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import ClassVar


class Sink(asyncio.Protocol):
    received = 0
    first = last = 0.0
    arrived: ClassVar[dict[str, float]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while True:
            head, separator, rest = self.buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            lowered = head.lower()
            length = 0
            if b"content-length:" in lowered:
                length = int(lowered.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
            if len(rest) < length:
                return
            self.buffer = rest[length:]
            self.answer(head, rest[:length])

    def answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"POST"):
            _, found, rest = body.partition(b'"data":{"id":"')
            if found:
                Sink.arrived.setdefault(rest[:36].decode(), time.monotonic())
            Sink.last = time.perf_counter()
            Sink.first = Sink.first or Sink.last
            Sink.received += 1
            self.transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")  # type: ignore[attr-defined]
            return
        told = json.dumps(
            {"received": Sink.received, "seconds": Sink.last - Sink.first, "arrived": Sink.arrived}
        ).encode()
        if head.startswith(b"DELETE"):
            Sink.received, Sink.first, Sink.last = 0, 0.0, 0.0
            Sink.arrived.clear()
        self.transport.write(  # type: ignore[attr-defined]
            b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (len(told), told)
        )
        self.transport.close()


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
