"""How long from a signature's commit to its webhook's arrival, at a steady rate, all in one process."""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from ipaddress import ip_network

from benchmarks.deliver import ask
from benchmarks.letter import KEY, make_letter, signature
from benchmarks.machine import free_port, server
from widget_server.domain.tokens import Seals
from widget_server.domain.vault import Vault
from widget_server.flows.destinations import Office, Wanted
from widget_server.flows.directory import Directory
from widget_server.i18n import Texts
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.outbox.registry import Registry
from widget_server.store.db import Db
from widget_server.store.ingest import Ingest

A_SECOND = 500
SECONDS = 6
BATCH = 5


def now() -> datetime:
    return datetime.now(UTC)


async def measure(url: str, sink: int) -> list[float]:
    """Seconds from commit to arrival, of each signature."""
    db, seals, vault, kinds = Db(url), Seals([KEY]), Vault([KEY]), Registry()
    await db.connect()
    directory = Directory(db, seals)
    letter = await directory.letter("letter")
    assert letter is not None
    house = await directory.house(letter)

    async def any_url(url: str, hosts: frozenset[str] | None) -> list[object]:
        return []

    office = Office(db, directory, vault, kinds, any_url, now, "bench")  # type: ignore[arg-type]
    await office.add(letter, None, Wanted("webhook", f"http://127.0.0.1:{sink}/", {}, ("signature.confirmed",)))
    dispatcher = Dispatcher(
        db=db,
        directory=directory,
        vault=vault,
        registry=kinds,
        texts=Texts(),
        public_url="http://letters.example.org",
        egress_allow=[ip_network("127.0.0.0/8")],
        now=now,
    )
    ingest = Ingest(db)
    ingest.on_commit = dispatcher.wake
    await ingest.start()
    running = asyncio.create_task(dispatcher.run())
    committed: dict[str, float] = {}

    async def sign(number: int) -> None:
        row = signature(letter.id, house.id, number, now())
        await ingest.add(row)
        committed[row.id] = time.monotonic()

    signing, began = [], time.monotonic()
    for number in range(0, A_SECOND * SECONDS, BATCH):
        signing += [asyncio.create_task(sign(number + more)) for more in range(BATCH)]
        await asyncio.sleep(max(began + (number + BATCH) / A_SECOND - time.monotonic(), 0))
    await asyncio.gather(*signing)
    while (told := await asyncio.to_thread(ask, sink))["received"] < len(committed):
        await asyncio.sleep(0.1)
    running.cancel()
    await asyncio.wait([running])
    await ingest.stop()
    await db.disconnect()
    return [told["arrived"][id_] - at for id_, at in committed.items()]


def main() -> None:
    sink = free_port()
    receiver = server([sys.executable, "-m", "benchmarks.sink", str(sink)], sink, {}, "/")
    with receiver, tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.db"
        make_letter(url)
        ask(sink, "DELETE")
        took = sorted(asyncio.run(measure(url, sink)))
    print(
        f"latency: {A_SECOND} signatures a second for {SECONDS} s, from commit to arrival:"
        f" p50 {statistics.median(took) * 1000:.0f} ms, p99 {took[int(len(took) * 0.99)] * 1000:.0f} ms"
    )


if __name__ == "__main__":
    main()
