"""The consents on a signer's own page: each apart, in the words that were there, and with a way back."""

from __future__ import annotations

import httpx

from tests.conftest import Clock, Live
from tests.web.reading import Elements, fresh
from tests.web.signing import (
    LinkTo,
    MakeSignature,
    confirmed,
    facts_of,
    http,
    letter_folder,
    link,
    live,
    said,
    signed,
    stored,
    total,
)
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.flows.partners import add_partner, revoke_partner, set_partner
from widget_server.store.consents import consents_of
from widget_server.store.db import Db

__all__ = ["confirmed", "http", "letter_folder", "link", "live", "signed"]

IDENTITY = {
    "legal_name": "Maple House Society",
    "postal_address": "7 Example Road, Vancouver BC",
    "privacy_url": "https://maple.example/privacy",
    "contact_email": "hi@maple.example",
}


async def test_each_consent_stands_apart_and_is_kept_with_its_words(
    http: httpx.AsyncClient, live: Live, db: Db, letter: Letter, partner: Partner, confirmed: MakeSignature,
    link: LinkTo, clock: Clock,
) -> None:  # fmt: skip
    await set_partner(db, letter, "maple", IDENTITY, now=clock(), actor="test")
    await fresh(live)
    id_ = await confirmed()
    page = Elements((await http.get(link("signer", id_))).text)
    boxes = page.all("input", type="checkbox")
    assert [box["name"] for box in boxes] == ["initiators", "partner.maple"]
    assert not [box for box in boxes if "checked" in box], "no box comes ticked"
    version = page.all("input", name="partner.maple.version")[0]["value"]
    sent = {"initiators": "false", "initiators.version": version, "partner.maple.version": version}
    path = link("signer", id_, "/consents?locale=fr")
    given = await http.post(path, data=sent | {"partner.maple": "true"})
    assert given.headers["location"] == link("signer", id_, "?done=consents&locale=fr")
    now = await stored(db, id_)
    assert (now.contact_opt_in, now.partner_opt_in) == (False, True)
    (record,) = await consents_of(db, [id_])
    assert (record.purpose, record.partner_id, record.given, record.way) == ("partner", partner.id, True, "page")
    assert (record.version, record.locale, record.shown) == (version, "fr", True), "the words that were on the page"
    assert record.page == f"{live.url}/signatures", "without the token"
    (ticked,) = Elements((await http.get(link("signer", id_))).text).all("input", type="checkbox", checked="")
    assert ticked["name"] == "partner.maple"
    assert (await http.post(path, data=sent)).headers["location"].endswith("done=unchanged&locale=fr")
    await http.post(path, data={"initiators": "true", "initiators.version": version})
    now = await stored(db, id_)
    assert (now.contact_opt_in, now.partner_opt_in) == (True, True), "what the form did not have stays"
    await http.post(path, data={"partner.maple": "false"})
    now = await stored(db, id_)
    assert (now.contact_opt_in, now.partner_opt_in) == (True, False)
    assert [one.given for one in await consents_of(db, [id_])] == [True, True, False]
    data = (await http.get(link("signer", id_, "/data.json"))).json()["signatures"][0]
    assert [one["given"] for one in data["consents"]] == [True, True, False]
    assert "Maple House Society peut m’écrire" in data["consents"][0]["wording"]


async def test_nothing_is_agreed_to_in_words_that_were_not_there(
    http: httpx.AsyncClient, live: Live, db: Db, letter: Letter, confirmed: MakeSignature, link: LinkTo, clock: Clock
) -> None:
    id_ = await confirmed(partner_opt_in=True)
    page = Elements((await http.get(link("signer", id_))).text)
    version = page.all("input", name="initiators.version")[0]["value"]
    await set_partner(db, letter, "maple", IDENTITY, now=clock(), actor="test")
    await fresh(live)
    answer = await http.post(
        link("signer", id_, "/consents"), data={"initiators": "true", "initiators.version": version}
    )
    assert answer.headers["location"] == link("signer", id_, "?done=reworded")
    assert not (await stored(db, id_)).contact_opt_in
    for forged in ({"initiators": "true"}, {"initiators": "true", "initiators.version": "0" * 16}):
        await http.post(link("signer", id_, "/consents"), data=forged)
        assert not (await stored(db, id_)).contact_opt_in


async def test_a_consent_can_be_taken_back_when_its_sender_is_named_no_longer(
    http: httpx.AsyncClient, live: Live, db: Db, letter: Letter, confirmed: MakeSignature, link: LinkTo, clock: Clock
) -> None:
    id_ = await confirmed(partner_opt_in=True)
    never = await confirmed()
    for _ in range(2):
        page = await http.get(link("signer", id_))
        (box,) = Elements(page.text).all("input", type="checkbox", checked="")
        assert box["name"] == "partner.maple"
        assert "Maple House may write to me" in said(page.text)
        nobody = Elements((await http.get(link("signer", never))).text).all("input", name="partner.maple")
        assert nobody == [], "it is not offered"
        await revoke_partner(db, letter, "maple", now=clock(), actor="test")
        await fresh(live)
    await http.post(link("signer", id_, "/consents"), data={"partner.maple": "true", "partner.maple.version": ""})
    assert (await stored(db, id_)).partner_opt_in
    await http.post(link("signer", id_, "/consents"), data={"partner.maple": "false"})
    assert not (await stored(db, id_)).partner_opt_in
    await http.post(link("signer", id_, "/consents"), data={"partner.maple": "true", "partner.maple.version": ""})
    assert not (await stored(db, id_)).partner_opt_in, "and cannot be given anew"


async def test_who_signed_through_two_partners_has_one_page(
    http: httpx.AsyncClient, live: Live, db: Db, letter: Letter, confirmed: MakeSignature, link: LinkTo, clock: Clock
) -> None:
    await set_partner(db, letter, "maple", IDENTITY, now=clock(), actor="test")
    await add_partner(db, letter, "birch", name="Birch", origins=["https://birch.example"], now=clock(), actor="test")
    await fresh(live)
    birch = await live.site.directory.partner(letter.id, "birch")
    assert birch is not None
    same = {"signer_hash": "zoe", "address_hash": "at-zoe", "email": "zoe@example.org"}
    first = await confirmed(**same, name="Zoë")
    assist = await confirmed(**same, name="Z. Gagné", partner_id=birch.id, partner_opt_in=True)
    for text in [(await http.get(link("signer", id_))).text for id_ in (first, assist)]:
        page = Elements(text)
        assert page.field("name") == "Zoë", "the one that counts"
        assert [box["name"] for box in page.all("input", type="checkbox")] == [
            "initiators", "partner.maple", "partner.birch",
        ]  # fmt: skip
        assert [box["name"] for box in page.all("input", checked="")] == ["partner.birch"]
        kept = [fact for fact in facts_of(text) if fact[0].endswith("may write")]
        assert kept == [("The initiators may write", "no"), ("Maple House may write", "no"), ("Birch may write", "yes")]
    await http.post(link("signer", assist, "/correct"), data={"name": "Zoë Gagné"})
    assert (await stored(db, first)).name == "Zoë Gagné"
    await http.post(link("signer", first, "/consents"), data={"partner.birch": "false"})
    assert not (await stored(db, assist)).partner_opt_in
    data = (await http.get(link("signer", first, "/data.json"))).json()["signatures"]
    assert [one["id"] for one in data] == [first, assist]
    await http.post(link("signer", assist, "/withdraw"))
    assert [(await stored(db, id_)).status for id_ in (first, assist)] == ["withdrawn", "withdrawn"]
    assert await total(db) == 0
