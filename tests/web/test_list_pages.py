"""The public list as pages: for letters with more names than one page shows."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import Live
from tests.store.listed import sign
from tests.web.reading import EVIL, PAGE, Elements, fresh
from widget_server.domain.letters import Letter
from widget_server.web import letter as letter_page
from widget_server.web import signatories as list_page


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """A page tells nothing about engines: one is enough here."""
    return f"sqlite:///{tmp_path}/undersigned.db"


@pytest.fixture
async def http(live: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=live.url, headers=PAGE) as client:
        yield client


def names(answer: httpx.Response) -> list[str]:
    return re.findall(r'class="name-itself">([^<]*)', answer.text)


async def test_links_lead_to_every_name_once(
    http: httpx.AsyncClient, live: Live, letter: Letter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letter_page, "INLINE_NAMES", 3)
    monkeypatch.setattr(list_page, "PAGE_NAMES", 3)
    wanted = [f"Name {number}" for number in range(8)]
    await sign(
        live.site.db,
        letter.id,
        *({"name": name} for name in wanted),
        {"name": "Elsewhere", "statement": "us"},
    )
    await fresh(live)
    first = await http.get("/fr/letters/letter")
    assert names(first) == [*wanted[:3], "Elsewhere"]
    (link,) = [a["href"] for a in Elements(first.text).all("a") if "/signatories" in a["href"]]
    assert link == "/fr/letters/letter/signatories?statement=ca"
    found: list[str] = []
    numbers: list[str] = []
    following: str | None = link
    while following:
        answer = await http.get(following)
        page = Elements(answer.text)
        found += names(answer)
        numbers += [ol["start"] for ol in page.all("ol")]
        following = next((a["href"] for a in page.all("a", rel="next")), None)
    assert found == wanted
    assert numbers == ["1", "4", "7"]


async def test_search(http: httpx.AsyncClient, live: Live, letter: Letter) -> None:
    await sign(live.site.db, letter.id, {"name": "Élise Côté"}, {"name": "Bob"}, {"name": "Elise", "statement": "us"})
    await fresh(live)
    assert names(await http.get("/fr/letters/letter/signatories?q=elise")) == ["Élise Côté", "Elise"]
    assert names(await http.get("/fr/letters/letter/signatories?q=ELISE&statement=ca")) == ["Élise Côté"]
    nothing = await http.get("/fr/letters/letter/signatories", params={"q": EVIL})
    page = Elements(nothing.text)
    assert names(nothing) == []
    assert f"« {EVIL} »".replace(" ", "\u00a0", 1).replace(" »", "\u00a0»") in page.text
    assert page.all("input", id="q", value=EVIL)
    assert not page.all("script")


@pytest.mark.parametrize("query", ["after=forged", "statement=xx", "statement=ca&after=x.y"])
async def test_what_is_not_there(http: httpx.AsyncClient, query: str) -> None:
    assert (await http.get(f"/letters/letter/signatories?{query}")).status_code == 404


async def test_lists_apart_have_their_own_headings(
    http: httpx.AsyncClient, live: Live, letter: Letter, letter_folder: Path, reload: object
) -> None:
    await sign(
        live.site.db, letter.id,
        {"name": "Ana"},
        {"kind": "organization", "organization": "Harbour"},
        {"kind": "organization", "organization": "Author", "initiator_rank": 0},
    )  # fmt: skip
    await reload('lists = "apart"')  # type: ignore[operator]
    text = (await http.get("/en/letters/letter")).text
    marks = re.findall(r"<h4>(.*?)</h4>|class=\"name-itself\">([^<]*)|<ol class=\"list-names\" start=\"(\d)\"", text)
    assert ["".join(mark) for mark in marks] == [
        "1",
        "Author",
        "Organizations",
        "2",
        "Harbour",
        "People",
        "3",
        "Ana",
    ]


async def test_search_engines_may_be_asked_to_leave_lists_alone(
    http: httpx.AsyncClient, live: Live, letter: Letter, reload: object
) -> None:
    robots = '<meta name="robots" content="noindex">'
    list_, page, data = "/en/letters/letter/signatories", "/en/letters/letter", "/v1/letters/letter/signatories"
    assert robots not in (await http.get(list_)).text
    assert "data-nosnippet" not in (await http.get(page)).text
    assert "x-robots-tag" not in (await http.get(data)).headers
    await reload("index = false")  # type: ignore[operator]
    assert robots in (await http.get(list_)).text
    assert "data-nosnippet" in (await http.get(page)).text, "the letter itself may be found"
    assert (await http.get(data)).headers["x-robots-tag"] == "noindex"
