"""`undersigned demo` as a newcomer meets it: one process, four addresses, a signature that arrives."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

SECONDS = 60


def free_ports() -> int:
    """The first of three ports in a row that nobody uses."""
    for port in range(24_000 + os.getpid() % 1000 * 7, 60_000, 11):
        taken = []
        try:
            for number in range(port, port + 3):
                taken.append(socket.create_server(("127.0.0.1", number)))
        except OSError:
            continue
        finally:
            for one in taken:
                one.close()
        return port
    raise AssertionError("no three free ports in a row")


@dataclass
class Demo:
    """A running demo: what it printed, and where it is."""

    process: subprocess.Popen[str]
    folder: Path
    port: int
    said: str = ""

    def wait_until_it_runs(self) -> None:
        """Reads what it prints up to the last line of its greeting."""
        assert self.process.stdout is not None
        pipe = self.process.stdout.fileno()
        until = time.monotonic() + SECONDS
        while "Ctrl-C stops" not in self.said:
            ready, _, _ = select.select([pipe], [], [], max(0, until - time.monotonic()))
            said = os.read(pipe, 65_536).decode() if ready else ""
            if not said:
                self.process.kill()
                raise AssertionError(f"it did not come up: {self.said}{self.process.communicate()}")
            self.said += said

    def stop(self, number: signal.Signals) -> tuple[int, str]:
        """Exit status and what it said on standard error."""
        self.process.send_signal(number)
        said, problems = self.process.communicate(timeout=SECONDS)
        self.said += said
        return self.process.returncode, problems

    def command(self, *words: str) -> Any:
        """The JSON answer of the command line that the greeting names."""
        answer = subprocess.run(
            ["var/demo/undersigned", *words, "--json"],
            cwd=self.folder, capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)

    def arrived(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first message in the inbox that is `wanted`, as the open page hears of it."""
        until = time.monotonic() + SECONDS
        with httpx.stream("GET", f"http://127.0.0.1:{self.port + 2}/stream", timeout=SECONDS) as stream:
            for line in stream.iter_lines():
                if line.startswith("data: {"):
                    message: dict[str, Any] = json.loads(line.removeprefix("data: "))
                    if wanted(message):
                        return message
                assert time.monotonic() < until
        raise AssertionError("the stream ended")


def start(folder: Path, port: int, *options: str) -> Demo:
    # Whoever runs the tests may have a database in use: the demo must not see it.
    environment = {
        "UNDERSIGNED_DATABASE_URL": "sqlite:////nowhere/in-use.db",
        "UNDERSIGNED_RATE_LIMIT": "1/day",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "widget_server", "demo", "--port", str(port), *options],
        cwd=folder, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    return Demo(process, folder, port)


@contextmanager
def running(folder: Path) -> Iterator[Demo]:
    one = start(folder, free_ports())
    one.wait_until_it_runs()
    yield one
    if one.process.poll() is None:
        one.stop(signal.SIGTERM)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One for all tests that only look or sign."""
    with running(tmp_path_factory.mktemp("demo")) as one:
        yield one


@pytest.fixture
def own_demo(tmp_path: Path) -> Iterator[Demo]:
    """One to stop and to start again."""
    with running(tmp_path) as one:
        yield one


def sign(demo: Demo, page: str, **fields: str) -> httpx.Response:
    """Signs with the token in a partner's page, from that page's origin."""
    origin = f"http://localhost:{demo.port + 1}"
    token = re.search(r'data-undersigned="([^"]+)"', httpx.get(f"{origin}/{page}").text)
    assert token is not None
    form = {"token": token[1], "country": "CA", "page": f"{origin}/{page}", **fields}
    return httpx.post(f"http://127.0.0.1:{demo.port}/v1/signatures", data=form, headers={"origin": origin})


def confirm(demo: Demo, address: str) -> None:
    """Presses the button of the mail to `address`, as the inbox shows it."""
    mail = demo.arrived(lambda m: m["kind"] == "mail" and address in m["headers"]["to"])
    link = re.search(r"http://\S+/confirm/\S+", mail["body"])
    assert link is not None, mail["body"]
    assert httpx.get(link[0]).status_code == 200
    assert httpx.post(link[0]).status_code == 200


ODILE = {"kind": "individual", "name": "Odile Brière-Hébert", "email": "odile@example.org", "locale": "fr"}
BAKERY = {
    "kind": "organization", "organization": "Boulangerie <Le Levain> & fils", "authorized": "true",
    "email": "pain@example.org", "locale": "fr",
}  # fmt: skip


def test_every_address_that_it_prints_answers(demo: Demo) -> None:
    addresses = re.findall(r"http://\S+", demo.said)
    assert len(addresses) == 5
    for address in addresses:
        assert httpx.get(address).status_code == 200, address
    origins = {address.split("/")[2] for address in addresses}
    assert f"localhost:{demo.port + 1}" in origins
    assert f"127.0.0.1:{demo.port}" in origins


def test_the_pages_embed_the_snippet_as_partner_show_prints_it(demo: Demo) -> None:
    for page, language in (("northern-lights", "en"), ("accueil-boreal", "fr")):
        html = httpx.get(f"http://localhost:{demo.port + 1}/{page}").text
        shown = demo.command("partner", "show", "ask-here", page)
        assert shown["snippet"] in html
        assert f'<html lang="{language}' in html
        assert httpx.get(re.findall(r'<script async src="([^"]+)"', html)[0]).status_code == 200


def test_a_signature_arrives_as_sealed_webhook_and_as_slack_message(demo: Demo) -> None:
    assert sign(demo, "accueil-boreal", **ODILE).json()["status"] == "pending"
    confirm(demo, ODILE["email"])
    webhook = demo.arrived(lambda m: m["kind"] == "webhook" and "signature.confirmed" in m["body"])
    assert webhook["verified"] is True
    data = json.loads(webhook["body"])["data"]
    assert (data["name"], data["email"], data["partner"]["slug"]) == (ODILE["name"], None, "accueil-boreal")
    slack = demo.arrived(lambda m: m["kind"] == "slack" and "Odile" in m["body"])
    assert "odile@example.org" not in slack["body"]


def test_an_organization_is_listed_once_it_is_approved_by_the_printed_command(demo: Demo) -> None:
    def listed() -> list[str]:
        url = f"http://127.0.0.1:{demo.port}/v1/letters/ask-here/signatories?limit=100"
        return [one["organization"] for one in httpx.get(url).json()["signatories"] if one["organization"]]

    signed = sign(demo, "northern-lights", **BAKERY)
    assert signed.status_code == 201, signed.text
    confirm(demo, BAKERY["email"])
    assert BAKERY["organization"] not in listed()
    (waiting,) = demo.command("signatures", "list", "ask-here", "--listing", "awaiting_review")
    assert waiting["id"] == signed.json()["id"]
    demo.command("signatures", "approve", "ask-here", waiting["id"])
    until = time.monotonic() + SECONDS
    while BAKERY["organization"] not in listed():
        assert time.monotonic() < until, "a running server hears of it by itself"


def test_the_initiators_stand_first_and_names_are_as_they_were_written(demo: Demo) -> None:
    url = f"http://127.0.0.1:{demo.port}/v1/letters/ask-here/signatories?statement=ca&limit=100"
    names = [one["organization"] or one["name"] for one in httpx.get(url).json()["signatories"]]
    assert names[:3] == [
        "Forty-Ninth Parallel Welcome Network", "Accueil Boréal", "Northern Lights Refugee House",
    ]  # fmt: skip
    assert "Étienne D'Amours-O'Reilly" in names
    assert "Ateliers L'Escale, francisation et logement" in names


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_even_while_an_inbox_page_is_open(own_demo: Demo, number: signal.Signals) -> None:
    with httpx.stream("GET", f"http://127.0.0.1:{own_demo.port + 2}/stream", timeout=SECONDS):
        assert own_demo.stop(number) == (0, "")


def test_starting_again_keeps_what_was_signed_and_fresh_forgets_it(own_demo: Demo) -> None:
    def total(of: Demo) -> int:
        return int(httpx.get(f"http://127.0.0.1:{of.port}/v1/letters/ask-here").json()["counts"]["total"])

    before = total(own_demo)
    sign(own_demo, "accueil-boreal", **ODILE)
    confirm(own_demo, ODILE["email"])
    own_demo.arrived(lambda m: m["kind"] == "slack" and "Odile" in m["body"])
    own_demo.stop(signal.SIGINT)

    elsewhere = start(own_demo.folder, free_ports())
    elsewhere.wait_until_it_runs()
    assert total(elsewhere) == before + 1
    assert elsewhere.arrived(lambda m: "Odile" in m["body"]), "the inbox keeps what it has received"
    messages = httpx.get(f"http://127.0.0.1:{elsewhere.port + 2}/messages").json()
    files = [message["headers"]["file"] for message in messages if message["kind"] == "mail"]
    assert len(files) == len(set(files)), "and shows no mail twice"
    sign(elsewhere, "northern-lights", **{**ODILE, "name": "Ferdinand Achterberg", "email": "f@example.org"})
    assert elsewhere.arrived(lambda m: m["kind"] == "webhook" and "Ferdinand" in m["body"])["verified"], "on new ports"
    elsewhere.stop(signal.SIGINT)

    fresh = start(own_demo.folder, elsewhere.port, "--fresh")
    fresh.wait_until_it_runs()
    assert total(fresh) == before
    inbox = httpx.get(f"http://127.0.0.1:{fresh.port + 2}/messages").json()
    assert not any("Odile" in message["body"] for message in inbox)
    fresh.stop(signal.SIGINT)


def test_a_port_in_use_is_one_sentence_and_harms_nothing(demo: Demo) -> None:
    second = start(demo.folder, demo.port, "--fresh")
    said, problems = second.process.communicate(timeout=SECONDS)
    assert (second.process.returncode, said) == (1, "")
    assert problems.count("\n") == 1
    assert f"Port {demo.port} is in use" in problems
    assert "make demo PORT=" in problems
    assert httpx.get(f"http://127.0.0.1:{demo.port}/v1/letters/ask-here").status_code == 200


def test_it_shows_what_a_partners_webmaster_gets(demo: Demo) -> None:
    (address,) = [line.strip() for line in demo.said.splitlines() if "/install/" in line]
    page = httpx.get(address)
    assert page.status_code == 200
    assert "Northern Lights" in page.text
