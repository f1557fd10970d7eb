"""Whether time tells a second signature, or one that is set aside, from a first: through the real route, where the
letter confirms by mail, one request after another over one connection, the kinds taking turns, so that whatever else
the machine does meets all of them alike."""

from __future__ import annotations

import asyncio
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.letter import KEY, make_letter, signature
from benchmarks.machine import free_port, server
from benchmarks.sign import fields, sign_request
from widget_server.domain.signers import address_hash, signer_hash
from widget_server.domain.tokens import Seals
from widget_server.flows.directory import Directory
from widget_server.store.db import Db
from widget_server.store.ingest import Ingest

REQUESTS = 3_000
UNMEASURED = 50
KINDS = ("first", "second", "set aside")


def address(number: int) -> str:
    return f"signer.{number}@example.org"


async def sign_before(url: str) -> None:
    """Those who will sign a second time have signed, and count."""
    db = Db(url)
    await db.connect()
    directory = Directory(db, Seals([KEY]))
    letter = await directory.letter("letter")
    assert letter is not None
    house, now = await directory.house(letter), datetime.now(UTC)
    ingest = Ingest(db)
    await ingest.start()
    rows = [
        signature(letter.id, house.id, number, now)._replace(
            email=address(number),
            signer_hash=signer_hash(letter.signer_key, "individual", address(number), None),
            address_hash=address_hash(letter.signer_key, address(number)),
        )
        for number in range(REQUESTS)
    ]
    await asyncio.gather(*map(ingest.add, rows))
    await ingest.stop()
    await db.disconnect()


def request(kind: str, number: int, token: str, shown: str) -> bytes:
    sent = fields(number, token, shown)
    if kind == "second":
        sent["email"] = address(number)
    elif kind == "set aside":
        sent["email"] = sent["email"].replace("@example.org", "@mailinator.com")
    return sign_request(sent)


def exchange(connection: socket.socket, sent: bytes) -> float:
    """Seconds until the answer is whole."""
    began, told = time.perf_counter(), b""
    connection.sendall(sent)
    while not _whole(told):
        told += connection.recv(65536)
    took = time.perf_counter() - began
    if not told.startswith(b"HTTP/1.1 201"):
        raise RuntimeError(f"unexpected answer {told[:40]!r}")
    return took


def _whole(told: bytes) -> bool:
    head, separator, body = told.partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
    return bool(separator) and len(body) >= int(length)


def measure(port: int, token: str, shown: str) -> Iterator[tuple[str, float]]:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for number in range(REQUESTS):
            for place in range(len(KINDS)):
                kind = KINDS[(place + number) % len(KINDS)]
                took = exchange(connection, request(kind, number, token, shown))
                if number >= UNMEASURED:
                    yield kind, took


def main() -> None:
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.db"
        token, shown = make_letter(url, confirmation="email")
        asyncio.run(sign_before(url))
        environment = {
            "UNDERSIGNED_DATABASE_URL": url, "UNDERSIGNED_SECRET_KEYS": KEY,
            "UNDERSIGNED_TRUSTED_PROXIES": "127.0.0.0/8", "UNDERSIGNED_PROOF_OF_WORK": "off",
        }  # fmt: skip
        port = free_port()
        command = [str(Path(sys.executable).with_name("undersigned")), "serve", "--no-dispatch", "--port", str(port)]
        with server(command, port, environment, "/healthz") as served:
            for kind, took in measure(served.port, token, shown):
                found[kind].append(took)
    first = _percentiles(found["first"])
    for kind in KINDS:
        (p50, p99), (base50, base99) = _percentiles(found[kind]), first
        print(
            f"answering a {kind} signature: p50 {p50:.2f} ms, ratio {p50 / base50:.2f}"
            f" · p99 {p99:.1f} ms, ratio {p99 / base99:.2f} ({len(found[kind]):,} of each, in turn)"
        )


def _percentiles(took: list[float]) -> tuple[float, float]:
    """p50 and p99, in milliseconds."""
    return statistics.median(took) * 1000, sorted(took)[int(len(took) * 0.99)] * 1000


if __name__ == "__main__":
    main()
