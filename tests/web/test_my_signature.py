"""/letters/SLUG/my-signature, and /unsubscribe/TOKEN: asking for a mail, and asking for no more."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import select

from tests.conftest import KEY, Clock, Live, free_socket, served
from tests.web.reading import PAGE, Elements, drawn
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
)
from widget_server.app import create_app
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.settings import Settings
from widget_server.store.consents import consents_of
from widget_server.store.db import Db
from widget_server.store.signatures import find_signature
from widget_server.store.tables import events

__all__ = ["http", "letter_folder", "link", "live", "signed"]

PATH = "/letters/letter/my-signature"


async def mails(db: Db) -> list[dict[str, object]]:
    rows = await db.all(select(events).where(events.c.type == "signer.mail").order_by(events.c.seq))
    return [row for row in rows if row["data"]["mail"] == "signer"]


async def test_the_answer_is_the_same_whether_or_not_anybody_signed(
    http: httpx.AsyncClient, db: Db, signed: MakeSignature
) -> None:
    form = await drawn(http, "/en/letters/letter")
    form |= {"name": "Zoë", "email": "zoe@example.org", "country": "CA"}
    assert (await http.post("/v1/signatures", data=form)).status_code == 201
    page = await http.get(f"/en{PATH}")
    assert page.status_code == 200
    assert Elements(page.text).all("meta", name="robots", content="noindex")
    assert "on paper" in said(page.text)
    answers = [await http.post(f"/en{PATH}", data={"email": to}) for to in ("zoe@example.org", "nobody@example.org")]
    assert answers[0].status_code == answers[1].status_code == 200
    assert answers[0].text == answers[1].text
    assert "If somebody signed this letter with that address" in said(answers[0].text)
    assert "zoe@example.org" not in answers[0].text
    asked = await mails(db)
    assert len(asked) == 2, "the work is the same, too"
    assert {row["signature_id"] for row in asked} == {None}


async def test_what_is_no_address_is_told_in_the_pages_language(http: httpx.AsyncClient, db: Db) -> None:
    before = await every_row(db)
    for given in ("", "  ", "zoe@@example", 'a"<b>@example.org', "x" * 300 + "@example.org", "a@b.org\r\nBcc: c@d.org"):
        answer = await http.post(f"/fr{PATH}", data={"email": given})
        assert answer.status_code == 422, given
        page = Elements(answer.text)
        assert page.all("html", lang="fr")
        (field,) = page.all("input", id="email")
        assert field["value"] == given
        assert field["aria-invalid"] == "true"
        assert field["aria-describedby"] == "email-error"
        assert page.all("p", id="email-error")
    assert await every_row(db) == before


async def test_its_language_is_the_readers(http: httpx.AsyncClient) -> None:
    for path, headers, locale in (
        (PATH, {"accept-language": "fr"}, "fr"),
        (PATH + "?locale=fr", {}, "fr"),
        ("/en" + PATH, {"accept-language": "fr"}, "en"),
    ):
        page = Elements((await http.get(path, headers=headers)).text)
        assert page.all("html", lang=locale)
        assert page.all("form", action=f"/{locale}{PATH}")
        other = "en" if locale == "fr" else "fr"
        assert page.all("a", href=f"/{other}{PATH}")


async def test_every_page_of_the_letter_leads_there(http: httpx.AsyncClient) -> None:
    for path in ("/fr/letters/letter", "/fr/letters/letter/privacy", "/fr/letters/letter/signatories"):
        assert f"/fr{PATH}" in links_of((await http.get(path)).text)
    assert (await http.get("/letters/none/my-signature")).status_code == 404
    assert (await http.post("/letters/none/my-signature", data={"email": "a@example.org"})).status_code == 404


@pytest.fixture
async def limited(
    database_url: str, letter: Letter, partner: Partner, clock: Clock
) -> AsyncIterator[httpx.AsyncClient]:
    """A server that lets a client ask twice a minute."""
    bound = free_socket()
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        database_url=database_url,
        secret_keys=(KEY,),
        public_url=f"http://127.0.0.1:{bound.getsockname()[1]}",
        rate_limit="2/minute",
    )
    app = create_app(settings, dispatch=False, now=clock)
    async with served(app, bound) as url, httpx.AsyncClient(base_url=url, headers=PAGE) as client:
        yield client


async def test_asking_is_limited_apart_from_signing(limited: httpx.AsyncClient, db: Db) -> None:
    for _ in range(2):
        assert (await limited.post(PATH, data={"email": "zoe@example.org"})).status_code == 200
    answer = await limited.post(PATH, data={"email": "zoe@example.org"})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert "Many messages have been asked for" in said(answer.text)
    assert len(await mails(db)) == 2
    form = await drawn(limited) | {"name": "Zoë", "email": "zoe@example.org", "country": "CA"}
    assert (await limited.post("/v1/signatures", data=form)).status_code == 201


async def test_one_click_takes_every_consent_back_and_leaves_the_signature(
    http: httpx.AsyncClient, db: Db, signed: MakeSignature, link: LinkTo, clock: Clock
) -> None:
    id_ = await signed(contact_opt_in=True, partner_opt_in=True)
    await http.post(link("confirm", id_))
    old = clock()
    clock.advance(400 * 86_400)
    path = link("unsubscribe", id_, at=old)
    before = await every_row(db)
    page = await http.get(path)
    assert page.status_code == 200
    assert "Stop all e-mails" in said(page.text)
    assert await every_row(db) == before
    one_click = [
        {"data": {"List-Unsubscribe": "One-Click"}},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},  # RFC 8058, 3.1: either kind of form
        {},
    ]
    for body in one_click:
        answer = await http.post(path, **body)  # type: ignore[arg-type]
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
        assert "Your signature itself stays and counts." in said(answer.text)
    now = await stored(db, id_)
    assert (now.status, now.contact_opt_in, now.partner_opt_in) == ("confirmed", False, False)
    assert [(one.given, one.way) for one in await consents_of(db, [id_])] == [(False, "unsubscribe")] * 2
    assert await total(db) == 1


async def test_one_click_erases_what_waits(
    http: httpx.AsyncClient, db: Db, signed: MakeSignature, link: LinkTo
) -> None:
    id_ = await signed(email="zoe@example.org")
    for _ in range(2):
        answer = await http.post(link("unsubscribe", id_), data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
        assert "is erased" in said(answer.text)
    assert await find_signature(db, id_) is None
    assert (await http.get(link("unsubscribe", id_))).status_code == 404


async def test_one_click_after_withdrawing(
    http: httpx.AsyncClient, db: Db, signed: MakeSignature, link: LinkTo
) -> None:
    id_ = await signed()
    await http.post(link("signer", id_, "/withdraw"))
    before = await every_row(db)
    answer = await http.post(link("unsubscribe", id_))
    assert answer.status_code == 200
    assert "Nobody has your consent" in said(answer.text)
    assert await every_row(db) == before


async def test_one_click_does_not_tell_of_quarantine(
    http: httpx.AsyncClient, live: Live, db: Db, signed: MakeSignature, link: LinkTo
) -> None:
    texts = []
    for more in ({}, {"quarantine": "fast,not_shown"}):
        id_ = await signed(contact_opt_in=True, **more)
        await http.post(link("confirm", id_))
        texts.append(said((await http.post(link("unsubscribe", id_))).text))
        assert await find_signature(db, id_) is not None
        assert [one.given for one in await consents_of(db, [id_])] == [False]
    assert texts[0] == texts[1]
