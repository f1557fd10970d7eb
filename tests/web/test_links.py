"""The links in mails, whatever they open: followed by scanners, cut, forged, pressed from elsewhere, in quarantine."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from tests.conftest import Clock, Live
from tests.web.reading import EVIL, Elements
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
    total,
    without_tokens,
)
from widget_server.domain.ids import new_id
from widget_server.domain.links import PATHS, link_url
from widget_server.store.db import Db
from widget_server.web import links

__all__ = ["http", "letter_folder", "link", "live", "signed"]

DAY = timedelta(days=1)


async def test_whatever_follows_links_confirms_nothing(
    http: httpx.AsyncClient, db: Db, signed: MakeSignature, link: LinkTo, clock: Clock
) -> None:
    ids = [await signed(), await signed(kind="organization", organization="Harbour", quarantine="fast,not_shown")]
    await http.get(link("signer", ids[0]))
    before = await every_row(db)
    for id_ in ids:
        for at in (clock(), clock() - 20 * DAY):
            for path in (
                link("confirm", id_, at=at),
                *(link("confirm", id_, rest, at=at) for rest in ("/name", "/not-me", "/again", "?locale=fr")),
                link("signer", id_, at=at),
                *(
                    link("signer", id_, f"/{rest}", at=at)
                    for rest in ("correct", "name", "consents", "withdraw", "erase", "not-me", "data", "data.json")
                ),
                link("unsubscribe", id_, at=at),
            ):
                for method in ("GET", "HEAD"):
                    answer = await http.request(method, path)
                    assert answer.status_code in (200, 303, 410), (method, path)
    assert await every_row(db) == before


async def test_what_is_no_link_of_ours_is_answered_plainly(
    http: httpx.AsyncClient, live: Live, db: Db, signed: MakeSignature, link: LinkTo
) -> None:
    id_ = await signed()
    before = await every_row(db)
    whole = link("confirm", id_)
    middle = len(whole) // 2
    bad = (
        whole[:-1], whole[:middle], whole[:-20] + "A" * 20, whole + "AA", "/confirm/x", "/confirm/" + "a" * 5_000,
        "/confirm/%00", "/confirm/é.é", whole.replace("/confirm/", "/signatures/"),
        whole.replace("/confirm/", "/unsubscribe/"), link("signer", id_).replace("/signatures/", "/confirm/"),
        link("unsubscribe", id_).replace("/unsubscribe/", "/signatures/"),
    )  # fmt: skip
    for path in bad:
        for method in ("GET",) if path.startswith("/signatures/") else ("GET", "POST"):
            answer = await http.request(method, path, headers={"accept-language": "fr"})
            assert answer.status_code == 404, (method, path)
            assert "Ce lien est incomplet" in said(answer.text)
    assert await every_row(db) == before


def in_the_letters_frame(page: str, locale: str) -> bool:
    other = {"en": "fr", "fr": "en"}[locale]
    ways = {f"/{locale}/letters/letter", f"/{locale}/letters/letter/my-signature", f"/{other}/letters/letter"}
    return ways <= {href.partition("?")[0] for href in links_of(page)} and "hello@example.org" in page


async def test_where_nothing_is_left_the_letters_frame_stays(
    http: httpx.AsyncClient, live: Live, signed: MakeSignature, link: LinkTo, clock: Clock
) -> None:
    id_ = await signed()
    never = new_id()
    forgotten = link_url("", live.site.seals, "confirm", never, clock())
    for _ in range(2):
        answer = await http.post(link("signer", id_, "/erase"))
        assert "Everything is erased" in said(answer.text)
        assert in_the_letters_frame(answer.text, "en")
    answer = await http.post(link("unsubscribe", id_))
    assert in_the_letters_frame(answer.text, "en")
    pages = [await http.get(link("confirm", one), headers={"accept-language": "fr"}) for one in (id_, never)]
    assert without_tokens(pages[0].text) == without_tokens(pages[1].text), "not a word on whether there ever was one"
    assert pages[0].status_code == 404
    assert in_the_letters_frame(pages[0].text, "fr")
    for path in (forgotten, link("confirm", id_)[:-1], "/letters/none", "/nothing"):
        page = await http.get(path)
        assert page.status_code == 404
        assert not Elements(page.text).all("a", href="/en/letters/letter")
    assert in_the_letters_frame((await http.get("/fr/letters/letter/nothing")).text, "fr")


async def test_only_our_own_pages_may_press_the_button(
    http: httpx.AsyncClient, live: Live, db: Db, signed: MakeSignature, link: LinkTo
) -> None:
    id_ = await signed()
    before = await every_row(db)
    for path in (
        link("confirm", id_), link("confirm", id_, "/name"), link("confirm", id_, "/not-me"),
        link("confirm", id_, "/again"), link("signer", id_, "/correct"), link("signer", id_, "/name"),
        link("signer", id_, "/consents"), link("signer", id_, "/withdraw"), link("signer", id_, "/erase"),
        link("signer", id_, "/not-me"), link("unsubscribe", id_), "/letters/letter/my-signature",
    ):  # fmt: skip
        for origin in ("https://evil.example", "null", "", live.url.replace("127.0.0.1", "localhost"), live.url + "0"):
            answer = await http.post(path, data={"email": "zoe@example.org"}, headers={"origin": origin})
            assert answer.status_code == 403, (path, origin)
            assert "sent from another website" in said(answer.text)
        large = await http.post(path, data={"name": "x" * 16_400})
        assert large.status_code == 413, path
    assert await every_row(db) == before
    assert (await http.post(link("confirm", id_), headers={"origin": live.url})).status_code == 200
    assert await total(db) == 1


async def test_a_broken_body_is_told_so(http: httpx.AsyncClient, db: Db, signed: MakeSignature, link: LinkTo) -> None:
    id_ = await signed()
    before = await every_row(db)
    form = {"content-type": "application/x-www-form-urlencoded"}
    for content, headers, expected in (
        (b"name=%FF%FE", form, 400),
        (b"&" * 100, form, 400),
        (b'{"name": "\\ud800"}', {"content-type": "application/json"}, 415),
        (b"name=x", {"content-type": "text/plain"}, 415),
        (b"name=a%00b", form, 422),
        (b"name=a%0D%0ABcc:x", form, 422),
    ):
        answer = await http.post(link("confirm", id_, "/name"), content=content, headers=headers)
        assert answer.status_code == expected, content
    assert await every_row(db) == before


async def test_quarantine_cannot_be_seen(
    http: httpx.AsyncClient, live: Live, db: Db, signed: MakeSignature, link: LinkTo
) -> None:
    """Each of two signers, one of them in quarantine, does the same; every answer is the same."""

    async def journey(**more: object) -> list[str]:
        id_ = await signed(contact_opt_in=True, partner_opt_in=True, **more)
        answers = []
        for method, path, data in (
            ("GET", link("confirm", id_), {}),
            ("POST", link("confirm", id_, "/name"), {"name": "Another Name"}),
            ("GET", link("signer", id_), {}),
            ("POST", link("confirm", id_), {}),
            ("GET", link("confirm", id_), {}),
            ("GET", link("signer", id_), {}),
            ("POST", link("signer", id_, "/name"), {"public": "false"}),
            ("GET", link("signer", id_), {}),
            ("POST", link("signer", id_, "/consents"), {"initiators": "false"}),
            ("GET", link("signer", id_, "/data"), {}),
            ("GET", link("signer", id_, "/data.json"), {}),
            ("POST", link("signer", id_, "/withdraw"), {}),
            ("GET", link("signer", id_), {}),
            ("GET", link("signer", id_, "/data.json"), {}),
            ("GET", link("confirm", id_), {}),
            ("POST", link("signer", id_, "/erase"), {}),
            ("GET", link("signer", id_), {}),
        ):
            answer = await http.request(method, path, data=data or None)
            headers = {name: value for name, value in answer.headers.items() if name not in ("date", "content-length")}
            text = without_tokens(f"{method} {answer.status_code} {headers} {answer.text}")
            answers.append(text.replace(id_, "ID"))
        assert await total(db) == 1
        return answers

    await http.post(link("confirm", await signed()))
    ordinary = await journey(email="a@example.org")
    quarantined = await journey(email="a@example.org", quarantine="fast,not_shown")
    for one, other in zip(ordinary, quarantined, strict=True):
        assert one == other


async def test_quarantine_cannot_be_seen_by_whoever_had_signed_either(
    http: httpx.AsyncClient, db: Db, signed: MakeSignature, link: LinkTo
) -> None:
    same = {"signer_hash": "zoe", "address_hash": "at-zoe", "email": "zoe@example.org"}
    await http.post(link("confirm", await signed(**same)))
    seen = []
    for more in ({}, {"quarantine": "fast,not_shown"}):
        id_ = await signed(**same, **more, name="Z. Gagné", contact_opt_in=True)
        answers = [await http.get(link("confirm", id_)), await http.get(link("confirm", id_, "/name"))]
        answers += [await http.post(link("confirm", id_)), await http.get(link("confirm", id_))]
        seen.append([(one.status_code, without_tokens(one.text)) for one in answers])
    assert seen[0] == seen[1]
    assert "It stays as it is:" in seen[0][0][1]


async def test_what_people_typed_stays_text(
    http: httpx.AsyncClient, db: Db, signed: MakeSignature, link: LinkTo
) -> None:
    kinds = (
        {"kind": "individual", "name": EVIL, "organization": EVIL, "role": EVIL},
        {"kind": "organization", "organization": EVIL, "name": EVIL, "listing": "awaiting_review"},
    )
    for more in kinds:
        id_ = await signed(comment=EVIL, city=EVIL, page=f"https://x.example/{EVIL}", source=EVIL, **more)
        paths = [link("confirm", id_, rest) for rest in ("", "/name", "/not-me")]
        paths += [link("signer", id_, rest) for rest in ("", "/data", "/withdraw", "/erase", "/not-me")]
        paths += [link("unsubscribe", id_)]
        answers = [await http.get(path) for path in paths]
        answers.append(await http.post(link("confirm", id_)))
        answers += [await http.get(path) for path in paths if not path.endswith("/name")]
        for answer in answers:
            assert answer.status_code == 200
            assert "<script" not in answer.text
            assert not [a for _, a in Elements(answer.text).tags if any(name.startswith("on") for name in a)]
        assert EVIL in Elements(answers[0].text).text


async def test_no_secret_is_logged(
    http: httpx.AsyncClient, signed: MakeSignature, link: LinkTo, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Not even where our own mistake is."""
    id_ = await signed(name="Zoë Gagné", email="zoe@example.org")

    async def broken(*_: object) -> None:
        raise ZeroDivisionError("zoe@example.org")

    for path in (link("confirm", id_), link("signer", id_), link("unsubscribe", id_)):
        with monkeypatch.context() as patch:
            patch.setattr(links, "page_values", broken)
            answer = await http.get(path)
        assert answer.status_code == 500
        await http.get(path + "x")
        await http.get(path, headers={"origin": "https://evil.example"})
    told = "".join(capfd.readouterr())
    assert told.count("ZeroDivisionError") == 3
    for secret in ("Gagné", "zoe@example.org", *(link(purpose, id_)[20:] for purpose in PATHS)):
        assert secret not in told
