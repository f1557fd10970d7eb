"""A load from another process: keep-alive connections, one request after another on each.

Run by `benchmarks.sign` as `python -m benchmarks.load HOST PORT CONNECTIONS` with the requests on standard input, each
preceded by its length; prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
from collections import Counter


class Connection(asyncio.Protocol):
    """Sends the next request as soon as the answer to the last is whole. Answers must have a Content-Length."""

    def __init__(self, requests: list[bytes], seconds: list[float], statuses: Counter[int]) -> None:
        self.requests, self.seconds, self.statuses = requests, seconds, statuses
        self.done = asyncio.get_running_loop().create_future()
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.next()

    def next(self) -> None:
        if not self.requests:
            self.transport.close()
            self.done.set_result(None)
            return
        self.started = time.perf_counter()
        self.transport.write(self.requests.pop())  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, body = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        start = head.lower().index(b"content-length:") + 15
        if len(body) < int(head[start:].split(b"\r\n", 1)[0]):
            return
        self.seconds.append(time.perf_counter() - self.started)
        self.statuses[int(head[9:12])] += 1
        self.buffer = b""
        self.next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("the server hung up"))


async def run(host: str, port: int, connections: int, requests: list[bytes]) -> dict[str, object]:
    seconds: list[float] = []
    statuses: Counter[int] = Counter()
    loop = asyncio.get_running_loop()
    total = len(requests)
    started = time.perf_counter()
    made = await asyncio.gather(
        *(
            loop.create_connection(lambda: Connection(requests, seconds, statuses), host, port)
            for _ in range(connections)
        )
    )
    await asyncio.gather(*(protocol.done for _, protocol in made))
    took = time.perf_counter() - started
    seconds.sort()
    return {
        "per_second": total / took,
        "p50_ms": seconds[total // 2] * 1000,
        "p99_ms": seconds[int(total * 0.99)] * 1000,
        "statuses": dict(statuses),
    }


def main() -> None:
    try:
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    except ImportError:
        pass
    host, port, connections = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    raw, requests, at = sys.stdin.buffer.read(), [], 0
    while at < len(raw):
        (length,) = struct.unpack_from(">I", raw, at)
        requests.append(raw[at + 4 : at + 4 + length])
        at += 4 + length
    print(json.dumps(asyncio.run(run(host, port, connections, requests))))


if __name__ == "__main__":
    main()
