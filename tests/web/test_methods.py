"""What is answered to a method or an address that does not exist: what there is, whoever asks, from anywhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import Live


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """It tells nothing about engines: one is enough here."""
    return f"sqlite:///{tmp_path}/undersigned.db"


@pytest.fixture
async def http(live: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=live.url) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/signatures", "POST, OPTIONS"),
        ("PUT", "/confirm/x", "GET, HEAD, POST"),
        ("PUT", "/confirm/x/not-me", "GET, HEAD, POST"),
        ("PUT", "/fr/letters/letter/my-signature", "GET, HEAD, POST"),
        ("PUT", "/signatures/x", "GET, HEAD"),
        ("POST", "/v1/letters/letter", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    http: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    for accept in ("*/*", "text/html"):
        answer = await http.request(method, path, headers={"accept": accept})
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("path", ["/widget.js", "/widget.0123456789abcdef.js", "/w/x.js", "/v1/nothing"])
async def test_whatever_a_script_asks_for_it_may_read(http: httpx.AsyncClient, path: str) -> None:
    for method in ("POST", "GET"):
        answer = await http.request(method, path)
        assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("changes", [{}, {"email": "nope"}])
async def test_so_are_the_pages_that_answer_a_form(
    http: httpx.AsyncClient, token: str, changes: dict[str, str]
) -> None:
    form = {"token": token, "name": "Zoë", "email": "zoe@example.org", "country": "CA", "kind": "individual", **changes}
    answer = await http.post("/v1/signatures", data=form, headers={"accept": "text/html"})
    assert answer.status_code == (422 if changes else 201)
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_slash_too_many_leads_back_to_where_one_is(http: httpx.AsyncClient, live: Live) -> None:
    answer = await http.get("/fr/letters/letter/?source=mail", headers={"host": "elsewhere.example"})
    assert (answer.status_code, answer.headers["location"]) == (307, "/fr/letters/letter?source=mail")
    for nothing in ("/nothing/", "//elsewhere.example/", "/fr/letters/letter/nothing/"):
        assert (await http.get(f"{live.url}{nothing}")).status_code == 404
