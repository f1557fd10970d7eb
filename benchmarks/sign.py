"""Signatures a second through the real route, every check on, against a Starlette handler that only echoes JSON."""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
import uuid
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.letter import KEY, make_letter
from benchmarks.machine import Served, free_port, load, server

CONNECTIONS = 64
REQUESTS = 64 * 200
ROUNDS = 3

FIRST = ["Élise", "Zoë", "Jean-François", "Amina", "Marie", "John", "Nguyễn", "Sam", "Ødegård", "Priya"]
LAST = [
    "Gagné-Tremblay",
    "O’Neill",
    "Smith",
    "Bouchard",
    "Côté",
    "Singh",
    "MacDonald",
    "Lévesque",
    "Roy",
    "Ali",
]


def fields(number: int, token: str, shown: str) -> dict[str, str]:
    """What the widget sends, from somebody new."""
    name = f"{random.choice(FIRST)} {random.choice(LAST)}"
    return {
        "token": token, "id": str(uuid.uuid4()), "kind": "individual", "name": name, "role": "",
        "email": f"person.{number}.{random.randrange(10**9)}@example.org", "country": "CA", "locale": "fr",
        "source": "newsletter-june", "page": "http://localhost:8001/campaigns/letter", "shown": shown,
        "elapsed": str(random.randrange(5000, 90000)), "hp_contact_2": "",
    }  # fmt: skip


def sign_request(sent: dict[str, str]) -> bytes:
    """From a client of its own, behind a trusted proxy, so that the rate limit counts and lets through."""
    body = urlencode(sent).encode()
    client = ".".join(str(random.randrange(1, 255)) for _ in range(4))
    return (
        "POST /v1/signatures HTTP/1.1\r\nhost: localhost\r\norigin: http://localhost:8001\r\n"
        f"x-forwarded-for: {client}\r\naccept: */*\r\naccept-language: fr-CA,fr;q=0.9\r\n"
        f"content-type: application/x-www-form-urlencoded;charset=UTF-8\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body


def echo_request(sent: dict[str, str]) -> bytes:
    """The same fields as JSON, with the same headers."""
    body = json.dumps(sent, ensure_ascii=False).encode()
    return (
        "POST /echo HTTP/1.1\r\nhost: localhost\r\norigin: http://localhost:8001\r\n"
        "accept: */*\r\naccept-language: fr-CA,fr;q=0.9\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body


def measure(name: str, served: Served, requests: list[bytes], expected: str) -> tuple[float, float]:
    found = load(served.port, CONNECTIONS, requests)
    if set(found["statuses"]) != {expected}:
        raise RuntimeError(f"{name}: unexpected answers {found['statuses']}")
    return found["per_second"], found["p99_ms"]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.db"
        token, shown = make_letter(url)
        environment = {
            "UNDERSIGNED_DATABASE_URL": url, "UNDERSIGNED_SECRET_KEYS": KEY,
            "UNDERSIGNED_TRUSTED_PROXIES": "127.0.0.0/8",
        }  # fmt: skip
        port, echo_port = free_port(), free_port()
        command = [str(Path(sys.executable).with_name("undersigned")), "serve", "--port", str(port)]
        ratios, signed, echoed, p99s, echo_p99s = [], [], [], [], []
        with (
            server([sys.executable, "-m", "benchmarks.echo", str(echo_port)], echo_port, {}, "/") as echo,
            server(command, port, environment, "/healthz") as served,
        ):
            print(
                f"time to first answer: {served.first_answer_seconds:.2f} s"
                f" (Starlette alone {echo.first_answer_seconds:.2f} s)"
            )
            print(f"memory at idle: {served.resident_mib():.0f} MiB (Starlette alone {echo.resident_mib():.0f} MiB)")
            for round_ in range(ROUNDS):
                sent = [fields(round_ * REQUESTS + number, token, shown) for number in range(REQUESTS)]
                echo_rate, echo_p99 = measure("echo", echo, [echo_request(one) for one in sent], "200")
                rate, p99 = measure("sign", served, [sign_request(one) for one in sent], "201")
                ratios.append(rate / echo_rate)
                signed.append(rate)
                echoed.append(echo_rate)
                p99s.append(p99)
                echo_p99s.append(echo_p99)
            print(f"memory after {ROUNDS * REQUESTS:,} signatures: {served.resident_mib():.0f} MiB")
    print(
        f"signatures: {statistics.median(signed):,.0f}/s, p99 {statistics.median(p99s):.0f} ms"
        f" · echo: {statistics.median(echoed):,.0f}/s, p99 {statistics.median(echo_p99s):.0f} ms"
        f" · ratio {statistics.median(ratios):.2f} (rounds {', '.join(f'{ratio:.2f}' for ratio in ratios)};"
        f" {CONNECTIONS} connections, {REQUESTS:,} requests a round)"
    )


if __name__ == "__main__":
    main()
