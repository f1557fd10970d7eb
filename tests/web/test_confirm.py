"""/confirm/TOKEN: what its page says, what a press does, and what following it never does."""

from __future__ import annotations

import asyncio
from html import unescape

import httpx
import pytest
from sqlalchemy import select, update

from tests.conftest import Clock, Live
from tests.web.reading import EVIL, Elements, fresh, status
from tests.web.signing import (
    LinkTo,
    MakeSignature,
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
from widget_server.domain.tokens import open_attribution
from widget_server.flows.load_letter import load_letter
from widget_server.flows.partners import add_partner
from widget_server.flows.withdraw import withdraw
from widget_server.store.db import Db
from widget_server.store.signatures import find_signature
from widget_server.store.tables import consents, events, signatures, text_versions

__all__ = ["http", "letter_folder", "link", "live", "signed"]


async def test_the_page_shows_what_is_signed_and_asks_for_one_press(
    http: httpx.AsyncClient, signed: MakeSignature, link: LinkTo
) -> None:
    id_ = await signed(name="Zoë Gagné", role="Cook", organization="Café")
    answer = await http.get(link("confirm", id_))
    assert answer.status_code == 200
    page = Elements(answer.text)
    assert page.all("html", lang="en")
    assert "We, the undersigned based in Canada, call on the government to act." in page.text
    assert "Zoë Gagné" in page.text
    assert "Cook, Café" in page.text
    (form,) = page.all("form")
    assert (form["method"], form["action"]) == ("post", link("confirm", id_))
    assert not page.all("input"), "an empty body is all it takes"
    assert len(page.all("button")) == 1
    assert "Confirm my signature" in page.text
    assert {link("confirm", id_, "/name"), link("confirm", id_, "/not-me")} <= set(links_of(answer.text))
    assert page.all("meta", name="robots", content="noindex")
    assert not page.all("script")


async def test_the_answers_keep_to_themselves(http: httpx.AsyncClient, signed: MakeSignature, link: LinkTo) -> None:
    id_ = await signed()
    for answer in (await http.get(link("confirm", id_)), await http.post(link("confirm", id_))):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["x-robots-tag"] == "noindex"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "set-cookie" not in answer.headers
        foreign = [href for href in links_of(answer.text) if not href.startswith(("/", "?", "#", "mailto:"))]
        assert foreign == []


async def test_they_sign_the_words_that_they_saw(
    http: httpx.AsyncClient, live: Live, db: Db, signed: MakeSignature, link: LinkTo, letter: Letter, clock: Clock,
    letter_folder: object,
) -> None:  # fmt: skip
    id_ = await signed(locale="fr")
    folder = letter_folder
    settings = folder / "letter.toml"  # type: ignore[operator]
    settings.write_text(settings.read_text("utf-8").replace("demandons au gouvernement d'agir", "AUTRE"), "utf-8")
    await load_letter(db, folder, now=clock(), actor="test")  # type: ignore[arg-type]
    await fresh(live)
    assert len(await db.all(select(text_versions))) == 2
    page = said((await http.get(link("confirm", id_))).text)
    assert "Nous, soussignés établis au Canada, demandons au gouvernement d’agir." in page
    assert "AUTRE" not in page
    english = (await http.get(link("confirm", id_, "?locale=en"))).text
    assert Elements(english).all("html", lang="en")
    assert Elements(english).all("blockquote", lang="fr"), "the page is English, what was signed is not"
    assert "demandons au gouvernement d’agir" in unescape(english)
    assert link("confirm", id_, "?locale=en") in [form["action"] for form in Elements(english).all("form")]


async def test_one_press_counts_and_a_second_does_no_harm(
    http: httpx.AsyncClient, live: Live, db: Db, signed: MakeSignature, link: LinkTo
) -> None:
    id_ = await signed(name="Zoë Gagné")
    first = await http.post(link("confirm", id_))
    assert first.status_code == 200
    assert (await stored(db, id_)).status == "confirmed"
    text = said(first.text)
    assert "Thank you. Your signature counts." in text
    assert "Yours is the first signature." in text
    assert "Your name appears in the public list" in text
    again = await http.post(link("confirm", id_), data={"anything": "else"})
    seen = await http.get(link("confirm", id_))
    assert without_tokens(again.text) == without_tokens(seen.text)
    assert said(seen.text) == text.replace("Your name appears in the public list within a few seconds. ", "")
    assert await total(db) == 1
    other = await signed()
    assert "Together we are now 2." in said((await http.post(link("confirm", other))).text)


async def test_thanks_credit_the_partner_and_lead_to_the_own_page(
    http: httpx.AsyncClient, live: Live, signed: MakeSignature, link: LinkTo
) -> None:
    id_ = await signed()
    answer = await http.post(link("confirm", id_))
    page = Elements(answer.text)
    (share,) = page.all("input", readonly="")
    via = httpx.URL(share["value"]).params["via"]
    assert open_attribution(live.site.seals, via).partner == "maple"
    (own,) = [href for href in links_of(answer.text) if href.startswith("/signatures/")]
    assert (await http.get(own)).status_code == 200


@pytest.mark.parametrize(
    ("more", "before", "after"),
    [
        ({"public": False, "listing": "hidden_by_signer"}, "will not be shown", "your name is not shown"),
        (
            {"kind": "organization", "organization": "Harbour", "name": "A Representative"},
            "Once the authors of the letter have reviewed it",
            "once the authors of the letter have reviewed it",
        ),
    ],
)
async def test_where_the_name_appears(
    http: httpx.AsyncClient, signed: MakeSignature, link: LinkTo, more: dict[str, object], before: str, after: str
) -> None:
    id_ = await signed(**more)
    page = said((await http.get(link("confirm", id_))).text)
    assert before in page
    assert "A Representative" not in page, "whoever signs for an organization is never shown"
    assert ("Zoë Gagné" in page) == False  # noqa: E712  a hidden name is not shown as it will appear
    assert after in said((await http.post(link("confirm", id_))).text)


async def test_whoever_had_signed_already_is_thanked(
    http: httpx.AsyncClient, live: Live, db: Db, letter: Letter, signed: MakeSignature, link: LinkTo, clock: Clock
) -> None:
    same = {"signer_hash": "zoe", "address_hash": "at-zoe", "email": "zoe@example.org"}
    await add_partner(
        db, letter, "birch", name="Birch <b>", origins=["https://birch.example"], now=clock(), actor="test"
    )
    await fresh(live)
    birch = await live.site.directory.partner(letter.id, "birch")
    assert birch is not None
    first = await signed(**same, name="Zoë Gagné", country="CA")
    second = await signed(**same, name="Zoë Assist", partner_id=birch.id, partner_opt_in=True)
    await http.post(link("confirm", first))
    page = await http.get(link("confirm", second))
    asked = said(page.text)
    assert "It stays as it is: Zoë Gagné We, the undersigned based in Canada" in asked
    assert "Zoë Assist" not in asked, "nothing that was entered this time appears anywhere"
    assert "lets Birch <b> know that you signed through them as well" in asked
    assert "what you ticked this time is kept" in asked
    assert "Yes, that was me" in asked
    assert link("confirm", second, "/name") not in links_of(page.text)
    for answer in (
        await http.get(link("confirm", second, "/name")),
        await http.post(link("confirm", second, "/name"), data={"name": "Another"}),
    ):
        assert (answer.status_code, answer.headers["location"]) == (303, link("confirm", second))
    assert (await stored(db, second)).name == "Zoë Assist"
    answer = await http.post(link("confirm", second))
    assert answer.status_code == 200
    text = said(answer.text)
    assert "Thank you. You have signed this letter." in text
    assert "Birch <b> knows now that you came through them." in text
    assert "Yours is the first signature." in text
    assert await total(db) == 1


async def test_a_second_time_through_the_same_partner_tells_it_nothing_new(
    http: httpx.AsyncClient, signed: MakeSignature, link: LinkTo
) -> None:
    same = {"signer_hash": "zoe", "address_hash": "at-zoe", "email": "zoe@example.org"}
    await http.post(link("confirm", await signed(**same)))
    for more, words in (
        ({}, "If it was you who came back, there is nothing more to do. Your signature goes on counting once."),
        ({"contact_opt_in": True}, "what you ticked this time is kept. Your signature goes on counting once."),
    ):
        id_ = await signed(**same, **more)
        asked = said((await http.get(link("confirm", id_))).text)
        assert words in asked
        assert "what you ticked" in asked if more else "what you ticked" not in asked
        answer = said((await http.post(link("confirm", id_))).text)
        assert "Maple House" not in asked + answer


async def test_what_stays_is_shown_to_the_mailbox_that_made_it(
    http: httpx.AsyncClient, db: Db, signed: MakeSignature, link: LinkTo
) -> None:
    """Coordinators may have found that two mailboxes are one signer's; neither is told what the other signed."""
    first = await signed(name="Zoë Hidden", signer_hash="zoe", address_hash="at-zoe", public=False)
    await http.post(link("confirm", first))
    theirs = await signed(name="Z. Gagné", signer_hash="zoe", address_hash="elsewhere")
    page = said((await http.get(link("confirm", theirs))).text)
    assert "Thank you: your signature counts. It stays as it is." in page
    assert "Zoë Hidden" not in page
    async with db.write() as writer:
        await writer.execute(signatures.delete().where(signatures.c.id == first))
    assert said((await http.get(link("confirm", theirs))).text).startswith(page[:40]), "nor where that is gone"


async def test_a_name_is_corrected_before_it_counts(
    http: httpx.AsyncClient, db: Db, signed: MakeSignature, link: LinkTo
) -> None:
    id_ = await signed(name="Zoe", city="Montréal")
    path = link("confirm", id_, "/name")
    form = Elements((await http.get(path)).text)
    assert form.field("name") == "Zoe"
    assert form.field("city") == "Montréal"
    wrong = await http.post(path, data={"name": "", "organization": "www.example.org", "city": EVIL})
    assert wrong.status_code == 422
    page = Elements(wrong.text)
    summary = wrong.text.partition('id="errors"')[2].partition("</ul>")[0]
    assert 'href="#name"' in summary
    assert 'href="#organization"' in summary
    assert page.field("city") == EVIL, "what was typed is kept"
    assert (await stored(db, id_)).name == "Zoe"
    right = await http.post(path, data={"name": EVIL})
    assert (right.status_code, right.headers["location"]) == (303, link("confirm", id_, "?done=corrected"))
    shown = await http.get(right.headers["location"])
    assert EVIL in Elements(shown.text).text
    assert "<script>" not in shown.text
    assert (await stored(db, id_)).status == "pending", "correcting confirms nothing"
    await http.post(link("confirm", id_))
    late = await http.post(path, data={"name": "Somebody else"})
    assert (late.status_code, late.headers["location"]) == (303, link("confirm", id_))
    assert (await stored(db, id_)).name == EVIL


async def test_it_was_not_me_erases_what_waits_and_nothing_else(
    http: httpx.AsyncClient, db: Db, signed: MakeSignature, link: LinkTo
) -> None:
    same = {"signer_hash": "zoe", "address_hash": "at-zoe"}
    mine = await signed(**same)
    await http.post(link("confirm", mine))
    theirs = await signed(**same, name="An impostor", contact_opt_in=True)
    path = link("confirm", theirs, "/not-me")
    assert "Did somebody else sign in your name?" in said((await http.get(path)).text)
    for _ in range(2):
        answer = await http.post(path)
        assert answer.status_code == 200
        assert "It is erased" in said(answer.text)
        assert "An impostor" not in answer.text
    assert await find_signature(db, theirs) is None
    assert not await db.all(select(consents).where(consents.c.signature_id == theirs))
    assert (await stored(db, mine)).status == "confirmed"
    assert (await http.get(path)).status_code == 404
    gone = await http.post(link("confirm", theirs))
    assert gone.status_code == 404
    assert "not kept here any more" in said(gone.text)


async def test_it_was_not_me_uncounts_what_was_confirmed(
    http: httpx.AsyncClient, db: Db, signed: MakeSignature, link: LinkTo
) -> None:
    id_ = await signed()
    await http.post(link("confirm", id_))
    assert await total(db) == 1
    await http.post(link("confirm", id_, "/not-me"))
    assert await total(db) == 0
    assert await find_signature(db, id_) is None


async def test_a_link_that_came_too_late_has_a_fresh_one_sent(
    http: httpx.AsyncClient, db: Db, signed: MakeSignature, link: LinkTo, clock: Clock
) -> None:
    id_ = await signed(name="Zoë Gagné")
    old = clock()
    clock.advance(14 * 86_400)
    path = link("confirm", id_, at=old)
    for answer in (await http.get(path), await http.post(path)):
        assert answer.status_code == 410
        text = said(answer.text)
        assert "This link is too old" in text
        assert "Send me a fresh link" in text
        assert "Zoë Gagné" not in text, "a link that is over shows nothing"
    assert (await stored(db, id_)).status == "pending"
    (form,) = Elements(answer.text).all("form")
    assert form["action"] == link("confirm", id_, "/again", at=old)
    mails = select(events).where(events.c.type == "signer.mail")
    before = len(await db.all(mails))
    asked = await http.post(form["action"])
    assert asked.status_code == 200
    assert len(await db.all(mails)) == before + 1
    await http.post(link("confirm", id_))
    nothing = await http.post(form["action"])
    assert without_tokens(nothing.text) == without_tokens(asked.text), "the answer does not say whether one was sent"
    assert len(await db.all(mails)) == before + 1
    over = await http.get(path)
    assert over.status_code == 410
    assert not Elements(over.text).all("form")
    assert any(href.startswith("/en/letters/letter/my-signature") for href in links_of(over.text))
    for rest in ("/name", "/not-me"):
        assert (await http.get(path + rest)).status_code == 303
    assert (await http.post(path + "/not-me")).status_code == 410
    assert (await stored(db, id_)).status == "confirmed"


async def test_after_closing_it_counts_for_72_hours(
    http: httpx.AsyncClient, live: Live, db: Db, signed: MakeSignature, link: LinkTo, clock: Clock
) -> None:
    in_time, late = await signed(), await signed()
    await status(live, clock, "close")
    clock.advance(72 * 3600 - 1)
    assert "Your signature counts" in said((await http.post(link("confirm", in_time))).text)
    clock.advance(1)
    for answer in (await http.get(link("confirm", late)), await http.post(link("confirm", late))):
        assert answer.status_code == 410
        assert "The letter is closed" in said(answer.text)
    assert (await stored(db, late)).status == "pending"
    again = await http.post(link("confirm", in_time))
    assert "Your signature counts" in said(again.text), "who had confirmed is thanked later, too"
    assert await total(db) == 1


async def test_withdrawn_and_refused_ones_say_so(
    http: httpx.AsyncClient, live: Live, db: Db, letter: Letter, signed: MakeSignature, link: LinkTo, clock: Clock
) -> None:
    withdrawn, refused = await signed(), await signed()
    await withdraw(live.site.turns, letter, withdrawn)
    async with db.write() as writer:
        await writer.execute(update(signatures).where(signatures.c.id == refused).values(status="rejected"))
    before = await every_row(db)
    for id_, words in ((withdrawn, "has been taken back"), (refused, "is not counted")):
        for answer in (await http.get(link("confirm", id_)), await http.post(link("confirm", id_))):
            assert answer.status_code == 410
            assert words in said(answer.text)
            assert any(href.startswith("/signatures/") for href in links_of(answer.text))
    assert await every_row(db) == before
    for path in (link("confirm", withdrawn), link("signer", withdrawn)):
        page = await http.get(path)
        assert "It is kept until July 20, 2026, 12:00 UTC, then erased." in said(page.text)
        assert [href for href in links_of(page.text) if href.endswith("#sign")]
    await status(live, clock, "close")
    for path in (link("confirm", withdrawn), link("signer", withdrawn), link("confirm", refused)):
        page = await http.get(path)
        assert "Sign the letter again" not in page.text, "nobody can"


async def test_everything_pressed_at_once_leaves_a_true_count(
    http: httpx.AsyncClient, db: Db, signed: MakeSignature, link: LinkTo
) -> None:
    ids = [await signed() for _ in range(4)]
    presses = [http.post(link("confirm", id_)) for id_ in ids for _ in range(4)]
    presses += [http.post(link("confirm", ids[0], "/not-me")) for _ in range(3)]
    presses += [http.post(link("signer", ids[1], "/withdraw")) for _ in range(3)]
    presses += [http.post(link("confirm", ids[2], "/name"), data={"name": f"Name {n}"}) for n in range(3)]
    answers = await asyncio.gather(*presses)
    assert {answer.status_code for answer in answers} <= {200, 303, 404, 410}
    assert await find_signature(db, ids[0]) is None
    statuses = [(await stored(db, id_)).status for id_ in ids[1:]]
    assert statuses == ["withdrawn", "confirmed", "confirmed"]
    assert await total(db) == 2
