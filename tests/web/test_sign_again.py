"""Signing again, mending an address, and what is kept of consents: over real HTTP, on both engines."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select

from tests.conftest import Live
from widget_server.domain.letters import Letter
from widget_server.domain.links import open_link, seal_link
from widget_server.domain.tokens import Seals
from widget_server.flows.confirm import confirm
from widget_server.flows.letter_status import change_letter_status
from widget_server.flows.load_letter import load_letter
from widget_server.flows.partners import token_of
from widget_server.store.db import Db
from widget_server.store.new_signatures import write_signatures
from widget_server.store.places import bar_places
from widget_server.store.signatures import find_signature
from widget_server.store.tables import consent_wordings, consents, deliveries, events, signatures

HERE = {"origin": "https://maple.example", "accept": "*/*"}
VARIES = {"id", "counts", "replaces"}


@pytest.fixture
def letter_folder(letter_folder: Path) -> Path:
    """The letter confirms by mail."""
    settings = letter_folder / "letter.toml"
    settings.write_text(settings.read_text("utf-8").replace('confirmation = "none"', 'confirmation = "email"'), "utf-8")
    return letter_folder


@pytest.fixture
async def client(live: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=live.url, headers=HERE) as client:
        yield client


@pytest.fixture
async def person(client: httpx.AsyncClient, token: str) -> dict[str, str]:
    configuration = (await client.get(f"/v1/widget/{token}")).json()
    return {
        "token": token, "kind": "individual", "name": "Zoë Gagné", "email": "zoe@example.org", "country": "CA",
        "locale": "fr", "shown": configuration["shown"], "elapsed": "9000", "page": "https://maple.example/a?x=1#y",
    }  # fmt: skip


async def signed(client: httpx.AsyncClient, form: dict[str, str], **changes: str) -> dict[str, Any]:
    answer = await client.post("/v1/signatures", data={**form, "id": str(uuid4()), **changes})
    assert answer.status_code == 201, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def rows(db: Db) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in await db.all(select(signatures))}


async def mails(db: Db) -> list[str]:
    """The signatures whose signers are promised a mail, in order."""
    query = (
        select(events.c.signature_id)
        .join(deliveries, deliveries.c.event_id == events.c.id)
        .where(deliveries.c.destination_id.is_(None))
        .order_by(events.c.seq)
    )
    return [row["signature_id"] for row in await db.all(query)]


async def test_a_second_signature_is_answered_exactly_like_a_first(
    client: httpx.AsyncClient, live: Live, letter: Letter, db: Db, person: dict[str, str]
) -> None:
    first = await client.post("/v1/signatures", data={**person, "id": str(uuid4())})
    await confirm(live.site.turns, letter, first.json()["id"])
    stranger = await client.post("/v1/signatures", data={**person, "id": str(uuid4()), "email": "new@example.org"})
    second = await client.post("/v1/signatures", data={**person, "id": str(uuid4()), "email": "Zoe+letter@example.org"})
    assert second.status_code == stranger.status_code == 201
    volatile = {"date", "content-length"}
    assert {k: v for k, v in second.headers.items() if k not in volatile} == {
        k: v for k, v in stranger.headers.items() if k not in volatile
    }
    said = [{k: v for k, v in one.json().items() if k not in VARIES} for one in (first, stranger, second)]
    assert said == [{"status": "pending", "statement": "ca"}] * 3
    assert second.json()["counts"] == stranger.json()["counts"]
    assert len(await mails(db)) == 3, "each repeat brings a mail; what it says, only its owner reads"


async def test_whoever_signs_is_one_transaction_of_the_same_statements(
    client: httpx.AsyncClient, live: Live, letter: Letter, db: Db, person: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What the time of an answer is made of. Of one that is set aside nobody is told: one row less among the events,
    in the same statement. Only a filled trap is less, since no mail is promised."""
    confirmed = await signed(client, person)
    await confirm(live.site.turns, letter, confirmed["id"])
    refused = await find_signature(db, (await signed(client, person, email="bob@example.org"))["id"])
    assert refused is not None
    async with db.write() as writer:
        await bar_places(writer, refused)

    transactions: list[list[str]] = []
    transact = Db.transact

    async def spied(self: Db, plan: Any) -> Any:
        if plan.__name__ != write_signatures.__name__:
            return await transact(self, plan)
        transactions.append([])
        return await transact(self, noting(plan, transactions[-1]))

    monkeypatch.setattr(Db, "transact", spied)
    for email in ("new@example.org", "Zoe+letter@example.org", "bob@example.org", "new@mailinator.com"):
        await signed(client, person, email=email)
    first, second, again, blocked = (tuple(re.sub(r"\s+", " ", sql) for sql in seen) for seen in transactions)
    assert second == first
    assert again == blocked
    two, one = (next(sql for sql in seen if sql.startswith("INSERT INTO events")) for seen in (first, blocked))
    assert (two.count("(?"), one.count("(?")) == (2, 1)
    assert blocked == tuple(one if sql == two else sql for sql in first)


def noting(plan: Any, seen: list[str]) -> Any:
    """The same plan; keeps the statements that it takes."""
    answer = None
    try:
        while True:
            step = plan.send(answer)
            seen.append(step.sql)
            answer = yield step
    except StopIteration as end:
        return end.value


async def test_the_same_id_is_answered_as_the_first_time_whatever_has_become_of_it(
    client: httpx.AsyncClient, live: Live, letter: Letter, db: Db, person: dict[str, str]
) -> None:
    form = {**person, "id": str(uuid4())}
    first = await client.post("/v1/signatures", data=form)
    await confirm(live.site.turns, letter, form["id"])
    again = await client.post("/v1/signatures", data=form)
    assert (first.status_code, again.status_code) == (201, 200)
    for key in ("id", "status", "statement"):
        assert again.json()[key] == first.json()[key]
    assert len(await mails(db)) == 1


async def test_the_same_id_is_answered_as_the_first_time_whatever_comes_with_it(
    client: httpx.AsyncClient, db: Db, person: dict[str, str]
) -> None:
    form = {**person, "id": str(uuid4())}
    first = (await client.post("/v1/signatures", data=form)).json()
    for other in ({**form, "email": "nope"}, {"token": form["token"], "id": form["id"]}):
        again = await client.post("/v1/signatures", data=other)
        assert (again.status_code, again.json()["id"], again.json()["status"]) == (200, first["id"], "pending")
    wrong = await client.post("/v1/signatures", data={**form, "id": str(uuid4()), "email": "nope"})
    assert wrong.status_code == 422
    assert len(await rows(db)) == 1


async def test_an_id_of_another_letter_is_refused_and_nothing_is_lost_in_silence(
    client: httpx.AsyncClient, live: Live, letter_folder: Path, db: Db, person: dict[str, str]
) -> None:
    settings = letter_folder / "letter.toml"
    settings.write_text(settings.read_text("utf-8").replace('slug = "letter"', 'slug = "other"'), "utf-8")
    await load_letter(db, letter_folder, now=live.site.now(), actor="test")
    await change_letter_status(db, "other", "open", now=live.site.now(), actor="test")
    await live.site.directory.refresh(now_please=True)
    other = await live.site.directory.letter("other")
    assert other is not None
    house = token_of(live.site.seals, other, await live.site.directory.house(other))
    form = {**person, "id": str(uuid4())}
    await client.post("/v1/signatures", data=form)
    elsewhere = await client.post("/v1/signatures", data={**form, "token": house})
    assert elsewhere.status_code == 422
    (error,) = elsewhere.json()["errors"]
    assert (error["field"], error["code"]) == ("id", "taken")
    assert "autre lettre" in error["message"]
    closed = await client.post("/v1/signatures", data={"token": house, "id": form["id"]})
    assert closed.status_code == 422, "nor is it answered with what this letter does not have"


async def test_a_mistyped_address_is_mended_and_the_first_link_dies(
    client: httpx.AsyncClient, live: Live, letter: Letter, db: Db, person: dict[str, str], seals: Seals
) -> None:
    wrong = await signed(client, person, email="zoe@exmaple.org", contact_opt_in="true")
    right = await signed(client, person, replaces=wrong["replaces"])
    kept = await rows(db)
    assert kept.keys() == {right["id"]}, "the other address is somebody else's: nothing of it stays"
    assert [row["signature_id"] for row in await db.all(select(consents))] == []
    about = events.c.signature_id.is_not(None) & (events.c.type != "signer.mail")
    told = await db.all(select(events.c.type, events.c.signature_id).where(about).order_by(events.c.seq))
    assert [(row["type"], row["signature_id"]) for row in told] == [
        ("signature.created", wrong["id"]),
        ("signature.withdrawn", wrong["id"]),
        ("signature.created", right["id"]),
    ]
    link = open_link(seals, "confirm", seal_link(seals, "confirm", wrong["id"], live.site.now()))
    assert (await confirm(live.site.turns, letter, link.signature_id)).ended == "gone"
    assert (await confirm(live.site.turns, letter, right["id"])).ended == "confirmed"

    late = await signed(client, person, replaces=right["replaces"], email="other@example.org")
    assert {k: v for k, v in late.items() if k not in VARIES} == {"status": "pending", "statement": "ca"}
    assert (await rows(db)).keys() == {right["id"], late["id"]}, "no longer pending: it stays, the new one is its own"


@pytest.mark.parametrize("handle", ["", "nonsense", "eyJ.x", "a" * 5000])
async def test_a_handle_that_is_not_ours_is_ignored(
    client: httpx.AsyncClient, db: Db, person: dict[str, str], handle: str
) -> None:
    first = await signed(client, person)
    second = await signed(client, person, replaces=handle)
    other = await signed(client, person, replaces=second["replaces"][:-3] + "abc")
    assert (await rows(db)).keys() == {first["id"], second["id"], other["id"]}


TRAP, ODD = {"hp_contact_2": "x"}, {"elapsed": "1", "shown": ""}
THROWAWAY = {"email": "zoe@mailinator.com"}


@pytest.mark.parametrize(
    ("first", "then", "codes"),
    [
        (THROWAWAY, {}, None),
        (THROWAWAY | {"elapsed": "1"}, {}, None),
        (THROWAWAY, THROWAWAY, "blocked"),
        ({}, THROWAWAY, "blocked"),
        (TRAP, {}, "honeypot"),
        (TRAP | THROWAWAY, {}, "honeypot"),
        (TRAP, THROWAWAY, "honeypot,blocked"),
        (ODD, {}, "fast,not_shown"),
        (ODD | THROWAWAY, {}, "fast,not_shown"),
    ],
)  # fmt: skip
async def test_mending_leads_out_of_quarantine_only_where_the_address_led_into_it(
    client: httpx.AsyncClient, db: Db, person: dict[str, str], first: dict[str, str], then: dict[str, str],
    codes: str | None,
) -> None:  # fmt: skip
    wrong = await signed(client, person, **first)
    right = await signed(client, person, **({"email": "other@example.org"} | then), replaces=wrong["replaces"])
    assert {k: v for k, v in right.items() if k not in VARIES} == {k: v for k, v in wrong.items() if k not in VARIES}
    assert {id_: row["quarantine"] for id_, row in (await rows(db)).items()} == {right["id"]: codes}
    trapped = "honeypot" in str(codes)
    assert await mails(db) == ([] if "hp_contact_2" in first else [wrong["id"]]) + ([] if trapped else [right["id"]])
    made = await db.all(select(events.c.type).where(events.c.signature_id == right["id"]).order_by(events.c.seq))
    told = [] if codes else ["signature.created"]
    assert [row["type"] for row in made] == told + ([] if trapped else ["signer.mail"])


async def test_whoever_mends_a_blocked_address_at_once_counts_once_confirmed(
    client: httpx.AsyncClient, live: Live, letter: Letter, db: Db, person: dict[str, str]
) -> None:
    wrong = await signed(client, person, **THROWAWAY)
    right = await signed(client, person, replaces=wrong["replaces"])
    assert (await confirm(live.site.turns, letter, right["id"])).ended == "confirmed"
    assert (await rows(db))[right["id"]]["status"] == "confirmed"
    assert (await signed(client, person, email="other@example.org"))["counts"]["total"] == 1


async def test_a_slip_in_a_providers_name_is_asked_to_be_confirmed_like_any_address(
    client: httpx.AsyncClient, db: Db, person: dict[str, str]
) -> None:
    slip = await signed(client, person, email="zoe@gmial.com")
    assert (await rows(db))[slip["id"]]["quarantine"] is None


async def test_tests_and_traps_get_no_mail(client: httpx.AsyncClient, db: Db, person: dict[str, str]) -> None:
    await signed(client, person, test="true")
    await signed(client, person, hp_contact_2="x")
    assert await mails(db) == []
    real = await signed(client, person)
    assert await mails(db) == [real["id"]]


async def test_each_box_that_was_ticked_is_kept_as_proof(
    client: httpx.AsyncClient, db: Db, person: dict[str, str], letter: Letter
) -> None:
    ticked = await signed(client, person, contact_opt_in="true")
    await signed(client, person, email="unticked@example.org")
    unseen = await signed(client, {k: v for k, v in person.items() if k != "shown"}, contact_opt_in="true")
    kept = {row["signature_id"]: row for row in await db.all(select(consents))}
    assert kept.keys() == {ticked["id"], unseen["id"]}
    one = kept[ticked["id"]]
    assert (one["purpose"], bool(one["given"]), one["way"], one["locale"]) == ("initiators", True, "form", "fr")
    assert (one["page"], one["token_version"], bool(one["shown"])) == ("https://maple.example/a", 1, True)
    wording = await db.value(select(consent_wordings.c.wording).where(consent_wordings.c.version == one["version"]))
    assert "The Harbour Coalition" in wording["fr"]["initiators"]
    assert not kept[unseen["id"]]["shown"], "we do not know what was before their eyes, and say so"


async def test_whoever_was_refused_is_answered_like_everybody_and_quarantined(
    client: httpx.AsyncClient, db: Db, person: dict[str, str], letter: Letter
) -> None:
    first = await signed(client, person)
    signature = await find_signature(db, first["id"])
    assert signature is not None
    async with db.write() as writer:
        await bar_places(writer, signature)
    again = await signed(client, person)
    assert {k: v for k, v in again.items() if k not in VARIES} == {k: v for k, v in first.items() if k not in VARIES}
    assert (await rows(db))[again["id"]]["quarantine"] == "rejected_before"
    made = await db.all(select(events.c.type).where(events.c.signature_id == again["id"]))
    assert [row["type"] for row in made] == ["signer.mail"], "the ordinary mail, and no event"
