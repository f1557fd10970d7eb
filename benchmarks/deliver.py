"""Deliveries a second, durable, signed and with attempt rows, against a bare loop of the same client."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import urllib.request
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from benchmarks.letter import KEY, make_letter, sign_many
from benchmarks.machine import free_port, run_command, server
from widget_server.outbox.egress import Egress

NUMBER = 2000
IN_FLIGHT = 4
ROUNDS = 3


def ask(port: int, method: str = "GET") -> dict[str, Any]:
    with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/", method=method)) as answer:
        return json.loads(answer.read())  # type: ignore[no-any-return]


async def bare_loop(port: int, body: bytes) -> float:
    """Posts the same number of bodies as large, as many at once, with the guarded client and nothing else."""
    allowed = [ip_network("127.0.0.0/8")]
    egress = Egress(allowed=allowed, public_url="http://letters.example.org", user_agent="bench")
    client, left = egress.client(), iter(range(NUMBER))

    async def worker() -> None:
        for _ in left:
            await client.post(f"http://127.0.0.1:{port}/", content=body, headers={"content-type": "application/json"})

    ask(port, "DELETE")
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    await egress.aclose()
    return NUMBER / float(ask(port)["seconds"])


async def drained(port: int, wanted: int) -> float:
    while (told := ask(port))["received"] < wanted:
        await asyncio.sleep(0.05)
    return wanted / float(told["seconds"])


def main() -> None:
    sink = free_port()
    rates, bare = [], []
    with server([sys.executable, "-m", "benchmarks.sink", str(sink)], sink, {}, "/"):
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as folder:
                url = f"sqlite:///{folder}/bench.db"
                environment = {
                    "UNDERSIGNED_DATABASE_URL": url, "UNDERSIGNED_SECRET_KEYS": KEY,
                    "UNDERSIGNED_EGRESS_ALLOW": "127.0.0.0/8",
                }  # fmt: skip
                make_letter(url)
                run_command(
                    environment,
                    "destination",
                    "add",
                    "letter",
                    "webhook",
                    "--url",
                    f"http://127.0.0.1:{sink}/",
                )
                asyncio.run(sign_many(url, NUMBER // 2, datetime.now(UTC)))
                ask(sink, "DELETE")
                console_script = str(Path(sys.executable).with_name("undersigned"))
                with server([console_script, "dispatch"], None, environment, ""):
                    rates.append(asyncio.run(drained(sink, NUMBER)))
            bare.append(asyncio.run(bare_loop(sink, b"x" * 900)))
    ratios = [rate / floor for rate, floor in zip(rates, bare, strict=True)]
    print(
        f"deliveries: {statistics.median(rates):,.0f}/s to one destination · bare loop of the same client:"
        f" {statistics.median(bare):,.0f}/s · ratio {statistics.median(ratios):.2f}"
        f" (rounds {', '.join(f'{ratio:.2f}' for ratio in ratios)}; {IN_FLIGHT} at once, {NUMBER:,} deliveries a round)"
    )


if __name__ == "__main__":
    main()
