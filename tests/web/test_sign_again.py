"""Signing again, mending an address, and what is kept of consents: over real HTTP, on both engines."""

from __future__ import annotations

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
from widget_server.store.db import Db
from widget_server.store.places import bar_place
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


async def test_mending_does_not_lead_out_of_quarantine(
    client: httpx.AsyncClient, db: Db, person: dict[str, str]
) -> None:
    trapped = await signed(client, person, hp_contact_2="x")
    mended = await signed(client, person, replaces=trapped["replaces"], email="other@example.org")
    assert {id_: row["quarantine"] for id_, row in (await rows(db)).items()} == {mended["id"]: "honeypot"}
    assert await mails(db) == []
    assert await db.all(select(events).where(events.c.signature_id.is_not(None))) == []


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
    row = (await rows(db))[first["id"]]
    async with db.write() as writer:
        await bar_place(writer, letter.id, row["signer_hash"], row["id"])
    again = await signed(client, person)
    assert {k: v for k, v in again.items() if k not in VARIES} == {k: v for k, v in first.items() if k not in VARIES}
    assert (await rows(db))[again["id"]]["quarantine"] == "rejected_before"
    made = await db.all(select(events.c.type).where(events.c.signature_id == again["id"]))
    assert [row["type"] for row in made] == ["signer.mail"], "the ordinary mail, and no event"
