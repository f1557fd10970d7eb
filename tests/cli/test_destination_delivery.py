"""The command line for destinations and deliveries, against real databases and a real receiver."""

from __future__ import annotations

import asyncio
import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tests.outbox.conftest import sign_many
from widget_server.__main__ import app
from widget_server.cli.delivery_lines import in_words, on_one_line
from widget_server.domain.ids import new_id
from widget_server.domain.tokens import Seals
from widget_server.domain.vault import Vault
from widget_server.flows.directory import Directory
from widget_server.i18n import Texts
from widget_server.outbox.dispatcher import Dispatcher
from widget_server.outbox.registry import Registry
from widget_server.store.db import Db

Run = Callable[..., Result]
KEY = "a key for the command line tests long enough"


class Sink:
    """A receiver in a thread of its own: commands run their own event loops."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.status = 200
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sink.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(sink.status)
                self.end_headers()
                self.wfile.write(b"said the sink")

            def do_GET(self) -> None:
                self.send_response(sink.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def sink() -> Iterator[Sink]:
    one = Sink()
    thread = threading.Thread(target=one.server.serve_forever)
    thread.start()
    yield one
    one.server.shutdown()
    one.server.server_close()
    thread.join()


@pytest.fixture
def run(database_url: str, tmp_path: Path, letter_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on a database of its own with the letter open in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNDERSIGNED_DATABASE_URL", database_url)
    monkeypatch.setenv("UNDERSIGNED_SECRET_KEYS", KEY)
    monkeypatch.setenv("UNDERSIGNED_PUBLIC_URL", "https://letters.example.org")
    monkeypatch.setenv("UNDERSIGNED_EGRESS_ALLOW", "127.0.0.0/8")
    runner = CliRunner()

    def invoke(*arguments: str | Path, ok: bool = True, given: str | None = None) -> Result:
        result = runner.invoke(app, [str(argument) for argument in arguments], input=given)
        assert (result.exit_code == 0) is ok, (result.stdout, result.stderr, result.exception)
        return result

    invoke("letter", "load", letter_folder)
    invoke("letter", "open", "letter")
    invoke("partner", "add", "letter", "maple", "--name", "Maple House", "--origin", "https://maple.example")
    return invoke


def value(result: Result) -> Any:
    """The one JSON value on standard output."""
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


def add(run: Run, *arguments: str) -> dict[str, Any]:
    added: dict[str, Any] = value(run("destination", "add", "letter", *arguments, "--json"))
    return added


async def _signed_and_delivered(database_url: str, number: int) -> None:
    db = Db(database_url)
    await db.connect()
    directory = Directory(db, Seals([KEY]))
    letter = await directory.letter("letter")
    assert letter is not None
    partner = await directory.partner(letter.id, "maple")
    assert partner is not None
    now = lambda: datetime.now(UTC)  # noqa: E731
    await sign_many(db, letter, partner, now, [{"contact_opt_in": True}] * number)
    dispatcher = Dispatcher(
        db=db,
        directory=directory,
        vault=Vault([KEY]),
        registry=Registry(),
        texts=Texts(),
        public_url="https://letters.example.org",
        egress_allow=(ip_network("127.0.0.0/8"),),
        now=now,
    )
    await dispatcher.drain()
    await dispatcher.aclose()
    await db.disconnect()


def signed_and_delivered(number: int = 1) -> None:
    """Stores so many signatures and delivers what is due, as the server does."""
    asyncio.run(_signed_and_delivered(os.environ["UNDERSIGNED_DATABASE_URL"], number))


def test_the_kinds_with_their_options(run: Run) -> None:
    kinds = {kind["kind"]: kind for kind in value(run("destination", "kinds", "--json"))}
    assert {"webhook", "slack"} <= set(kinds)
    assert {"contact_details", "pace"} <= {option["name"] for option in kinds["webhook"]["options"]}
    assert "digest_seconds" in run("destination", "kinds").stdout


def test_a_destinations_life(run: Run, sink: Sink) -> None:
    added = add(run, "webhook", "--url", sink.url)
    assert set(added) == {"id", "kind", "secret", "public_keys"}
    assert added["secret"].startswith("whsec_")
    id_ = added["id"]
    shown = value(run("destination", "show", id_, "--json"))
    assert (shown["id"], shown["kind"], shown["status"], shown["url"]) == (id_, "webhook", "active", sink.url)
    assert "whsec_" not in json.dumps(shown)
    assert sink.bodies == [], "adding one sends nothing"
    assert value(run("destination", "check", id_, "--json")) == {"id": id_, "asked": False, "problems": []}
    assert sink.bodies == [], "checking a webhook asks nobody"
    tried = value(run("destination", "test", id_, "--json"))
    assert (tried["outcome"], tried["status_code"]) == ("delivered", 200)
    (test,) = sink.bodies
    assert (test["type"], test["test"], test["data"]["letter"]) == ("destination.test", True, "letter")
    run("destination", "pause", id_)
    assert value(run("destination", "list", "letter", "--json"))[0]["status"] == "paused"
    run("destination", "enable", id_)
    rotated = value(run("destination", "rotate-secret", id_, "--json"))
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != added["secret"]
    run("destination", "remove", id_)
    assert value(run("destination", "list", "letter", "--json")) == []
    assert "no destination" in run("destination", "show", id_, ok=False).stderr


def test_a_test_that_fails_says_why_and_changes_nothing(run: Run, sink: Sink) -> None:
    id_ = add(run, "webhook", "--url", sink.url)["id"]
    sink.status = 500
    failed = run("destination", "test", id_, ok=False)
    assert failed.stderr.splitlines() == ["not delivered: http_500: something is wrong on its side", "said the sink"]
    assert value(run("destination", "show", id_, "--json"))["first_failed_at"] is None
    (delivery,) = value(run("delivery", "list", "letter", "--json"))
    assert (delivery["event_type"], delivery["status"], delivery["next_attempt_at"]) == (
        "destination.test",
        "failed",
        None,
    )


CANNOT_BE_ASKED = {"webhook", "slack", "mattermost", "rocketchat", "teams", "email"}


def test_each_kind_says_whether_its_target_can_be_asked(run: Run) -> None:
    kinds = value(run("destination", "kinds", "--json"))
    assert {kind["kind"] for kind in kinds if not kind["can_be_asked"]} == CANNOT_BE_ASKED


def test_checking_a_webhook_does_not_claim_that_somebody_answers(run: Run, sink: Sink) -> None:
    id_ = add(run, "webhook", "--url", sink.url)["id"]
    sink.server.socket.close()  # from now on its port refuses connections
    said = run("destination", "check", id_).stdout.splitlines()
    assert said == [
        "The options are well formed. Kind webhook cannot be asked without sending; this sends a test:",
        f"undersigned destination test {id_}",
    ]
    assert run("destination", "test", id_, ok=False).stderr.startswith("not delivered: connection_refused")


def test_checking_judges_the_options_by_the_settings_of_today(
    run: Run, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = add(run, "webhook", "--url", sink.url)["id"]
    monkeypatch.setenv("UNDERSIGNED_EGRESS_ALLOW", "")
    for verb in ("check", "test"):
        assert "url: " in run("destination", verb, id_, ok=False).stderr
    assert sink.bodies == []


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (200, "The options are well formed, and discord, which was asked, has nothing against them.\n"),
        (404, "url: Discord knows no such webhook: make a new one and give its address\n"),
    ],
)
def test_checking_a_target_that_can_be_asked_says_what_it_says(run: Run, sink: Sink, status: int, said: str) -> None:
    id_ = add(run, "discord", "--url", f"{sink.url}/api/webhooks/1/abc")["id"]
    sink.status = status
    checked = run("destination", "check", id_, ok=status == 200)
    assert checked.stdout + checked.stderr == said
    assert sink.bodies == []
    again = value(run("destination", "check", id_, "--json", ok=status == 200))
    assert (again["asked"], bool(again["problems"])) == (True, status != 200)


def test_a_slack_address_is_read_from_a_file_or_standard_input_and_never_shown(
    run: Run, tmp_path: Path, sink: Sink
) -> None:
    url = f"{sink.url}/services/T000/B000/abcdwxyz"
    (tmp_path / "url.txt").write_text(url + "\n")
    ids = [
        add(run, "slack", "--url", "@url.txt"),
        value(run("destination", "add", "letter", "slack", "--url", "-", "--json", given=url)),
    ]
    for added in ids:
        assert added["secret"] is None
        shown = run("destination", "show", added["id"], "--json").stdout
        assert "B000" not in shown
        assert json.loads(shown)["url"].endswith("/…wxyz")
        assert value(run("destination", "test", added["id"], "--json"))["outcome"] == "delivered"
    assert "no signing secret" in run("destination", "rotate-secret", ids[0]["id"], ok=False).stderr


def test_everything_that_is_wrong_is_said_at_once(run: Run) -> None:
    wrong = run(
        "destination", "add", "letter", "webhook", "--url", "http://10.0.0.1:99/", "--partner", "maple",
        "--event", "signature.made", "--option", "colour=red", "--option", "pace=soon",
        "--option", "contact_details=all", ok=False,
    )  # fmt: skip
    lines = wrong.stderr.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "colour",
        "pace",
        "event signature.made",
        "contact_details",
        "url",
        "url",
    ]
    assert "no kind pigeon" in run("destination", "add", "letter", "pigeon", ok=False).stderr
    assert "url: needed" in run("destination", "add", "letter", "webhook", ok=False).stderr
    assert "KEY=VALUE" in run("destination", "add", "letter", "webhook", "--option", "x", ok=False).stderr
    add = ("destination", "add", "letter", "webhook", "--url")
    assert "url: no cannot be read: No such file or directory" in run(*add, "@no", ok=False).stderr
    twice = run(*add, "-", "--option", "header_value=-", ok=False, given="https://example.org/hook")
    assert twice.stderr.startswith("header_value: nothing came on standard input")
    assert "no letter" in run("destination", "list", "nothing", ok=False).stderr
    assert value(run("destination", "list", "letter", "--json")) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "https://localhost/", "https://10.0.0.1/"])
def test_private_addresses_are_refused_unless_allowed(run: Run, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSIGNED_EGRESS_ALLOW", "")
    refused = run("destination", "add", "letter", "webhook", "--url", url, ok=False)
    assert refused.stderr.startswith("url: ")


def test_deliveries_are_listed_shown_and_sent_again(run: Run, sink: Sink) -> None:
    id_ = add(run, "webhook", "--url", sink.url, "--event", "signature.confirmed")["id"]
    sink.status = 422
    signed_and_delivered()
    (failed,) = value(run("delivery", "list", "letter", "--status", "failed", "--json"))
    keys = "id event_id event_type destination_id status attempts next_attempt_at last_error"
    assert set(failed) == set(keys.split())
    assert (failed["event_type"], failed["destination_id"]) == ("signature.confirmed", id_)
    assert (failed["status"], failed["attempts"], failed["last_error"]) == ("failed", 1, "http_422")
    shown = value(run("delivery", "show", failed["id"], "--json"))
    (attempt,) = shown["log"]
    assert (attempt["outcome"], attempt["status_code"], attempt["response"]) == (
        "rejected",
        422,
        "said the sink",
    )
    sink.status = 200
    run("delivery", "retry", failed["id"])
    signed_and_delivered(0)
    (again,) = value(run("delivery", "list", "letter", "--json"))
    assert (again["status"], again["event_id"]) == ("delivered", failed["event_id"])
    assert len(value(run("delivery", "show", failed["id"], "--json"))["log"]) == 2
    assert "no delivery" in run("delivery", "show", new_id(), ok=False).stderr
    assert "no id" in run("delivery", "retry", "seven", ok=False).stderr


def test_replay_brings_what_was_before_the_destination(run: Run, sink: Sink) -> None:
    signed_and_delivered(3)
    id_ = add(run, "webhook", "--url", sink.url, "--event", "signature.confirmed")["id"]
    signed_and_delivered(1)
    assert len(sink.bodies) == 1
    assert value(run("delivery", "replay", id_, "--since", "2999-01-01", "--json"))["events"] == 0
    dry = value(run("delivery", "replay", id_, "--missing", "--dry-run", "--json"))
    assert dry == {"destination": id_, "events": 3, "dry_run": True}
    assert value(run("delivery", "replay", id_, "--json")) == {"destination": id_, "events": 4, "dry_run": False}
    signed_and_delivered(0)
    assert len(sink.bodies) == 5
    assert len({body["data"]["id"] for body in sink.bodies}) == 4
    assert "write a time" in run("delivery", "replay", id_, "--since", "lately", ok=False).stderr
    assert "no such type" in run("delivery", "replay", id_, "--event", "signature.made", ok=False).stderr
    assert "give one" in run("delivery", "replay", id_, "--missing", "--status", "failed", ok=False).stderr


def test_what_waits_is_called_off(run: Run, sink: Sink) -> None:
    add(run, "webhook", "--url", sink.url, "--event", "signature.confirmed")
    sink.status = 500
    signed_and_delivered()
    (waiting,) = value(run("delivery", "list", "letter", "--status", "pending", "--json"))
    assert value(run("delivery", "cancel", waiting["id"], "--json")) == {"cancelled": [waiting["id"]]}
    assert "left alone: cancelled" in run("delivery", "cancel", waiting["id"]).stdout
    (row,) = value(run("delivery", "list", "letter", "--json"))
    assert (row["status"], row["next_attempt_at"]) == ("cancelled", None)


def columns(stdout: str) -> list[dict[str, str]]:
    """The rows of a list, by heading: columns stand two blanks apart."""
    heading, *rows = stdout.splitlines()
    starts = [found.start() for found in re.finditer(r"(?:^|(?<=  ))\S", heading)]
    ends = [*starts[1:], None]
    return [
        {heading[a:b].strip(): row[a:b].strip() for a, b in zip(starts, ends, strict=True)} for row in rows
    ]  # fmt: skip


def test_the_list_of_deliveries_says_when_what_where_to_and_what_became_of_it(run: Run, sink: Sink) -> None:
    assert run("delivery", "list", "letter").stdout == "None.\n"
    id_ = add(run, "webhook", "--url", sink.url, "--event", "signature.confirmed")["id"]
    sink.status = 500
    signed_and_delivered()
    sink.status = 422
    signed_and_delivered()
    rows = [row for row in columns(run("delivery", "list", "letter").stdout) if row["DESTINATION"] == id_]
    exact = {row["id"]: row for row in value(run("delivery", "list", "letter", "--json"))}
    assert len(rows) == 2
    for row in rows:
        assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\dZ", row["HAPPENED"])
        assert (row["EVENT"], row["TO"], row["ATTEMPTS"]) == ("signature.confirmed", "webhook", "1")
        assert row["STATUS"] == exact[row["DELIVERY"]]["status"]
    again, failed = rows
    assert again["NEXT ATTEMPT"] == exact[again["DELIVERY"]]["next_attempt_at"][:19].replace("T", " ") + "Z"
    assert again["LAST ERROR"] == "http_500: something is wrong on its side"
    assert (failed["NEXT ATTEMPT"], failed["LAST ERROR"]) == ("–", "http_422: it refuses what was sent")
    run("destination", "pause", id_)
    assert "waits: paused" in run("delivery", "list", "letter", "--status", "pending").stdout


def test_what_a_target_says_cannot_act_on_a_terminal() -> None:
    assert on_one_line("<h1>no\r\n\x1b[2J way</h1>\u202e ") == "<h1>no [2J way</h1>"
    assert in_words("refused: one\ntwo") == "refused: one two"
    assert in_words("smtp_auth") == "smtp_auth"
    assert in_words("smtp_451") == "smtp_451: the mail server cannot take it now"
    assert in_words(None) == ""


def test_enabling_says_how_to_catch_up_only_after_having_been_off(run: Run, sink: Sink) -> None:
    id_ = add(run, "webhook", "--url", sink.url, "--event", "signature.confirmed")["id"]
    run("destination", "pause", id_)
    assert "replay" not in run("destination", "enable", id_).stdout
    sink.status = 410
    signed_and_delivered()
    assert value(run("destination", "show", id_, "--json"))["status"] == "disabled"
    assert f"undersigned delivery replay {id_} --missing" in run("destination", "enable", id_).stdout
