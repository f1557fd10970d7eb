"""A mistyped address, mended on the page that thanks: without script, with everything else as it was sent."""

from __future__ import annotations

from html.parser import HTMLParser

import httpx
from sqlalchemy import select

from tests.conftest import Live
from tests.web.reading import EVIL, Elements, drawn
from tests.web.signing import LinkTo, every_row, http, letter_folder, link, live, said, stored, total
from widget_server.store.consents import consents_of
from widget_server.store.db import Db
from widget_server.store.signatures import find_signature
from widget_server.store.tables import signatures

__all__ = ["http", "letter_folder", "link", "live"]


class Form(HTMLParser):
    """What the browser would send of the one form on a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "input" and found.get("name"):
            self.fields[str(found["name"])] = found.get("value") or ""


async def test_the_address_is_shown_and_mended_at_once(
    http: httpx.AsyncClient, live: Live, db: Db, token: str, link: LinkTo
) -> None:
    sent = await drawn(http, f"/en/letters/letter?via={token}&source=newsletter-june") | {
        "name": EVIL,
        "email": "zoe@exmaple.org",
        "country": "CA",
        "city": "Québec",
        "comment": "One\nTwo",
        "public": "false",
        "contact_opt_in": "true",
    }
    answer = await http.post("/v1/signatures", data=sent)
    assert answer.status_code == 201
    page = Elements(answer.text)
    told = "We are sending a message to zoe@exmaple.org. Your signature counts once you follow the link in it."
    assert told in said(answer.text)
    assert "zoe@<wbr>exmaple.<wbr>org</strong>." in answer.text, "the last part and the full stop stay together"
    assert "the address that you gave" not in answer.text
    assert "exmaple" not in "".join(a.get("href", "") + a.get("action", "") for _, a in page.tags), "in no address"
    assert not page.all("script")
    names = [a.get("name") for a in page.all("input", type="hidden")]
    assert "email" not in names
    form = Form(answer.text).fields
    assert form["id"] != sent["id"]
    assert form["replaces"]
    for name in ("token", "shown", "kind", "name", "country", "city", "public", "contact_opt_in", "locale", "source"):
        assert form[name] == sent[name], name
    assert form["comment"].replace("\r\n", "\n") == "One\nTwo"
    assert "hp_contact_2" not in form

    mended = await http.post("/v1/signatures", data=form | {"email": "zoe@example.org"})
    assert mended.status_code == 201
    assert "a message to zoe@example.org." in said(mended.text)
    (row,) = await db.all(select(signatures))
    assert (row["id"], row["email"], row["source"]) == (form["id"], "zoe@example.org", "newsletter-june")
    assert (row["name"], row["public"], row["contact_opt_in"], row["shown"]) == (EVIL, False, True, True)
    assert [one.given for one in await consents_of(db, [form["id"]])] == [True]
    dead = await http.post(link("confirm", sent["id"]))
    assert dead.status_code == 404
    assert "replaced when somebody corrected the address" in said(dead.text)
    await http.post(link("confirm", form["id"]))
    assert await total(db) == 1

    late = await http.post("/v1/signatures", data=Form(mended.text).fields | {"email": "third@example.org"})
    assert late.status_code == 201, "answered alike, though it was confirmed meanwhile"
    assert (await stored(db, form["id"])).status == "confirmed"


async def test_a_wrong_address_comes_back_and_still_mends(http: httpx.AsyncClient, db: Db) -> None:
    sent = await drawn(http, "/en/letters/letter") | {"name": "Zoë", "email": "zoe@exmaple.org", "country": "CA"}
    form = Form((await http.post("/v1/signatures", data=sent)).text).fields
    before = await every_row(db)
    wrong = await http.post("/v1/signatures", data=form | {"email": "zoe@@example"})
    assert wrong.status_code == 422
    page = Elements(wrong.text)
    assert (page.field("name"), page.field("email")) == ("Zoë", "zoe@@example")
    assert (page.field("id"), page.field("replaces")) == (form["id"], form["replaces"])
    assert await every_row(db) == before
    again = form | {"email": "zoe@example.org", "shown": page.field("shown")}
    assert (await http.post("/v1/signatures", data=again)).status_code == 201
    assert await find_signature(db, sent["id"]) is None
    assert len(await db.all(select(signatures))) == 1
