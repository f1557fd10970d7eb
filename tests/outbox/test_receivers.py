"""What docs/webhooks.md tells receivers to do is run here, as it stands there, on requests that were really sent.

A language that is not installed is named and skipped; Python always runs.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from integrations.webhook.signing import signed_headers
from tests.conftest import Clock
from tests.outbox.conftest import Sign
from tests.outbox.receiver import Receiver
from widget_server.domain.letters import Letter
from widget_server.flows.destinations import Office, Wanted
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.store.db import Db
from widget_server.store.destinations import find_destination

PAGE = (Path(__file__).parents[2] / "docs/webhooks.md").read_text("utf-8")
ANOTHER = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
OLD = timedelta(minutes=7)
ANOTHER_KEY = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

# Each is put behind the page's code and reads a list of [key, headers, body in Base64] from standard input.
PYTHON = """
import json, sys
cases = json.load(sys.stdin)
print(json.dumps([{function}(key, headers, base64.b64decode(body)) for key, headers, body in cases]))
"""
JAVASCRIPT = """
const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const cases = JSON.parse(Buffer.concat(chunks).toString());
console.log(JSON.stringify(cases.map(([key, headers, body]) => verify(key, headers, Buffer.from(body, "base64")))));
"""
PHP = """
$cases = json_decode(file_get_contents('php://stdin'), true);
echo json_encode(array_map(fn($one) => verify($one[0], $one[1], base64_decode($one[2])), $cases));
"""


def code(language: str) -> str:
    """All that the page says in one language."""
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found, language
    return "\n".join(found)


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: its example in docs/webhooks.md was not run")
    return found


Case = tuple[str, Mapping[str, str], bytes]


def answers(command: list[str], cases: list[Case]) -> list[bool]:
    given = [[key, dict(headers), base64.b64encode(body).decode()] for key, headers, body in cases]
    ran = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    found = json.loads(ran.stdout)
    assert isinstance(found, list)
    return found


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it arrived, while a secret is being rotated. Newest first."""

    secrets: list[str]
    public_keys: list[str]
    headers: dict[str, str]
    body: bytes


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """One engine is enough: what is sent does not depend on it."""
    file = tmp_path / "undersigned.db"
    shutil.copyfile(request.getfixturevalue("sqlite_template"), file)
    return f"sqlite:///{file}"


@pytest.fixture
async def sent(
    db: Db, letter: Letter, office: Office, receiver: Receiver, sign: Sign, dispatcher: Dispatcher, clock: Clock
) -> Sent:
    clock.now = datetime.now(UTC)  # receivers compare with their own clocks
    wanted = Wanted("webhook", receiver.url, {"signature": "both"}, ("signature.confirmed",))
    added = await office.add(letter, None, wanted)
    row = await find_destination(db, added.id)
    assert row is not None
    rotated = await office.rotate_secret(row)
    await sign(name="Zoë Gagné-L’Écuyer 🍁", email="zoe@example.org", contact_opt_in=True)
    await dispatcher.drain()
    (one,) = receiver.received
    assert added.secret is not None
    headers = {name.lower(): value for name, value in one.headers.items()}
    return Sent([rotated.secret, added.secret], list(rotated.public_keys), headers, one.body)


def tampered(sent: Sent) -> list[tuple[Mapping[str, str], bytes]]:
    """Requests that are not ours, or not of now, or not requests at all."""
    at = datetime.fromtimestamp(int(sent.headers["webhook-timestamp"]), UTC)
    id_ = sent.headers["webhook-id"]
    # Rightly signed, and sent again by somebody who kept it; or from a clock that is wrong.
    changed = [signed_headers(id_, at + late, sent.body, sent.secrets, "both") for late in (-OLD, OLD)]
    changed += [
        {"webhook-id": "another"},
        {"webhook-id": ""},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "-1"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-timestamp": "9" * 5000},
        {"webhook-signature": ""},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1, v1a, ,"},
        {"webhook-signature": "v1,é v1a,é v1,%%% v1a,%%% v1a,AAAA v1,AAAA"},
        {"webhook-signature": sent.headers["webhook-signature"].replace("v1,", "v2,").replace("v1a,", "v3,")},
        {"webhook-signature": sent.headers["webhook-signature"].lower()},
    ]
    found: list[tuple[Mapping[str, str], bytes]] = [(sent.headers | one, sent.body) for one in changed]
    found += [({}, sent.body), (sent.headers, sent.body + b" "), (sent.headers, b""), (sent.headers, b"\xff\x00")]
    return found


def holds(command: list[str], sent: Sent, keys: list[str], another: str) -> None:
    """The page's code takes what we sent with each key in force, and nothing else."""
    genuine: list[Case] = [(key, sent.headers, sent.body) for key in keys]
    with_a_stranger = sent.headers | {"webhook-signature": f"v9,AAAA v1,AAAA {sent.headers['webhook-signature']}"}
    genuine += [(key, with_a_stranger, sent.body) for key in keys]
    false: list[Case] = [(keys[0], headers, body) for headers, body in tampered(sent)]
    false += [(another, sent.headers, sent.body)]
    assert len(keys) == 2
    assert answers(command, genuine) == [True] * len(genuine)
    assert answers(command, false) == [False] * len(false)


def test_python(sent: Sent) -> None:
    script = code("python") + PYTHON.replace("{function}", "verify")
    holds([sys.executable, "-c", script], sent, sent.secrets, ANOTHER)


def test_python_with_a_public_key(sent: Sent) -> None:
    script = code("python") + PYTHON.replace("{function}", "verify_v1a")
    holds([sys.executable, "-c", script], sent, sent.public_keys, ANOTHER_KEY)


def test_javascript(sent: Sent, tmp_path: Path) -> None:
    file = tmp_path / "verify.mjs"
    file.write_text(code("javascript") + JAVASCRIPT, "utf-8")
    holds([program("node"), str(file)], sent, sent.secrets, ANOTHER)


def test_php(sent: Sent, tmp_path: Path) -> None:
    file = tmp_path / "verify.php"
    file.write_text(f"<?php\nerror_reporting(E_ALL);\n{code('php')}{PHP}", "utf-8")
    settings = ["-d", "display_errors=stderr", "-d", "log_errors=0"]
    holds([program("php"), *settings, str(file)], sent, sent.secrets, ANOTHER)


def test_the_shell(sent: Sent, tmp_path: Path) -> None:
    program("openssl")
    (tmp_path / "body.json").write_bytes(sent.body)

    def printed(secret: str) -> str:
        variables = {
            "secret": secret,
            "id": sent.headers["webhook-id"],
            "timestamp": sent.headers["webhook-timestamp"],
            "PATH": "/usr/local/bin:/usr/bin:/bin",
        }
        ran = subprocess.run(
            ["sh", "-euc", code("sh")], cwd=tmp_path, env=variables, capture_output=True, text=True, check=True
        )
        return ran.stdout.strip()

    given = sent.headers["webhook-signature"].split(" ")
    assert [printed(secret) in given for secret in sent.secrets] == [True, True]
    assert printed(ANOTHER) not in given
    (tmp_path / "body.json").write_bytes(sent.body + b"\n")
    assert printed(sent.secrets[0]) not in given


def test_the_page_shows_a_request_as_it_is_sent(sent: Sent) -> None:
    shown = re.search(r"```\nPOST [^\n]*\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    names = [line.partition(":")[0] for line in shown[1].splitlines()]
    assert set(names) <= set(sent.headers)
    example = re.search(r"```json\n(\{\"type\": \"signature.confirmed\".*?)```", PAGE, re.DOTALL)
    assert example is not None
    said, real = json.loads(example[1]), json.loads(sent.body)
    assert list(said) == list(real)
    assert list(said["data"]) == list(real["data"])
    assert _kinds(said["data"]["partner"]) == _kinds(real["data"]["partner"])


def _kinds(value: Mapping[str, Any]) -> dict[str, type]:
    return {key: type(one) for key, one in value.items()}
