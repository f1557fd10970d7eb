"""/signatures/TOKEN: a signer sees all that is kept, and changes, takes back and erases it."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select, update

from tests.conftest import Clock, Live
from tests.web.reading import Elements, drawn, fresh
from tests.web.signing import (
    LinkTo,
    MakeSignature,
    confirmed,
    every_row,
    http,
    letter_folder,
    link,
    links_of,
    live,
    said,
    signed,
    stored,
    total,
    without_tokens,
)
from widget_server.domain.letters import Letter
from widget_server.flows.load_letter import load_letter
from widget_server.store.db import Db
from widget_server.store.signatures import find_signature
from widget_server.store.tables import events, signatures

__all__ = ["confirmed", "http", "letter_folder", "link", "live", "signed"]


async def test_a_link_that_is_over_leads_to_a_fresh_one_and_does_nothing(
    http: httpx.AsyncClient, db: Db, confirmed: MakeSignature, link: LinkTo, clock: Clock
) -> None:
    id_ = await confirmed(name="Zoë Gagné", email="zoe@example.org")
    old = clock()
    clock.advance(14 * 86_400)
    before = await every_row(db)
    for rest in ("", "/data", "/data.json", "/withdraw", "/erase", "/not-me"):
        answer = await http.get(link("signer", id_, rest, at=old))
        assert answer.status_code == 410
        assert "Zoë Gagné" not in answer.text
        assert "zoe@example.org" not in answer.text
        assert any("/my-signature" in href for href in links_of(answer.text))
    for rest in ("/correct", "/name", "/consents", "/withdraw", "/erase", "/not-me"):
        answer = await http.post(link("signer", id_, rest, at=old), data={"name": "X", "public": "false"})
        assert answer.status_code == 410
    assert await every_row(db) == before


async def test_correcting_keeps_what_was_typed_and_tells_every_problem(
    http: httpx.AsyncClient, live: Live, db: Db, confirmed: MakeSignature, link: LinkTo
) -> None:
    id_ = await confirmed(name="Zoe")
    path = link("signer", id_, "/correct")
    wrong = await http.post(path, data={"name": " ", "role": "www.x.example", "city": "M\x00", "organization": "Typed"})
    assert wrong.status_code == 422
    page = Elements(wrong.text)
    summary = wrong.text.partition('id="errors"')[2].partition("</ul>")[0]
    assert [part.partition('"')[0] for part in summary.split('href="#')[1:]] == ["name", "role", "city"]
    assert page.all("details", open="")
    assert page.all("div", id="errors", autofocus="")
    assert page.field("organization") == "Typed"
    assert (await stored(db, id_)).name == "Zoe"
    right = await http.post(path, data={"name": "Zoë  Gagné", "role": "", "city": "Québec", "email": "x@example.org"})
    assert (right.status_code, right.headers["location"]) == (303, link("signer", id_, "?done=corrected"))
    now = await stored(db, id_)
    assert (now.name, now.role, now.city) == ("Zoë Gagné", None, "Québec")
    assert now.email != "x@example.org", "an address is not corrected: nobody has confirmed the other one"
    assert "Your correction is saved." in said((await http.get(right.headers["location"])).text)
    await fresh(live)
    assert "Zoë Gagné" in (await http.get("/en/letters/letter")).text
    types = [row["type"] for row in await db.all(select(events).where(events.c.signature_id == id_))]
    assert types.count("signature.updated") == 1
    again = await http.post(path, data={"name": "Zoë Gagné"})
    assert again.headers["location"].endswith("?done=unchanged")


async def test_an_organization_that_signed_twice_cannot_become_one(
    http: httpx.AsyncClient, live: Live, letter: Letter, link: LinkTo, db: Db, clock: Clock
) -> None:
    """Through the front door, so that the signers' hashes are real ones."""
    ids = []
    for name in ("Harbour", "Lighthouse"):
        form = await drawn(http, "/en/letters/letter")
        form |= {"kind": "organization", "organization": name, "authorized": "true", "country": "CA"}
        answer = await http.post("/v1/signatures", data=form | {"email": "zoe@example.org"})
        assert answer.status_code == 201
        ids.append(form["id"])
        await http.post(link("confirm", form["id"]))
    page = await http.get(link("signer", ids[1]))
    assert "It is not shown yet" in said(page.text)
    (other,) = [href for href in links_of(page.text) if href.startswith("/signatures/") and "/" not in href[12:]]
    assert "Harbour" in Elements((await http.get(other)).text).text, "the other one of the same mailbox"
    refused = await http.post(link("signer", ids[1], "/correct"), data={"organization": "The Harbour"})
    assert refused.status_code == 422
    assert "You have signed for this organization already." in said(refused.text)


async def test_a_link_to_another_signature_does_not_live_longer(
    http: httpx.AsyncClient, confirmed: MakeSignature, link: LinkTo, clock: Clock
) -> None:
    one = await confirmed(address_hash="at-zoe")
    await confirmed(address_hash="at-zoe", kind="organization", organization="Harbour")
    start = clock()
    clock.advance(13 * 86_400)
    page = await http.get(link("signer", one, at=start))
    (other,) = [href for href in links_of(page.text) if href.startswith("/signatures/") and "/" not in href[12:]]
    assert (await http.get(other)).status_code == 200
    clock.advance(86_400)
    assert (await http.get(other)).status_code == 410


async def test_a_name_is_hidden_and_shown(
    http: httpx.AsyncClient, live: Live, db: Db, confirmed: MakeSignature, link: LinkTo
) -> None:
    id_ = await confirmed(name="Zoë Gagné")
    path = link("signer", id_, "/name")
    for public, done, listed in (("false", "hidden", False), ("false", "hidden", False), ("true", "shown", True)):
        answer = await http.post(path, data={"public": public})
        assert answer.headers["location"] == link("signer", id_, f"?done={done}")
        await fresh(live)
        assert ("Zoë Gagné" in (await http.get("/en/letters/letter")).text) == listed
        page = said((await http.get(answer.headers["location"])).text)
        assert ("Nobody but you can change that." in page) != listed
    assert (await http.post(path)).headers["location"].endswith("unchanged"), "an empty body hides nobody"
    organization = await confirmed(kind="organization", organization="Harbour")
    await http.post(link("signer", organization, "/name"), data={"public": "false"})
    assert (await stored(db, organization)).public
    assert await total(db) == 2


async def test_what_staff_hid_stays_hidden(
    http: httpx.AsyncClient, db: Db, confirmed: MakeSignature, link: LinkTo
) -> None:
    id_ = await confirmed()
    async with db.write() as writer:
        await writer.execute(update(signatures).where(signatures.c.id == id_).values(listing="hidden_by_staff"))
    assert "do not show it at the moment" in said((await http.get(link("signer", id_))).text)
    await http.post(link("signer", id_, "/name"), data={"public": "false"})
    await http.post(link("signer", id_, "/name"), data={"public": "true"})
    assert (await stored(db, id_)).listing == "hidden_by_staff"


async def test_taking_back(http: httpx.AsyncClient, db: Db, confirmed: MakeSignature, link: LinkTo) -> None:
    id_ = await confirmed(contact_opt_in=True)
    path = link("signer", id_, "/withdraw")
    assert "Take back your signature?" in said((await http.get(path)).text)
    for _ in range(2):
        answer = await http.post(path)
        assert answer.headers["location"] == link("signer", id_, "?done=withdrawn")
    assert await total(db) == 0
    page = await http.get(link("signer", id_))
    assert page.status_code == 200
    text = said(page.text)
    assert "You took it back." in text
    paths = {href.partition("?")[0].rpartition("/")[2] for href in links_of(page.text)}
    assert {"erase", "data", "data.json"} <= paths
    assert not {"withdraw", "not-me"} & paths
    assert not Elements(page.text).all("form")
    for rest, fields_ in (("/correct", {"name": "X"}), ("/name", {"public": "false"}), ("/consents", {})):
        await http.post(link("signer", id_, rest), data=fields_)
    assert (await stored(db, id_)).name == "Zoë Gagné"
    assert (await http.get(link("signer", id_, "/data.json"))).json()["signatures"][0]["status"] == "withdrawn"
    assert (await http.post(link("signer", id_, "/erase"))).status_code == 200
    assert await find_signature(db, id_) is None


@pytest.mark.parametrize(("way", "words"), [("erase", "Everything is erased"), ("not-me", "It is erased")])
async def test_erasing_leaves_nothing(
    http: httpx.AsyncClient, db: Db, confirmed: MakeSignature, link: LinkTo, way: str, words: str
) -> None:
    id_ = await confirmed(name="Zoë Gagné", email="zoe@example.org", contact_opt_in=True)
    path = link("signer", id_, f"/{way}")
    assert (await http.get(path)).status_code == 200
    assert await total(db) == 1
    for _ in range(2):
        answer = await http.post(path)
        assert answer.status_code == 200
        assert words in said(answer.text)
    assert await total(db) == 0
    rows = json.dumps(await every_row(db))
    assert "Gagné" not in rows
    assert "zoe@example.org" not in rows
    for rest in ("", "/data", "/data.json", "/erase"):
        gone = await http.get(link("signer", id_, rest))
        assert gone.status_code == 404
        assert "not kept here any more" in said(gone.text)
    assert (await http.post(link("signer", id_, "/correct"), data={"name": "X"})).status_code == 404


async def test_changes_at_once_leave_a_true_count(
    http: httpx.AsyncClient, db: Db, confirmed: MakeSignature, link: LinkTo
) -> None:
    ids = [await confirmed() for _ in range(4)]
    assert await total(db) == 4
    changes = [
        ("erase", {}),
        ("withdraw", {}),
        ("not-me", {}),
        ("name", {"public": "false"}),
        ("correct", {"name": "A"}),
    ]
    answers = await asyncio.gather(
        *(http.post(link("signer", id_, f"/{way}"), data=data) for way, data in changes * 2 for id_ in ids[:3])
    )
    assert {answer.status_code for answer in answers} <= {200, 303, 404}
    assert [await find_signature(db, id_) for id_ in ids[:3]] == [None] * 3
    assert await total(db) == 1


async def test_a_waiting_one_can_be_confirmed_from_its_page(
    http: httpx.AsyncClient, live: Live, db: Db, signed: MakeSignature, link: LinkTo, letter_folder: Path, clock: Clock
) -> None:
    id_ = await signed()
    page = await http.get(link("signer", id_))
    assert "It waits for your confirmation" in said(page.text)
    (confirm,) = [href for href in links_of(page.text) if href.startswith("/confirm/")]
    await http.post(confirm)
    assert (await stored(db, id_)).status == "confirmed"
    late = await signed()
    closes_at = (clock() - timedelta(hours=73)).isoformat()
    settings = letter_folder / "letter.toml"
    settings.write_text(f"closes_at = {closes_at}\n{settings.read_text('utf-8')}", "utf-8")
    await load_letter(db, letter_folder, now=clock(), actor="test")
    await fresh(live)
    closed = await http.get(link("signer", late))
    assert "was not confirmed in time" in said(closed.text)
    assert not [href for href in links_of(closed.text) if href.startswith("/confirm/")]


async def test_no_message_but_our_own(http: httpx.AsyncClient, confirmed: MakeSignature, link: LinkTo) -> None:
    id_ = await confirmed()
    plain = await http.get(link("signer", id_))
    for query in ("?done=<script>", "?done=", "?done=page", "?locale=de", "?locale=<b>"):
        other = await http.get(link("signer", id_, query))
        assert without_tokens(other.text) == without_tokens(plain.text)
