"""Standard Webhooks 1.0, held against the vectors of its suites and its reference library; bodies in three forms.

Set UNDERSIGNED_RENEW_GOLDEN=1 to write the bodies under tests/golden anew, and read what changed.
"""

from __future__ import annotations

import base64
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from standardwebhooks import Webhook as Verifier

from integrations.webhook import Webhook
from integrations.webhook.bodies import FORMS, body
from integrations.webhook.signing import public_key, signature, signature_a
from tests.integrations.samples import LETTER, RecordingClient, event, tools
from widget_server.contract import Destination, Event, Permanent, Response, Temporary
from widget_server.domain.destinations import Configuration, Secret, option_problems
from widget_server.domain.event_schemas import FORMS as FORMS_DESCRIBED
from widget_server.domain.event_shapes import SHAPES, example_data
from widget_server.domain.events import TEST

URL = "https://hooks.example.org/in"
GOLDEN = Path(__file__).parents[1] / "golden/integrations/webhook"
ONE = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
TWO = "whsec_ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM="
THREE = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="
SVIX = (
    "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "1614265330",
    '{"test": 2432232314}',
)


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
        (*SVIX, "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
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


def test_the_vector_for_ed25519() -> None:
    """Svix's test key; signing by Ed25519 has one right answer."""
    pair = base64.b64decode("6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==")
    key = Ed25519PrivateKey.from_private_bytes(pair[:32])
    assert key.public_key().public_bytes_raw() == pair[32:]
    _, id_, timestamp, content = SVIX
    assert signature_a(key, id_, timestamp, content.encode()) == (
        "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
    )


def test_a_secrets_key_pair_stays_the_same_for_ever() -> None:
    """Receivers keep the public key: another derivation would lock every one of them out."""
    assert [public_key(one) for one in (ONE, TWO)] == [
        "whpk_1DwDrW1cDxAXhgzw5+OL45SlqsZdJlN8o8mE26hovnE=",
        "whpk_sxJGS455Dq0KExb8owr9xRvv/da00EVxGgOtgqfn06I=",
    ]


def where(*secrets: str, **options: str) -> Destination:
    return Destination("d1", URL, options, secrets or (ONE,), "en")


async def sent(one: Event, destination: Destination, at: datetime | None = None) -> tuple[bytes, dict[str, str]]:
    client = RecordingClient()
    moment = at or datetime.now(UTC)
    await Webhook().send([one], destination, tools(client, now=lambda: moment))
    ((url, content, headers),) = client.posts
    assert (client.methods, url) == (["POST"], destination.url)
    return content, dict(headers)


async def test_every_secret_in_force_verifies_by_the_reference_library() -> None:
    at = datetime.now(UTC)
    one = event()
    content, headers = await sent(one, where(THREE, ONE), at)
    for secret in (ONE, THREE):
        assert Verifier(secret).verify(content, headers)["type"] == "signature.confirmed"
    first, second = headers["webhook-signature"].split(" ")
    assert first == signature(THREE, one.id, str(int(at.timestamp())), content), "the newest first"
    assert second == signature(ONE, one.id, str(int(at.timestamp())), content)
    assert headers["webhook-id"] == one.id
    assert headers["webhook-timestamp"] == str(int(at.timestamp()))
    assert "." not in one.id, "the standard wants none in what is signed before the body"


def verified(key: str, headers: dict[str, str], content: bytes) -> bool:
    """As a receiver with only the public key would."""
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.removeprefix("whpk_")))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + content
    for one in headers["webhook-signature"].split():
        version, _, value = one.partition(",")
        try:
            if version == "v1a":
                public.verify(base64.b64decode(value), signed)
                return True
        except InvalidSignature:
            continue
    return False


async def test_ed25519_on_request_is_verified_with_the_public_key_that_is_shown() -> None:
    destination = where(signature="v1a")
    (key,) = Webhook().public_keys(destination)
    content, headers = await sent(event(), destination)
    assert [one.partition(",")[0] for one in headers["webhook-signature"].split(" ")] == ["v1a"]
    assert verified(key, headers, content)
    assert not verified(key, headers, content + b" ")
    assert not verified(key, headers | {"webhook-id": "another"}, content)
    assert not verified(public_key(TWO), headers, content)


async def test_both_and_a_rotation_sign_in_every_way_and_the_standards_library_is_not_put_off() -> None:
    destination = where(TWO, ONE, signature="both")
    content, headers = await sent(event(), destination)
    versions = [one.partition(",")[0] for one in headers["webhook-signature"].split(" ")]
    assert versions == ["v1", "v1a", "v1", "v1a"]
    assert all(verified(key, headers, content) for key in Webhook().public_keys(destination))
    for secret in (ONE, TWO):
        Verifier(secret).verify(content, headers)


def test_public_keys_are_there_where_they_are_used_newest_first() -> None:
    assert Webhook().public_keys(where(ONE)) == ()
    assert Webhook().public_keys(where(ONE, signature="v1")) == ()
    assert Webhook().public_keys(where(TWO, ONE, signature="both")) == [public_key(TWO), public_key(ONE)]


async def test_after_the_overlap_the_old_key_pair_signs_no_more() -> None:
    now = datetime.now(UTC)
    rotated = Configuration(URL, {"signature": "v1a"}, (Secret(ONE),)).rotated(now, timedelta(hours=24))
    for later, signers in ((timedelta(hours=23), 2), (timedelta(hours=25), 1)):
        secrets = rotated.in_force(now + later)
        content, headers = await sent(event(), where(*secrets, signature="v1a"))
        assert len(headers["webhook-signature"].split(" ")) == signers
        assert verified(public_key(ONE), headers, content) == (signers == 2)
        assert verified(public_key(secrets[0]), headers, content)


EXAMPLE_ID = "019f2b3c-5d6e-7f80-9a1b-2c3d4e5f6072"
AT = datetime(2026, 6, 20, 12, 0, 0, 123456, tzinfo=UTC)


def example(type_: str) -> Event:
    return Event(EXAMPLE_ID, type_, AT, LETTER, example_data(type_), test=type_ == TEST)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("type_", SHAPES)
async def test_the_body_of_each_type_in_each_form_is_the_one_on_file(type_: str, form: str) -> None:
    content, headers = await sent(example(type_), where(body=form))
    file = GOLDEN / form / f"{type_}.json"
    if os.environ.get("UNDERSIGNED_RENEW_GOLDEN"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content + b"\n")
    assert content + b"\n" == file.read_bytes()
    assert headers["content-type"] == "application/json"


def test_no_body_on_file_is_of_a_type_that_is_no_more() -> None:
    on_file = {(file.parent.name, file.stem) for file in GOLDEN.glob("*/*.json")}
    assert on_file == {(form, type_) for form in FORMS for type_ in SHAPES}
    assert tuple(FORMS_DESCRIBED) == FORMS


def test_the_body_is_the_contracts_unless_another_is_asked_for() -> None:
    one = event(name="Zoë & <Co>")
    assert json.loads(body(one, "full")) == {
        "type": "signature.confirmed",
        "timestamp": "2026-06-20T12:00:00.123456Z",
        "data": dict(one.data),
    }
    assert body(one, "full").startswith(b'{"type":"signature.confirmed","timestamp":')
    assert "Zoë" in body(one, "full").decode()
    option = next(option for option in Webhook.options if option.name == "body")
    assert option.default == "full"


@pytest.mark.parametrize("form", FORMS)
def test_a_test_is_marked_in_every_form(form: str) -> None:
    for one in (event(test=True), example(TEST)):
        assert json.loads(body(one, form))["test"] is True
    assert json.loads(body(event(), form)).get("test", False) is False


def test_a_thin_body_says_nothing_about_a_person() -> None:
    typed = {
        key: f"typed-{key}"
        for key in (
            "name",
            "organization",
            "role",
            "email",
            "country",
            "city",
            "postal_code",
            "comment",
            "source",
            "page",
        )
    }
    assert "typed" not in body(event(**typed), "thin").decode()
    assert json.loads(body(event(**typed), "thin"))["data"].keys() <= {"id", "letter", "statement", "status", "erased"}


def test_a_flat_body_has_the_same_keys_whatever_is_null() -> None:
    full = example("signature.confirmed")
    nothing = Event(EXAMPLE_ID, full.type, AT, LETTER, dict.fromkeys(full.data))
    rows = [json.loads(body(one, "flat")) for one in (full, nothing)]
    assert list(rows[0]) == list(rows[1])
    assert rows[0]["partner_slug"] == "maple"
    assert (rows[1]["partner_slug"], rows[1]["partner_name"], rows[1]["public"]) == ("", "", "")
    assert rows[0]["event_id"] == EXAMPLE_ID, "tools that hide headers can still tell repeats"
    spikes = [
        event("abuse.spike", letter="l", of=of, number=1, minutes=1, **{of: "x"})
        for of in ("client", "domain", "partner")
    ]
    assert len({frozenset(json.loads(body(one, "flat"))) for one in spikes}) == 1
    for row in rows:
        assert all(isinstance(value, str | int | bool) for value in row.values())


async def test_a_header_of_ones_own_goes_with_each_request_and_never_instead_of_ours() -> None:
    _, headers = await sent(event(), where(header_name="X-Token", header_value="a long secret"))
    assert headers["X-Token"] == "a long secret"
    _, plain = await sent(event(), where())
    assert set(headers) - set(plain) == {"X-Token"}
    option = next(option for option in Webhook.options if option.name == "header_value")
    assert option.secret


def problems(url: str = URL, **options: str) -> list[str]:
    found = [*option_problems(Webhook(), options), *Webhook().check(url, options)]
    return [one.option for one in found]


@pytest.mark.parametrize(
    "name",
    [
        "Host", "content-type", "Content-Length", "Webhook-Id", "webhook-signature", "Transfer-Encoding", "Connection",
        "Cookie", "User-Agent", "X-Forwarded-For", "Proxy-Authorization", "accept-encoding", "Expect", "TE", "Via",
        "X Token", "X-Token:", "X-Tökén", "X-Token\r\nHost", ":authority", "x" * 101,
    ],
)  # fmt: skip
def test_header_names_that_are_not_for_taking_are_refused(name: str) -> None:
    assert problems(header_name=name, header_value="secret") == ["header_name"]


@pytest.mark.parametrize(
    "value", ["a\r\nX-Other: b", "a\nb", "a\x00b", "a\tb", " a", "a ", "clé", "x" * 1001, "a\x7fb"]
)
def test_header_values_that_no_header_can_hold_are_refused(value: str) -> None:
    assert problems(header_name="X-Token", header_value=value) == ["header_value"]


def test_what_is_right_is_taken() -> None:
    assert problems(header_name="Authorization", header_value="Bearer abc.def~+/=", pace="0.5", body="flat") == []
    assert problems(signature="both", contact_details="all", header_name="x-n8n", header_value="s") == []
    assert problems("https://hook.eu1.make.com/abc") == []
    assert problems("https://hooks.zapier.com/hooks/catch/1/abc/") == []
    assert problems("https://n8n.example.org/webhook/abc") == []


def test_every_problem_is_told_at_once() -> None:
    found = problems(
        "https://n8n.example.org/base/webhook-test/abc",
        contact_details="yes",
        body="fat",
        signature="v2",
        pace="-1",
        header_name="Host",
        header_value="a\nb",
        colour="red",
    )
    assert sorted(found) == sorted(
        ["url", "contact_details", "body", "signature", "pace", "header_name", "header_value", "colour"]
    )
    assert problems(header_name="X-Token") == ["header_value"]
    assert problems(header_value="secret") == ["header_name"]


@pytest.mark.parametrize("pace", ["-1", "nan", "inf", "soon", "3601"])
def test_a_pace_that_is_none_is_told_once(pace: str) -> None:
    assert problems(pace=pace) == ["pace"]


def test_the_pace() -> None:
    kind = Webhook()
    assert kind.limits({"pace": "0.5"}).pace_seconds == 0.5
    assert kind.limits({}).pace_seconds == 0


async def answered(status: int, text: bytes, **headers: str) -> Any:
    client = RecordingClient(Response(status, headers, text))
    return await Webhook().send([event()], where(), tools(client))


async def test_make_is_asked_again_when_its_queue_is_full() -> None:
    with pytest.raises(Temporary) as full:
        await answered(400, b"Queue is full.")
    assert (full.value.code, full.value.status_code, full.value.response) == ("queue_full", 400, "Queue is full.")
    with pytest.raises(Permanent) as refused:
        await answered(400, b"Bad request")
    assert refused.value.item


async def test_zapier_that_is_switched_off_disables_the_destination() -> None:
    with pytest.raises(Permanent) as gone:
        await answered(410, b'{"status":"error"}')
    assert gone.value.gone


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 502, 503])
async def test_what_comes_back_after_a_deployment_is_tried_again(status: int) -> None:
    with pytest.raises(Temporary) as later:
        await answered(status, b'The requested webhook "abc" is not registered.', **{"retry-after": "7"})
    assert later.value.code == f"http_{status}"
    assert later.value.retry_after_seconds == (7.0 if status in (429, 503) else None)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 405, 409, 411, 413, 414, 415, 422])
async def test_what_a_repeat_cannot_mend_fails_at_once(status: int) -> None:
    with pytest.raises(Permanent) as failed:
        await answered(status, b"no", location="https://other.example/")
    assert failed.value.item == (status in (400, 413, 422))
    assert not failed.value.gone


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_2xx_is_success(status: int) -> None:
    assert (await answered(status, b"")).status_code == status
