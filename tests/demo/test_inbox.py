"""The inbox: what arrives is kept, verified, told to every open page, and there again after a restart."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook

from widget_server.demo.inbox import create_inbox, verified
from widget_server.demo.mails import watch
from widget_server.demo.received import Received
from widget_server.i18n import Texts

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "A" * 32
BODY = '{"type": "signature.confirmed", "data": {"name": "Zoé <b>"}}'
NOW = datetime(2026, 6, 20, 12, 0, tzinfo=UTC)


def headers(at: datetime, body: str = BODY, secret: str = SECRET) -> dict[str, str]:
    """As the reference library seals them."""
    return {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign("evt_1", at, body),
    }


def test_what_the_reference_library_sealed_is_verified() -> None:
    assert verified([SECRET], headers(NOW), BODY.encode(), NOW)
    assert verified([OTHER, SECRET], headers(NOW), BODY.encode(), NOW), "any of the secrets in force"


@pytest.mark.parametrize(
    "spoilt",
    [
        {"webhook-id": "evt_2"},
        {"webhook-timestamp": "1781956801"},
        {"webhook-timestamp": "soon"},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": ""},
    ],
)
def test_anything_changed_on_the_way_is_not(spoilt: dict[str, str]) -> None:
    assert not verified([SECRET], headers(NOW) | spoilt, BODY.encode(), NOW)


def test_another_body_secret_or_time_is_not() -> None:
    assert not verified([SECRET], headers(NOW), BODY.encode() + b" ", NOW)
    assert not verified([OTHER], headers(NOW), BODY.encode(), NOW)
    assert not verified(["whsec_not base64!"], headers(NOW), BODY.encode(), NOW)
    assert not verified([SECRET], headers(NOW), BODY.encode(), NOW + timedelta(minutes=6))


@pytest.fixture
def received(tmp_path: Path) -> Received:
    return Received(tmp_path / "inbox.jsonl")


@pytest.fixture
def client(received: Received, texts: Texts, tmp_path: Path) -> httpx.AsyncClient:
    inbox = create_inbox(
        received,
        [SECRET],
        texts,
        mail_folder=tmp_path / "mail",
        sign_urls={"en": "http://localhost:8001/a", "fr": "http://localhost:8001/b"},
        approve="undersigned signatures approve ask-here",
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(inbox), base_url="http://inbox")


async def test_webhooks_and_slack_messages_are_kept_newest_first(client: httpx.AsyncClient) -> None:
    sealed = headers(datetime.now(UTC))
    assert (await client.post("/webhook", content=BODY, headers=sealed)).status_code == 200
    answer = await client.post("/slack", json={"text": "Zoé &lt;b&gt; signed"})
    assert (answer.status_code, answer.text) == (200, "ok"), "as Slack answers"
    slack, webhook = (await client.get("/messages")).json()
    assert (slack["kind"], slack["verified"]) == ("slack", None)
    assert (webhook["kind"], webhook["verified"]) == ("webhook", True)
    assert webhook["headers"]["webhook-id"] == "evt_1"
    assert webhook["body"] == BODY


async def test_a_webhook_that_does_not_match_is_shown_as_such(client: httpx.AsyncClient) -> None:
    answer = await client.post("/webhook", content=BODY, headers=headers(datetime.now(UTC), secret=OTHER))
    assert answer.status_code == 401
    (webhook,) = (await client.get("/messages")).json()
    assert webhook["verified"] is False


async def test_the_page_is_in_both_languages_and_runs_nothing_that_arrived(client: httpx.AsyncClient) -> None:
    english = await client.get("/?lang=en")
    french = await client.get("/", headers={"accept-language": "fr-CA,en;q=0.5"})
    assert '<html lang="en">' in english.text
    assert '<html lang="fr">' in french.text
    assert "Boîte de réception" in french.text
    assert "http://localhost:8001/b" in french.text
    policy = english.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


async def test_a_mail_is_shown_once_in_a_frame_where_nothing_runs(
    client: httpx.AsyncClient, received: Received, tmp_path: Path
) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Lettre <l@example.org>", "zoe@example.org", "Confirmez, Zoé"
    mail.set_content("Suivez http://127.0.0.1/confirm/x")
    mail.add_alternative("<p>Bonjour<script>alert(1)</script></p>", subtype="html")
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "1.eml").write_bytes(bytes(mail))
    (tmp_path / "secret.eml").write_bytes(b"Subject: no mail of ours\n\n")
    for _ in range(2):  # the second time as after a restart
        watching = asyncio.create_task(watch(tmp_path / "mail", received))
        (told,) = [await anext(received.follow(0))]
        watching.cancel()
        await asyncio.wait({watching})
        assert (told.kind, told.headers["subject"], told.headers["to"]) == ("mail", "Confirmez, Zoé", "zoe@example.org")
        assert "/confirm/x" in told.body
        assert len(received.since(0)) == 1
    shown = await client.get("/mail/1.eml")
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "allow-scripts" not in policy
    assert "Bonjour" in shown.text
    for name in ("2.eml", "..%2Fsecret.eml", "1.txt"):
        assert (await client.get(f"/mail/{name}")).status_code == 404


async def test_messages_survive_a_restart_and_a_torn_last_line(received: Received, tmp_path: Path) -> None:
    await received.add("slack", NOW.isoformat(), {}, "one", None)
    await received.add("slack", NOW.isoformat(), {}, "two", None)
    file = tmp_path / "inbox.jsonl"
    file.write_text(file.read_text("utf-8") + '{"number": 3, "ki', "utf-8")
    again = Received(file)
    assert [message.body for message in again.since(0)] == ["one", "two"]
    third = await again.add("slack", NOW.isoformat(), {}, "three", None)
    assert third.number == 3
    assert [json.loads(line)["body"] for line in file.read_text("utf-8").splitlines()] == [
        "one",
        "two",
        "three",
    ]


async def test_an_open_page_hears_of_each_message_and_ends_when_told(received: Received) -> None:
    heard: list[str] = []
    first = asyncio.Event()

    async def listen() -> None:
        async for message in received.follow(0):
            heard.append(message.body)
            first.set()

    page = asyncio.create_task(listen())
    await received.add("slack", NOW.isoformat(), {}, "one", None)
    await asyncio.wait_for(first.wait(), 5)
    await received.close()
    await asyncio.wait_for(page, 5)
    assert heard == ["one"]
