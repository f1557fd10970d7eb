"""Standard Webhooks 1.0, held against the vectors of its suites and its reference library."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook as Verifier

from integrations.webhook import Webhook, body, signature
from tests.integrations.samples import NOW, RecordingClient, event, tools
from widget_server.contract import Destination

ONE = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
TWO = "whsec_ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM="
THREE = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="


@pytest.mark.parametrize(
    ("secret", "id_", "timestamp", "content", "expected"),
    [
        (
            ONE,
            "msg_0001",
            "1700000000",
            '{"type":"signature.created","timestamp":"2023-11-14T22:13:20Z","data":{"id":"sig_1"}}',
            "DHdKJ4Bp27mrw0fcYKiHuPpLZUMmPpGaf5saiZdKfyo=",
        ),
        (
            TWO,
            "msg_2b9f4c1e7d",
            "1764000000",
            '{"type":"signature.created","timestamp":"2025-11-24T16:00:00Z","data":{"id":"sig_2",'
            '"name":"Zoë Gagné-L’Écuyer","city":"Montréal"}}',
            "NceTg56lTsTBpP7n3tiFhtyd8PHcKjUFkYZvWyDapmM=",
        ),
        (THREE, "msg_rotate_3", "1767225600", "{}", "hVspdF2vesfcfGampiW5WV1efDFhFOf8O1LsqXaUwek="),
        (ONE, "msg_rotate_3", "1767225600", "{}", "78JAE/9kghMVqlQB2eZNs/6SRzdeZlpT2s92Y2Ls16c="),
        (
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            '{"test": 2432232314}',
            "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        (
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            "1649367553",
            '{"email":"test@example.com","username":"test_user"}',
            "tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
    ],
)
def test_the_vectors(secret: str, id_: str, timestamp: str, content: str, expected: str) -> None:
    assert signature(secret, id_, timestamp, content.encode()) == f"v1,{expected}"


def test_the_body_is_the_contracts() -> None:
    one = event(name="Zoë & <Co>")
    assert json.loads(body(one)) == {
        "type": "signature.confirmed",
        "timestamp": "2026-06-20T12:00:00.123456Z",
        "data": dict(one.data),
    }
    assert body(one).startswith(b'{"type":"signature.confirmed","timestamp":')
    assert json.loads(body(event(test=True)))["test"] is True
    assert "Zoë" in body(one).decode()


async def test_every_secret_in_force_verifies_by_the_reference_library() -> None:
    client = RecordingClient()
    at = datetime.now(UTC)
    hands = tools(client)
    one = event()
    where = Destination("d1", "https://hooks.example.org/", {}, [THREE, ONE], "en")
    await Webhook().send([one], where, type(hands)(client, hands.text, lambda: at))
    ((_, content, headers),) = client.posts
    for secret in (ONE, THREE):
        assert Verifier(secret).verify(content, dict(headers))["type"] == "signature.confirmed"
    assert headers["webhook-id"] == one.id
    assert headers["webhook-timestamp"] == str(int(at.timestamp()))
    assert "." not in one.id


def test_options() -> None:
    kind = Webhook()
    assert kind.limits({"pace": "0.5"}).pace_seconds == 0.5
    assert kind.limits({}).pace_seconds == 0
    for options in ({"pace": "-1"}, {"pace": "nan"}, {"pace": "soon"}, {"contact_details": "yes"}):
        assert len(kind.check("https://hooks.example.org/", options)) == 1
    assert NOW.microsecond == 123456
