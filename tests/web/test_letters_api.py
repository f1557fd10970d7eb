"""GET /v1/letters/…: shapes, languages, lists, freshness."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Clock, Live
from tests.store.listed import change, sign
from widget_server.domain.letters import Letter
from widget_server.flows.letter_status import change_letter_status
from widget_server.flows.load_letter import load_letter

SHARP = 'Zoë <script>alert(1)</script> & "Co"'


@pytest.fixture
async def http(live: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=live.url) as client:
        yield client


async def fresh(live: Live) -> None:
    """What the test wrote behind the server's back is known to it now, not only within a second."""
    await live.site.directory.refresh(now_please=True)


async def test_a_letter(http: httpx.AsyncClient, live: Live) -> None:
    answer = await http.get("/v1/letters/letter")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    said = answer.json()
    assert said["slug"] == "letter"
    assert said["status"] == "open"
    assert said["title"] == "An Open Letter on Safe Passage"
    assert said["goal"] == 100
    assert said["locales"] == ["en", "fr"]
    assert said["counts"] == {
        "total": 0, "individuals": 0, "organizations": 0, "by_statement": {"ca": 0, "us": 0},
    }  # fmt: skip
    assert said["statements"][0] == {
        "code": "ca",
        "countries": ["CA"],
        "text": "We, the undersigned based in Canada, call on the government to act.",
        "list_title": "Signed in Canada",
        "count": 0,
    }


@pytest.mark.parametrize(
    ("query", "language", "title"),
    [
        ("", "fr-CA,fr;q=0.9,en;q=0.5", "Lettre ouverte pour un passage sûr"),
        ("?locale=en", "fr", "An Open Letter on Safe Passage"),
        ("", "de,en;q=0", "An Open Letter on Safe Passage"),
    ],
)
async def test_language(http: httpx.AsyncClient, query: str, language: str, title: str) -> None:
    answer = await http.get(f"/v1/letters/letter{query}", headers={"accept-language": language})
    assert answer.json()["title"] == title
    assert "accept-language" in answer.headers["vary"].lower()


async def test_text_as_blocks(http: httpx.AsyncClient) -> None:
    said = (await http.get("/v1/letters/letter/text?locale=fr")).json()
    assert said["title"] == "Lettre ouverte pour un passage sûr"
    assert said["blocks"] == said["intro"] + said["body"]
    assert said["body"] == [
        {"type": "paragraph", "children": [{"text": "À qui de droit."}]},
        {
            "type": "paragraph",
            "children": [
                {"text": "Des gens cherchent la "},
                {"type": "strong", "children": [{"text": "sécurité"}]},
                {"text": "."},
            ],
        },
    ]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/letters/nope", 404, "not_found"),
        ("/v1/letters/letter/text?locale=de", 404, "locale_unknown"),
        ("/v1/letters/letter/signatories?statement=xx", 422, "statement_unknown"),
        ("/v1/letters/letter/signatories?limit=0", 422, "limit_invalid"),
        ("/v1/letters/letter/signatories?limit=501", 422, "limit_invalid"),
        ("/v1/letters/letter/signatories?limit=ten", 422, "limit_invalid"),
        ("/v1/letters/letter/signatories?limit=%C2%B2", 422, "limit_invalid"),
        ("/v1/letters/letter/signatories?after=abc", 422, "cursor_invalid"),
    ],
)
async def test_refusals(http: httpx.AsyncClient, path: str, status: int, code: str) -> None:
    answer = await http.get(path, headers={"accept-language": "fr"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_signatories(http: httpx.AsyncClient, live: Live, letter: Letter) -> None:
    await sign(
        live.site.db, letter.id,
        {"name": SHARP, "organization": "Café", "role": "Cook",
         "email": "z@example.org"},
        {"kind": "organization", "organization": "Harbour", "name": "Representative"},
        {"name": "Hidden", "public": False, "listing": "hidden_by_signer"},
        {"name": "From the US", "statement": "us"},
    )  # fmt: skip
    await fresh(live)
    answer = await http.get("/v1/letters/letter/signatories?statement=ca")
    assert answer.json() == {
        "signatories": [
            {
                "name": 'Zoë <script>alert(1)</script> & "Co"',
                "kind": "individual",
                "organization": "Café",
                "role": "Cook",
            },
            {"name": None, "kind": "organization", "organization": "Harbour", "role": None},
        ],
        "next": None,
    }
    everything = answer.text + (await http.get("/v1/letters/letter/signatories")).text
    assert "From the US" in everything
    assert "Hidden" not in everything
    assert "example.org" not in everything
    assert "Representative" not in everything


async def test_how_many_names_at_the_front_are_the_initiators(
    http: httpx.AsyncClient, live: Live, letter: Letter
) -> None:
    await sign(
        live.site.db, letter.id,
        {"name": "Ana"},
        {"kind": "organization", "organization": "Harbour", "initiator_rank": 0},
        {"kind": "organization", "organization": "Nord", "initiator_rank": 1},
    )  # fmt: skip
    await fresh(live)
    pages = [
        (await http.get(f"/v1/letters/letter/signatories?statement=ca&limit={limit}")).json() for limit in (1, 100)
    ]
    assert [page["initiators"] for page in pages] == [1, 2]
    assert set(pages[1]["signatories"][0]) == {"name", "kind", "organization", "role"}
    rest = (await http.get(f"/v1/letters/letter/signatories?statement=ca&after={pages[0]['next']}")).json()
    assert (rest["initiators"], [who["organization"] for who in rest["signatories"]]) == (1, ["Nord", None])


async def test_cursors_are_sealed_and_open_one_list(http: httpx.AsyncClient, live: Live, letter: Letter) -> None:
    await sign(live.site.db, letter.id, *({"name": f"Name {number}"} for number in range(5)))
    await fresh(live)
    found: list[str] = []
    path = "/v1/letters/letter/signatories?statement=ca&limit=2"
    after = ""
    while True:
        said = (await http.get(path + after)).json()
        found += [who["name"] for who in said["signatories"]]
        if said["next"] is None:
            break
        after = f"&after={said['next']}"
        elsewhere = await http.get(f"/v1/letters/letter/signatories?statement=us{after}")
        assert elsewhere.json()["code"] == "cursor_invalid"
        tampered = await http.get(f"{path}&after=A{said['next']}")
        assert tampered.json()["code"] == "cursor_invalid"
    assert found == [f"Name {number}" for number in range(5)]


async def test_names_are_found_by_a_part_of_them_accents_aside(
    http: httpx.AsyncClient, live: Live, letter: Letter
) -> None:
    names = ("Éloïse Bélanger", "Bela Kun", "Ada")
    await sign(live.site.db, letter.id, *({"name": name} for name in names))
    await fresh(live)
    path = "/v1/letters/letter/signatories?statement=ca&limit=1&q=BÉLA"
    first = (await http.get(path)).json()
    second = (await http.get(f"{path}&after={first['next']}")).json()
    assert [page["signatories"][0]["name"] for page in (first, second)] == ["Éloïse Bélanger", "Bela Kun"]
    assert second["next"] is None
    elsewhere = await http.get(f"/v1/letters/letter/signatories?statement=ca&limit=1&after={first['next']}")
    assert elsewhere.status_code == 422, "a cursor opens only the search that it came from"
    assert (await http.get("/v1/letters/letter/signatories?q=%25")).json()["signatories"] != []
    assert (await http.get("/v1/letters/letter/signatories?q=nobody")).json() == {"signatories": [], "next": None}


async def test_etag_and_not_modified(http: httpx.AsyncClient, live: Live, letter: Letter) -> None:
    ids = await sign(live.site.db, letter.id, {"name": "Ana"})
    await fresh(live)
    for path in ("/v1/letters/letter", "/v1/letters/letter/signatories", "/v1/letters/letter/text"):
        first = await http.get(path)
        etag = first.headers["etag"]
        assert not etag.startswith("W/")
        for header in (etag, f'"other", W/{etag}', "*"):
            again = await http.get(path, headers={"if-none-match": header})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        assert (await http.get(path, headers={"if-none-match": '"other"'})).status_code == 200
    etag = (await http.get("/v1/letters/letter/signatories")).headers["etag"]
    await change(live.site.db, letter.id, ids[0], listing="hidden_by_staff")
    await fresh(live)
    changed = await http.get("/v1/letters/letter/signatories", headers={"if-none-match": etag})
    assert changed.status_code == 200
    assert changed.json()["signatories"] == []


async def test_nobody_on_the_way_keeps_counts_and_lists(http: httpx.AsyncClient) -> None:
    for path in ("/v1/letters/letter", "/v1/letters/letter/signatories"):
        assert (await http.get(path)).headers["cache-control"] == "public, max-age=0, must-revalidate"


async def test_a_crowd_costs_no_query_beyond_the_directory(
    http: httpx.AsyncClient, live: Live, letter: Letter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sign(live.site.db, letter.id, *({"name": f"Name {number}"} for number in range(30)))
    await fresh(live)
    await http.get("/letters/letter")  # its consent wording is kept from here on
    await sign(live.site.db, letter.id, {"name": "One more"})
    await fresh(live)
    asked: Counter[str] = Counter()
    db = live.site.db

    def counting(original: Any) -> Any:
        async def counted(query: Any) -> Any:
            asked.update(re.findall(r"FROM (\w+)", str(query))[-1:])
            return await original(query)

        return counted

    for method in ("all", "one", "value"):
        monkeypatch.setattr(db, method, counting(getattr(db, method)))
    paths = ["/v1/letters/letter/signatories?limit=10", "/v1/letters/letter", "/letters/letter"] * 40
    answers = await asyncio.gather(*(http.get(path) for path in paths))
    assert {answer.status_code for answer in answers} == {200}
    # Two a list (initiators, then the rest): one for programs, one for each of the page's two statements.
    assert asked.pop("signatures") == 2 * 3
    # The directory's own, at most one round in half a second; the dispatcher, which is at home here too.
    assert set(asked) <= {"revisions", "signature_counts", "letters", "events", "deliveries", "destinations"}
    assert asked["letters"] <= 1 + asked["revisions"]


async def test_a_draft_is_seen_through_its_preview_only(
    http: httpx.AsyncClient, live: Live, letter_folder: Path, clock: Clock
) -> None:
    settings = letter_folder / "letter.toml"
    settings.write_text(settings.read_text("utf-8").replace('slug = "letter"', 'slug = "draft"'), "utf-8")
    await load_letter(live.site.db, letter_folder, now=clock(), actor="test")
    await fresh(live)
    seals = live.site.seals
    for rest in ("", "/text", "/signatories"):
        assert (await http.get(f"/v1/letters/draft{rest}")).status_code == 404
        assert (await http.get(f"/v1/letters/draft{rest}?preview=forged")).status_code == 404
        other = seals.seal("preview", "letter")
        assert (await http.get(f"/v1/letters/draft{rest}?preview={other}")).status_code == 404
        own = seals.seal("preview", "draft")
        assert (await http.get(f"/v1/letters/draft{rest}?preview={own}")).status_code == 200


async def test_a_closed_letter_still_reads(http: httpx.AsyncClient, live: Live, clock: Clock) -> None:
    await change_letter_status(live.site.db, "letter", "close", now=clock(), actor="test")
    await fresh(live)
    assert (await http.get("/v1/letters/letter")).json()["status"] == "closed"
    assert (await http.get("/v1/letters/letter/signatories")).status_code == 200
