"""Proof of work over real HTTP, on both engines: who is asked, what it buys, and that it buys it once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import brotli
import httpx
from sqlalchemy import select

from tests.conftest import KEY, Clock
from tests.web.abuse import Http, Serve, http, person, post, serve, shown, solved, somebody
from tests.web.test_letter import Elements
from tests.web.test_sign import problem, rows
from widget_server.app import utc_now
from widget_server.flows.letter_status import change_letter_status
from widget_server.store.db import Db
from widget_server.store.tables import spent_challenges

__all__ = ["http", "person", "serve", "shown"]


async def test_a_challenge_may_be_asked_for(serve: Serve, http: Http, token: str) -> None:
    live = await serve()
    client = http(live)
    answer = await client.get("/v1/challenge", params={"token": token})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "*"
    document = answer.json()
    assert document["challenge"]["parameters"]["data"] == {"t": "letter"}
    problem(await client.get("/v1/challenge"), 403, "token_missing")
    problem(await client.get("/v1/challenge", params={"token": token[:-3]}), 403, "token_malformed")
    off = http(await serve(proof_of_work="off"))
    none = await off.get("/v1/challenge", params={"token": token})
    assert (none.status_code, none.json()) == (200, {"challenge": None, "solver": None})

    script = await client.get(f"/{document['solver']}", headers={"accept-encoding": "identity"})
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert script.headers["access-control-allow-origin"] == "*"
    assert script.headers["vary"] == "Accept-Encoding"
    async with client.stream("GET", f"/{document['solver']}", headers={"accept-encoding": "br"}) as packed:
        assert packed.headers["content-encoding"] == "br"
        raw = b"".join([part async for part in packed.aiter_raw()])
    assert brotli.decompress(raw) == script.content
    assert (await client.get("/pow.0123456789abcdef.js")).status_code == 404


async def needed(client: httpx.AsyncClient, form: dict[str, str], code: str = "work_needed") -> dict[str, Any]:
    """The challenge of a refusal."""
    answer = await post(client, form)
    document = problem(answer, 429, code)
    assert int(answer.headers["retry-after"]) > 0
    assert document["solver"].startswith("pow.")
    assert "calcul" in document["detail"]
    challenge = document["challenge"]
    assert isinstance(challenge, dict)
    return challenge


async def test_always_each_signature_is_worked_for_once(
    serve: Serve, http: Http, db: Db, person: dict[str, str]
) -> None:
    servers = [await serve(proof_of_work="always"), await serve(proof_of_work="always")]
    clients = [http(live) for live in servers]
    problem(await post(clients[0], person | {"email": "nope"}), 422, "invalid")  # nobody works for a mistyped address
    pow_ = solved(await needed(clients[0], person))
    mine = person | {"pow": pow_, "id": str(uuid4())}
    first = await post(clients[0], mine)
    assert (first.status_code, first.json()["counts"]["total"]) == (201, 1)
    for client in clients:
        again = await post(client, mine)
        assert (again.status_code, again.json()["id"]) == (200, mine["id"])
        await needed(client, somebody(person, pow=pow_))  # spent, whichever server took it
    assert len(await rows(db)) == 1
    (spent,) = await db.all(select(spent_challenges))
    assert spent["expires_at"] > utc_now() + timedelta(minutes=19)


async def test_one_work_used_twenty_times_at_once_buys_one(
    serve: Serve, http: Http, db: Db, person: dict[str, str]
) -> None:
    clients = [http(await serve(proof_of_work="always")) for _ in range(2)]
    pow_ = solved(await needed(clients[0], person))
    answers = await asyncio.gather(*(post(clients[n % 2], somebody(person, pow=pow_)) for n in range(20)))
    assert sorted(answer.status_code for answer in answers) == [201] + [429] * 19
    assert len(await rows(db)) == 1


async def test_work_is_for_one_letter_one_time_and_every_key(
    serve: Serve, http: Http, db: Db, person: dict[str, str], clock: Clock
) -> None:
    clock.now = utc_now()
    before = http(await serve(now=clock, proof_of_work="always"))
    live = await serve(now=clock, proof_of_work="always", secret_keys=("a newer key, just as long", KEY))
    after = http(live)
    old = solved(await needed(before, person))
    assert (await post(after, somebody(person, pow=old))).status_code == 201

    late = solved(await needed(after, person))
    clock.advance(20 * 60 + 1)
    await needed(after, somebody(person, pow=late))

    house = await live.site.directory.letter("letter")
    assert house is not None
    other = live.site.signing.gate.work.challenge(replace(house, slug="other"))
    await needed(after, somebody(person, pow=solved(other)))
    for nonsense in ("x", "e30=", "\u00e9" * 30, old[:-8], old[::-1]):
        await needed(after, somebody(person, pow=nonsense))
    assert len(await rows(db)) == 1


async def test_over_the_window_work_is_taken_for_waiting(
    serve: Serve, http: Http, db: Db, person: dict[str, str]
) -> None:
    live = await serve(rate_limit="2/minute")
    client = http(live)
    assert [(await post(client, somebody(person))).status_code for _ in range(2)] == [201, 201]
    wrong = await post(client, somebody(person, email="nope"))
    assert wrong.status_code == 422
    for _ in range(18):
        pow_ = solved(await needed(client, somebody(person), "too_many"))
        assert (await post(client, somebody(person, pow=pow_))).status_code == 201
    beyond = problem(await post(client, somebody(person)), 429, "too_many")
    assert "challenge" not in beyond
    assert "solver" not in beyond
    assert (await post(http(live, client="192.0.2.8"), somebody(person))).status_code == 201
    assert {row["quarantine"] for row in await rows(db)} == {None}


async def test_off_one_waits(serve: Serve, http: Http, person: dict[str, str]) -> None:
    client = http(await serve(rate_limit="1/minute", proof_of_work="off"))
    assert (await post(client, person)).status_code == 201
    answer = await post(client, somebody(person))
    assert "challenge" not in problem(answer, 429, "too_many")
    assert int(answer.headers["retry-after"]) > 0


async def test_whoever_has_signed_need_not_wait_for_the_answer_that_was_lost(
    serve: Serve, http: Http, db: Db, person: dict[str, str]
) -> None:
    mine = person | {"id": str(uuid4())}
    client = http(await serve(rate_limit="1/minute", proof_of_work="off"))
    assert (await post(client, mine)).status_code == 201
    again = await post(client, mine)
    assert (again.status_code, again.json()["id"]) == (200, mine["id"])
    assert (await post(client, somebody(person))).status_code == 429
    always = http(await serve(proof_of_work="always"))
    assert (await post(always, mine)).status_code == 200, "nor work for it"
    assert len(await rows(db)) == 1


async def test_a_form_without_script_waits_and_is_never_asked_to_work(
    serve: Serve, http: Http, person: dict[str, str]
) -> None:
    browser = http(await serve(rate_limit="2/minute", proof_of_work="always"), accept="text/html")
    assert [(await post(browser, somebody(person))).status_code for _ in range(2)] == [201, 201]
    answer = await post(browser, somebody(person))
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    page = Elements(answer.text)
    assert "De nombreuses signatures proviennent de votre réseau." in page.text
    assert page.field("name") == "Zoë Gagné"
    assert "challenge" not in answer.text


async def test_a_flood_of_robots_makes_everybody_work_for_a_while(
    serve: Serve, http: Http, person: dict[str, str]
) -> None:
    live = await serve()
    robots, visitor = http(live, client="198.51.100.1"), http(live)
    assert (await post(visitor, somebody(person))).status_code == 201
    for _ in range(30):
        assert (await post(robots, somebody(person, hp_contact_2="x"))).status_code == 201
    pow_ = solved(await needed(visitor, somebody(person)))
    assert (await post(visitor, somebody(person, pow=pow_))).status_code == 201
    assert (await post(http(live, accept="text/html"), somebody(person))).status_code == 201


async def test_a_closed_letter_asks_for_no_work(
    serve: Serve, http: Http, db: Db, person: dict[str, str], clock: Clock
) -> None:
    live = await serve(proof_of_work="always")
    await change_letter_status(db, "letter", "close", now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    problem(await post(http(live), person), 409, "not_open_closed")
