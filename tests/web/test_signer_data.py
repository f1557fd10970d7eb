"""What is kept about a signer: all of it on their page, to read, and as a file; and of quarantine nothing."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path

import httpx
from sqlalchemy import select, update

from tests.conftest import Clock, Live
from tests.web.reading import Elements, drawn, fresh
from tests.web.signing import (
    LinkTo,
    MakeSignature,
    confirmed,
    facts_of,
    http,
    letter_folder,
    link,
    links_of,
    live,
    said,
    signed,
    stored,
    without_tokens,
)
from widget_server.domain.letters import Letter
from widget_server.domain.signatures import Signature
from widget_server.flows.load_letter import load_letter
from widget_server.flows.look import as_seen
from widget_server.flows.own_data import NOTED, TYPED
from widget_server.i18n import LOCALES, Texts
from widget_server.store.db import Db
from widget_server.store.mails import NewMail, promise_mails
from widget_server.store.tables import deliveries, events
from widget_server.web.signer import DONE

__all__ = ["confirmed", "http", "letter_folder", "link", "live", "signed"]


async def test_the_page_shows_everything_that_is_kept(
    http: httpx.AsyncClient, confirmed: MakeSignature, link: LinkTo
) -> None:
    id_ = await confirmed(name="Zoë Gagné", role="Cook", organization="Café", email="zoe@example.org")
    answer = await http.get(link("signer", id_))
    assert answer.status_code == 200
    text = said(answer.text)
    for words in (
        "It has counted since June 20, 2026, 12:00 UTC.",
        "We, the undersigned based in Canada, call on the government to act.",
        "Through Maple House, June 20, 2026, 12:00 UTC",
        "It is shown like this",
        "Cook, Café",
        "zoe@example.org",
        "H2X 1Y4",
        "Montréal",
        "For my neighbours.",
        "newsletter-june",
        "https://maple.example/sign",
        "9,000 ms",
    ):
        assert words in text, words
    assert answer.headers["x-robots-tag"] == "noindex"
    assert answer.headers["cache-control"] == "no-store"
    assert not Elements(answer.text).all("script")
    french = await http.get(link("signer", id_, "?locale=fr"))
    assert Elements(french.text).all("html", lang="fr")
    assert "Elle compte depuis le 20 juin 2026" in said(french.text)
    back = [form["action"] for form in Elements(french.text).all("form")]
    assert all(action.endswith("?locale=fr") for action in back), "the language stays"


async def test_their_data_as_a_file_and_to_read(
    http: httpx.AsyncClient, live: Live, db: Db, clock: Clock, confirmed: MakeSignature, link: LinkTo
) -> None:
    id_ = await confirmed(name="Zoë Gagné", email="zoe@example.org", locale="fr", address_hash="at-zoe")
    other = await confirmed(kind="organization", organization="Café <b>", address_hash="at-zoe")
    await left(db, clock)
    answer = await http.get(link("signer", id_, "/data.json"))
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"] == 'attachment; filename="letter.json"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "access-control-allow-origin" not in answer.headers
    document = answer.json()
    assert document["letter"] == {"slug": "letter", "url": f"{live.url}/letters/letter"}
    first, second = document["signatures"]
    assert (first["id"], second["id"]) == (id_, other)
    assert first["email"] == "zoe@example.org"
    assert first["statement"]["statement"] == "Nous, soussignés établis au Canada, demandons au gouvernement d'agir."
    assert first["partner"] == {"slug": "maple", "name": "Maple House"}
    assert first["confirmed_at"] == "2026-06-20T12:00:00Z"
    assert first["mails"] == [{"mail": "confirm", "at": "2026-06-20T12:00:00Z"}]
    page = await http.get(link("signer", id_, "/data?locale=en"))
    text = said(page.text)
    for value in ("zoe@example.org", "Café <b>", "Nous, soussignés établis au Canada", "to confirm the address"):
        assert value in text
    for value in first.values():
        if isinstance(value, str) and "T12:00" not in value and value not in ("confirmed", "listed", "CA", "fr"):
            assert value in text or value == "individual", value
    assert f"/signatures/{link('signer', id_).rpartition('/')[2]}/data.json?locale=en" in links_of(page.text)


async def test_the_house_asks_for_no_consent_and_none_is_told(
    http: httpx.AsyncClient, live: Live, letter: Letter, confirmed: MakeSignature, link: LinkTo
) -> None:
    house = await live.site.directory.house(letter)
    id_ = await confirmed(partner_id=house.id)
    through_maple = await confirmed(address_hash="at-zoe")
    initiators = ("The initiators may write", "no")
    for rest in ("", "/data"):
        for one, expected in ((id_, [initiators]), (through_maple, [initiators, ("Maple House may write", "no")])):
            page = (await http.get(link("signer", one, rest))).text
            assert [fact for fact in facts_of(page) if fact[0].endswith("may write")] == expected


async def test_a_consent_is_told_with_what_there_is_to_tell(http: httpx.AsyncClient, token: str, link: LinkTo) -> None:
    sent = await drawn(http, f"/en/letters/letter?via={token}")
    typed = {"name": "Zoë", "email": "zoe@example.org", "country": "CA", "contact_opt_in": "true"}
    await http.post("/v1/signatures", data=sent | typed | {"page": "https://maple.example/sign"})
    id_ = sent["id"]
    page = Elements((await http.get(link("signer", id_))).text)
    version = page.all("input", name="initiators.version")[0]["value"]
    for given in ("false", "true"):
        data = {"initiators": given, "initiators.version": version}
        await http.post(link("signer", id_, "/consents"), data=data)
    text = (await http.get(link("signer", id_, "/data"))).text
    parts = text.partition("Consents to e-mail")[2].split("The initiators of the letter")[1:]
    form, ended, again = [dict(facts_of(part)) for part in parts]
    page, proof = "Page on which it was signed", "Proven that this version was on the screen"
    assert form[page] == "https://maple.example/sign"
    assert form["How"] == "in the form"
    assert proof in form
    assert ended == {"How": "on your own page", "Language": "English"}
    assert again["How"] == "on your own page"
    assert again[proof] == "yes"
    assert page not in again


async def left(db: Db, clock: Clock) -> None:
    """The mails that are due leave, and each that asks to confirm promises a reminder."""
    async with db.write() as writer:
        await writer.execute(update(deliveries).values(status="delivered", finished_at=clock(), next_attempt_at=None))
        signers = await writer.all(select(events.c.signature_id).where(events.c.type == "signer.mail"))
        for row in signers:
            due_at = clock() + timedelta(days=2)
            await promise_mails(writer, [NewMail("reminder", 1, None, row["signature_id"], clock(), due_at)])


async def test_a_mail_that_did_not_leave_is_none(
    http: httpx.AsyncClient, db: Db, confirmed: MakeSignature, link: LinkTo
) -> None:
    id_ = await confirmed(name="Zoë Gagné", email="zoe@example.org")
    async with db.write() as writer:
        await writer.execute(update(deliveries).values(status="cancelled", next_attempt_at=None))
    (document,) = (await http.get(link("signer", id_, "/data.json"))).json()["signatures"]
    assert document["mails"] == []


def test_every_column_about_a_signer_is_told_or_stands_here() -> None:
    """What is not told: our own bookkeeping, and what would tell of quarantine."""
    ours = {"seq", "letter_id", "partner_id", "statement", "import_key"}
    theirs = {"quarantine", "address_confirmed_at", "rejected_from", "rejection_id"}
    names = {field.name for field in fields(Signature)}
    assert names - set(TYPED) - set(NOTED) == ours | theirs


def test_every_fact_and_every_message_has_its_words(texts: Texts) -> None:
    for locale in LOCALES:
        keys = texts.keys(locale)
        for name in (*TYPED, *NOTED, "wording", "way", "version", "token_version"):
            assert f"signer.kept.{name}" in keys
        for done in DONE:
            assert f"signer.done.{done}" in keys


async def test_letters_that_confirm_at_once_hide_quarantine_as_well(
    http: httpx.AsyncClient, live: Live, db: Db, letter_folder: Path, signed: MakeSignature, link: LinkTo, clock: Clock
) -> None:
    settings = letter_folder / "letter.toml"
    settings.write_text(settings.read_text("utf-8").replace('"email"', '"none"', 1), "utf-8")
    await load_letter(db, letter_folder, now=clock(), actor="test")
    await fresh(live)
    ordinary = await signed(status="confirmed", confirmed_at=clock(), email="a@example.org")
    hidden = await signed(quarantine="honeypot", email="a@example.org")
    async with db.write() as writer:  # what neither says: a mail that a letter of this kind does not send
        await writer.execute(events.delete().where(events.c.type == "signer.mail"))
    for rest in ("", "/data.json"):
        pages = [(await http.get(link("signer", id_, rest))).text.replace(id_, "ID") for id_ in (ordinary, hidden)]
        assert without_tokens(pages[0]) == without_tokens(pages[1])


async def test_seeing_does_not_touch_what_is_seen(db: Db, letter: Letter, signed: MakeSignature) -> None:
    plain = await stored(db, await signed())
    assert as_seen(letter, plain) is plain
    quarantined = replace(plain, quarantine="fast,not_shown")
    assert as_seen(letter, quarantined) == plain, "one that waits looks as if it waited"
