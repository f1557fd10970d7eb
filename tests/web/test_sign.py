"""POST /v1/signatures over real HTTP, on both engines: every status of the contract's table."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select

from tests.conftest import Clock, Live
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.tokens import Attribution, Seals, Shown, seal_attribution, seal_shown
from widget_server.flows.letter_status import change_letter_status
from widget_server.flows.load_letter import load_letter
from widget_server.flows.partners import revoke_partner, rotate_partner, set_partner
from widget_server.store.db import Db
from widget_server.store.tables import events, signatures

HERE = {"origin": "https://maple.example", "accept": "*/*"}


@pytest.fixture
async def client(live: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=live.url, headers=HERE) as client:
        yield client


@pytest.fixture
def person(token: str) -> dict[str, str]:
    return {
        "token": token, "kind": "individual", "name": "Zoë Gagné", "email": "zoe@example.org", "country": "CA",
        "locale": "fr", "source": "Newsletter-June", "page": "https://maple.example/a?x=1#y",
    }  # fmt: skip


@pytest.fixture
def organization(token: str) -> dict[str, Any]:
    return {
        "token": token, "kind": "organization", "organization": "Maple & Co <Ltd>", "name": "Jo Rep",
        "authorized": True,
        "email": "jo@maple.example", "country": "US", "organization_website": "maple.example",
    }  # fmt: skip


async def rows(db: Db) -> list[dict[str, Any]]:
    return await db.all(select(signatures).order_by(signatures.c.seq))


async def told_of(db: Db) -> list[str]:
    """The signatures' events, in order."""
    about = events.c.signature_id.is_not(None)
    return [row["type"] for row in await db.all(select(events.c.type).where(about).order_by(events.c.seq))]


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["access-control-allow-origin"] == "*"
    document = response.json()
    assert (document["status"], document["code"]) == (status, code)
    assert document["title"]
    return document  # type: ignore[no-any-return]


async def test_a_person_in_a_form(client: httpx.AsyncClient, db: Db, person: dict[str, str], partner: Partner) -> None:
    response = await client.post("/v1/signatures", data=person)
    assert response.status_code == 201
    assert response.headers["access-control-allow-origin"] == "*"
    told = response.json()
    assert (told["status"], told["statement"], told["replaces"]) == ("confirmed", "ca", None)
    assert told["counts"] == {
        "total": 1,
        "individuals": 1,
        "organizations": 0,
        "by_statement": {"ca": 1, "us": 0},
    }
    (row,) = await rows(db)
    assert row["id"] == told["id"]
    assert (row["name"], row["locale"], row["listing"]) == ("Zoë Gagné", "fr", "listed")
    assert (row["source"], row["page"]) == ("Newsletter-June", "https://maple.example/a")
    assert (row["origin"], row["origin_flagged"], row["partner_id"]) == (
        "https://maple.example",
        False,
        partner.id,
    )
    assert await told_of(db) == ["signature.created", "signature.confirmed"]


async def test_an_organization_in_json(client: httpx.AsyncClient, db: Db, organization: dict[str, Any]) -> None:
    response = await client.post("/v1/signatures", json=organization)
    assert response.status_code == 201
    assert response.json()["counts"]["organizations"] == 1
    (row,) = await rows(db)
    assert (row["organization"], row["listing"], row["authorized"]) == (
        "Maple & Co <Ltd>",
        "awaiting_review",
        True,
    )
    assert row["statement"] == "us"


async def test_the_same_id_is_one_signature(client: httpx.AsyncClient, db: Db, person: dict[str, str]) -> None:
    person["id"] = str(uuid4())
    first = await client.post("/v1/signatures", data=person)
    again = await client.post("/v1/signatures", data=person | {"name": "Somebody Else", "email": "x@example.org"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"] == person["id"]
    assert again.json()["counts"]["total"] == 1
    assert [row["name"] for row in await rows(db)] == ["Zoë Gagné"]


async def test_who_signs_again_is_answered_alike_and_not_counted(
    client: httpx.AsyncClient, person: dict[str, str]
) -> None:
    first = (await client.post("/v1/signatures", data=person)).json()
    second = await client.post("/v1/signatures", data=person | {"email": "ZOE+again@example.org"})
    assert second.status_code == 201
    told = second.json()
    assert told["id"] != first["id"]
    assert {k: v for k, v in told.items() if k != "id"} == {k: v for k, v in first.items() if k != "id"}


async def test_what_was_shown_is_kept(
    client: httpx.AsyncClient, db: Db, person: dict[str, str], seals: Seals, letter: Letter
) -> None:
    sealed = seal_shown(seals, Shown(letter.id, 1, "0123456789abcdef"))
    await client.post("/v1/signatures", data=person | {"shown": sealed})
    await client.post("/v1/signatures", data=person | {"shown": "forged", "email": "b@example.org"})
    first, second = await rows(db)
    assert (first["shown"], first["text_version"], first["consent_version"]) == (True, 1, "0123456789abcdef")
    assert (second["shown"], second["text_version"]) == (False, 1)
    assert second["consent_version"]


async def test_every_wrong_field_at_once_in_the_signers_language(client: httpx.AsyncClient, db: Db, token: str) -> None:
    sent = {"token": token, "kind": "organization", "email": "nope", "country": "FR", "locale": "fr"}
    document = problem(await client.post("/v1/signatures", data=sent), 422, "invalid")
    assert [(error["field"], error["code"]) for error in document["errors"]] == [
        ("organization", "missing"), ("email", "email"), ("country", "uncovered"), ("authorized", "missing"),
    ]  # fmt: skip
    messages = " ".join(error["message"] for error in document["errors"])
    assert "courriel" in messages
    assert "France" in messages
    assert await rows(db) == []


async def test_who_names_no_language_is_told_in_the_letters_first(
    client: httpx.AsyncClient, live: Live, letter_folder: Path, clock: Clock, token: str
) -> None:
    settings = letter_folder / "letter.toml"
    settings.write_text(settings.read_text("utf-8").replace('["en", "fr"]', '["fr", "en"]'), "utf-8")
    await load_letter(live.site.db, letter_folder, now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    answer = await client.post(
        "/v1/signatures", data={"token": token, "email": "nope"}, headers={"accept-language": ""}
    )
    messages = {error["field"]: error["message"] for error in problem(answer, 422, "invalid")["errors"]}
    assert "courriel" in messages["email"]


async def test_tokens_each_with_an_answer_of_its_own(
    client: httpx.AsyncClient, db: Db, person: dict[str, str], seals: Seals, letter: Letter, live: Live
) -> None:
    async def answer(token: str) -> dict[str, Any]:
        response = await client.post("/v1/signatures", data=person | {"token": token})
        return problem(response, 403, response.json()["code"])

    good = person["token"]
    assert (await answer(""))["code"] == "token_missing"
    assert (await answer(good[:-4]))["code"] == "token_malformed"
    forged = seal_attribution(Seals(["somebody else's key"]), Attribution("letter", "maple", 1))
    assert (await answer(forged))["code"] == "token_forged"
    unknown = seal_attribution(seals, Attribution("letter", "nobody", 1))
    assert (await answer(unknown))["code"] == "token_unknown"

    now = live.site.now()
    rotated = await rotate_partner(db, letter, "maple", now=now, actor="test")
    await live.site.directory.refresh(now_please=True)
    assert (await client.post("/v1/signatures", data=person)).status_code == 201  # the old version still credits
    await revoke_partner(db, letter, "maple", version=1, now=now, actor="test")
    await live.site.directory.refresh(now_please=True)
    assert (await answer(good))["code"] == "token_revoked"
    fresh = seal_attribution(seals, Attribution("letter", "maple", rotated.version))
    assert (await client.post("/v1/signatures", data=person | {"token": fresh})).status_code == 201
    await revoke_partner(db, letter, "maple", version=None, now=now, actor="test")
    await live.site.directory.refresh(now_please=True)
    document = await answer(fresh)
    assert document["code"] == "partner_revoked"
    assert document["letter_url"] == f"{live.url}/letters/letter"


async def test_origins_flagged_or_refused(
    client: httpx.AsyncClient, db: Db, person: dict[str, str], letter: Letter, live: Live
) -> None:
    async def post(origin: str | None, who: str) -> httpx.Response:
        headers = {} if origin is None else {"origin": origin}
        async with httpx.AsyncClient(base_url=live.url, headers=headers) as bare:
            return await bare.post("/v1/signatures", data=person | {"email": f"{who}@example.org"})

    origins = ["https://maple.example", live.url, "https://evil.example", "null", None]
    for number, origin in enumerate(origins):
        assert (await post(origin, f"a{number}")).status_code == 201
    assert [row["origin_flagged"] for row in await rows(db)] == [False, False, True, True, True]

    await set_partner(db, letter, "maple", {"strict_origins": "true"}, now=live.site.now(), actor="test")
    await live.site.directory.refresh(now_please=True)
    answers = [await post(origin, f"b{number}") for number, origin in enumerate(origins)]
    assert [answer.status_code for answer in answers] == [201, 201, 403, 403, 403]
    problem(answers[2], 403, "origin_refused")


async def test_a_letter_that_is_not_open(
    client: httpx.AsyncClient, db: Db, person: dict[str, str], live: Live, clock: Clock
) -> None:
    person["id"] = str(uuid4())
    assert (await client.post("/v1/signatures", data=person)).status_code == 201
    for verb, status in (("pause", "paused"), ("close", "closed")):
        await change_letter_status(db, "letter", verb, now=clock(), actor="test")  # type: ignore[arg-type]
        await live.site.directory.refresh(now_please=True)
        document = problem(await client.post("/v1/signatures", data=person | {"id": ""}), 409, f"not_open_{status}")
        assert document["letter_status"] == status
    again = await client.post("/v1/signatures", data=person)  # its first answer was lost on the way
    assert (again.status_code, again.json()["id"]) == (200, person["id"])


async def test_what_cannot_be_read(client: httpx.AsyncClient, token: str) -> None:
    async def post(content: bytes, kind: str) -> httpx.Response:
        return await client.post("/v1/signatures", content=content, headers={"content-type": kind})

    form, as_json = "application/x-www-form-urlencoded", "application/json"
    problem(await post(b"name=" + b"x" * 17_000, form), 413, "too_large")
    problem(await post(b"<x/>", "text/xml"), 415, "wrong_type")
    problem(await client.post("/v1/signatures", content=b"x"), 415, "wrong_type")
    for body in (b"{", b"[]", b'"x"', b"[" * 9000, b"\xff"):
        problem(await post(body, as_json), 400, "unreadable")
    for body in (b"name=%ff", b"name=\xff", b"&".join(b"a%d=1" % i for i in range(100))):
        problem(await post(body, form), 400, "unreadable")
    problem(await client.get("/v1/signatures"), 405, "method_not_allowed")
    deep = json.dumps({"token": token, "name": {"a": 1}, "kind": ["x"], "email": 1, "country": None})
    errors = problem(await post(deep.encode(), as_json), 422, "invalid")["errors"]
    assert {error["field"]: error["code"] for error in errors} == {
        "kind": "choice", "name": "text", "email": "text", "country": "missing",
    }  # fmt: skip


async def test_a_preflight_is_answered(client: httpx.AsyncClient) -> None:
    response = await client.options("/v1/signatures")
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == "*"
    assert "content-type" in response.headers["access-control-allow-headers"]


async def test_the_honeypot_is_answered_like_a_success_and_counts_for_nothing(
    client: httpx.AsyncClient, db: Db, person: dict[str, str]
) -> None:
    good = (await client.post("/v1/signatures", data=person)).json()
    caught = await client.post("/v1/signatures", data=person | {"hp_contact_2": "x", "email": "bot@example.org"})
    assert caught.status_code == 201
    told = caught.json()
    assert (told["status"], told["counts"], set(told)) == ("confirmed", good["counts"], set(good))
    assert (await rows(db))[1]["quarantine"] == "honeypot,not_shown"
    assert await told_of(db) == ["signature.created", "signature.confirmed"]


async def test_a_test_counts_for_nothing(client: httpx.AsyncClient, db: Db, person: dict[str, str]) -> None:
    told = (await client.post("/v1/signatures", data=person | {"test": "true"})).json()
    assert told["counts"]["total"] == 0
    assert (await rows(db))[0]["test"]
    assert (await client.get("/v1/letters/letter/signatories")).json()["signatories"] == []


async def test_storage_that_refuses_is_a_503_and_nothing_is_stored(
    client: httpx.AsyncClient, db: Db, person: dict[str, str], live: Live
) -> None:
    await live.site.ingest.stop()  # as it is while the server shuts down
    response = await client.post("/v1/signatures", data=person)
    problem(response, 503, "unavailable")
    assert int(response.headers["retry-after"]) >= 1
    assert "retry-after" in response.headers["access-control-expose-headers"].lower()
    assert await rows(db) == []
    await live.site.ingest.start()
    assert (await client.post("/v1/signatures", data=person)).status_code == 201


async def test_a_database_that_does_not_answer_is_a_503(
    client: httpx.AsyncClient, person: dict[str, str], live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(_query: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(live.site.db, "value", gone)
    monkeypatch.setattr(live.site.directory, "_asked_at", float("-inf"))
    problem(await client.post("/v1/signatures", data=person), 503, "unavailable")


async def test_nor_does_one_that_goes_away_in_between(
    client: httpx.AsyncClient, person: dict[str, str], live: Live, letter: Letter, partner: Partner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The letter was found; then the consent wording is looked for, then the key for clients' hashes."""

    async def gone(_query: object) -> None:
        raise ConnectionRefusedError

    await live.site.directory.refresh(now_please=True)
    monkeypatch.setattr(live.site.directory, "refresh", fresh)
    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(live.site.db, "value", gone)
            problem(await client.post("/v1/signatures", data=person), 503, "unavailable")
        await live.site.consents.current(letter, partner)
    assert (await client.post("/v1/signatures", data=person)).status_code == 201


async def fresh(*, now_please: bool = False) -> None:
    """What the directory holds is taken for fresh."""


async def test_a_bug_is_a_500_with_an_id_and_says_nothing_else(
    client: httpx.AsyncClient, person: dict[str, str], live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_signature: object) -> None:
        raise LookupError("zoe@example.org")

    monkeypatch.setattr(live.site.ingest, "add", broken)
    response = await client.post("/v1/signatures", data=person)
    document = problem(response, 500, "internal")
    assert "zoe@example.org" not in response.text
    assert len(document["title"].split()[-1].strip(".")) == 36
