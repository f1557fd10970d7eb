"""What robots, broken clients and ill will send to POST /v1/signatures: a clear answer, nothing stored, nothing logged.

Over real HTTP, on both engines; after each attempt the tables and everything that was logged are looked into.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from sqlalchemy import func, select

from tests.conftest import Live
from tests.web.test_sign import rows
from widget_server.domain.letters import Letter
from widget_server.store.db import Db
from widget_server.store.tables import consents, deliveries, events, signatures, signers

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
SECRETS = ("Gagn", "zoe.secret", "secret.example", "192.0.2.99", "Bcc")


@pytest.fixture
async def client(
    live: Live, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> AsyncIterator[httpx.AsyncClient]:
    """At the end: nothing that was printed or logged says who was there."""
    headers = {"origin": "https://maple.example", "accept": "*/*", "x-forwarded-for": "192.0.2.99"}
    capfd.readouterr()
    with caplog.at_level("INFO"):
        async with httpx.AsyncClient(base_url=live.url, headers=headers) as client:
            yield client
    said = "".join(capfd.readouterr()) + caplog.text
    assert not [secret for secret in SECRETS if secret in said], said


@pytest.fixture
def person(token: str) -> dict[str, Any]:
    return {
        "token": token, "kind": "individual", "name": "Zoë Gagné", "country": "CA", "locale": "fr",
        "email": "zoe.secret@secret.example",
    }  # fmt: skip


@pytest.fixture
def organization(person: dict[str, Any]) -> dict[str, Any]:
    return person | {"kind": "organization", "organization": "Maple & Co", "authorized": True}


async def stored(db: Db) -> list[int]:
    """How many rows there are of everything that a signature writes."""
    queries = [select(func.count()).select_from(table) for table in (signatures, consents, signers, deliveries)]
    queries.append(select(func.count()).where(events.c.signature_id.is_not(None)))
    return [int(await db.value(query)) for query in queries]


async def refused(
    client: httpx.AsyncClient, db: Db, content: bytes | dict[str, Any], status: int, code: str, *, kind: str = JSON
) -> list[tuple[str, str]]:
    """Sends it as JSON, or as it is; gives the fields that were refused, each with its code."""
    before = await stored(db)
    body = json.dumps(content).encode() if isinstance(content, dict) else content
    answer = await client.post("/v1/signatures", content=body, headers={"content-type": kind} if kind else {})
    assert answer.status_code == status, answer.text
    document = answer.json()
    assert (document["status"], document["code"]) == (status, code)
    assert document["title"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert not [secret for secret in SECRETS if secret in answer.text]
    assert await stored(db) == before
    page = await client.post("/v1/signatures", content=body, headers={"content-type": kind, "accept": "text/html"})
    assert page.status_code == status, "the page for a browser says the same"
    assert page.headers["content-type"].startswith("text/html")
    assert await stored(db) == before
    return [(error["field"], error["code"]) for error in document.get("errors", [])]


_AT = "zoe.secret@secret.example"
ADDRESSES = [
    f"{_AT}\r\nBcc: x@secret.example", "zoe.secret\nBcc: x@secret.example", "a\x00@secret.example",
    f"{_AT},x@secret.example", f"{_AT} x@secret.example", f"<{_AT}>", '"zoe.secret\r\n Bcc"@secret.example',
    "zoe.secret@sec\u202eret.example", "zoe.secret@[192.0.2.99]", "@secret.example", f"{_AT}\u2028Bcc: x",
    "zoe.secret@secret..example", "\ud800@secret.example", "zoe.secret@secret\ud800.example", "a@b@secret.example",
    "zoe.secret@" + "secret." * 60 + "example", "x" * 65 + "@secret.example", "zoe.secret@secret",
    "zoe.secret@-secret.example", f"\u200b{_AT}",
]  # fmt: skip


async def test_addresses_that_are_none(client: httpx.AsyncClient, db: Db, person: dict[str, Any]) -> None:
    for address in ADDRESSES:
        found = await refused(client, db, person | {"email": address}, 422, "invalid")
        assert found in ([("email", "email")], [("email", "too_long")]), address


LINES = {
    "injected": ("Zoë Gagné\r\nBcc: x@secret.example", "control"),
    "bare": ("Zoë Gagné\nBcc: x", "control"),
    "return": ("Zoë\rGagné", "control"),
    "next line": ("Zoë\u0085Gagné", "control"),
    "separator": ("Zoë\u2028Gagné", "control"),
    "nul": ("Zoë\x00Gagné", "control"),
    "escape": ("\x1b[31mGagné", "control"),
    "override": ("\u202eéngaG ëoZ", "control"),
    "isolate": ("Zoë \u2066Gagné\u2069", "control"),
    "marks": ("\u200f\u200eGagné", "control"),
    "invisible": ("Gag\u200bné", "control"),
    "byte order": ("\ufeffGagné", "control"),
    "surrogate": ("Gagné \ud83d", "control"),
    "tags": ("Gagné\U000e0041", "control"),
    "private": ("Gagné\ue000", "control"),
    "link": ("Gagné https://secret.example", "link"),
    "long": ("Gagné" * 100, "too_long"),
    "dashes": ("--- …", "punctuation"),
}


@pytest.mark.parametrize("field", ["name", "organization", "role"])
async def test_lines_that_are_no_names(
    client: httpx.AsyncClient, db: Db, organization: dict[str, Any], field: str
) -> None:
    for what, (text, code) in LINES.items():
        found = await refused(client, db, organization | {field: text}, 422, "invalid")
        assert found == [(field, code)], what


async def test_a_comment_and_a_website_are_no_way_in_either(
    client: httpx.AsyncClient, db: Db, organization: dict[str, Any]
) -> None:
    for website in (
        "https://secret.example/\r\nBcc: x",
        "javascript:Gagne",
        "https://secret.example@192.0.2.99/",
        "https://[::1",
        "https://secret\ud800.example",
        "https://" + "secret." * 100 + "example",
        "ftp://secret.example",
    ):
        ((field, _),) = await refused(client, db, organization | {"organization_website": website}, 422, "invalid")
        assert field == "organization_website"


FIELDS = [
    "kind", "name", "organization", "role", "email", "country", "organization_website", "id", "authorized", "public",
    "contact_opt_in", "partner_opt_in", "test", "locale",
]  # fmt: skip


async def test_another_type_where_text_belongs(client: httpx.AsyncClient, db: Db, organization: dict[str, Any]) -> None:
    for field in FIELDS:
        for value in (["Gagné"], {"Gagné": "Gagné"}, [[]], 17.5, "\ud800"):
            found = await refused(client, db, organization | {field: value}, 422, "invalid")
            assert field in [name for name, _ in found], (field, value)


async def test_what_is_only_measured_or_attributed_is_never_an_error(
    client: httpx.AsyncClient, db: Db, person: dict[str, Any]
) -> None:
    odd = ["\ud800", ["x"], {"a": 1}, True, -1, 2**63, 1e300, "9" * 2_000, "soon", "-5", "1e9", " 7 ", "\r\nBcc: x"]
    for number, value in enumerate(odd):
        sent = person | dict.fromkeys(("elapsed", "shown", "source", "page", "replaces", "pow"), value)
        sent["email"] = f"zoe.secret{number}@secret.example"
        answer = await client.post("/v1/signatures", content=json.dumps(sent), headers={"content-type": JSON})
        assert answer.status_code == 201, (value, answer.text)
    infinite = json.dumps(person | {"elapsed": 0}).replace('"elapsed": 0', '"elapsed": 1e999').encode()
    answer = await client.post("/v1/signatures", content=infinite, headers={"content-type": JSON})
    assert answer.status_code == 201
    for row in await rows(db):
        assert (row["page"], row["shown"]) == (None, False)
        assert row["source"] in (None, "soon", "-5", "1e9")
        assert row["elapsed"] in (None, 7)


async def test_tokens_cut_and_forged(client: httpx.AsyncClient, db: Db, person: dict[str, Any], letter: Letter) -> None:
    token = person["token"]
    half = token[: len(token) // 2]
    for broken in (
        half,
        token[len(half) :],
        token[:-1],
        token + "x",
        token + token,
        f"{token}\x00",
        f" {token}",
        "\ud800",
        quote(token) + "%",
        token.replace(".", ".."),
        "A" * 12_000,
        ".",
    ):
        assert await refused(client, db, person | {"token": broken}, 403, "token_malformed") == []
    swapped = token[:-2] + ("AA" if not token.endswith("AA") else "BB")
    await refused(client, db, person | {"token": swapped}, 403, "token_forged")
    for missing in (None, "", [token], {"token": token}, 1, True):
        await refused(client, db, person | {"token": missing}, 403, "token_missing")


async def test_encodings_that_are_not_utf_8(client: httpx.AsyncClient, db: Db, person: dict[str, Any]) -> None:
    fields = {key: str(value) for key, value in person.items()}
    as_form, as_json = urlencode(fields), json.dumps(person, ensure_ascii=False)
    latin = urlencode(fields, encoding="latin-1")
    assert "%EB" in latin
    for body in (
        latin.encode(), as_form.replace("Zo%C3%AB", "Zo\xeb").encode("latin-1"), as_form.encode("utf-16"),
        as_form.replace("%C3%AB", "%C0%AF").encode(), as_form.replace("%C3%AB", "%ED%A0%80").encode(),
        as_form.replace("%C3%AB", "%F8%88%80%80%80").encode(), as_form.replace("%C3%AB", "%C3").encode(),
    ):  # fmt: skip
        await refused(client, db, body, 400, "unreadable", kind=FORM)
        await refused(client, db, body, 400, "unreadable", kind=f"{FORM}; charset=iso-8859-1")
    for encoding in ("latin-1", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "cp500"):
        await refused(client, db, as_json.encode(encoding), 400, "unreadable", kind=f"{JSON}; charset={encoding}")


async def test_shapes_that_are_no_form(client: httpx.AsyncClient, db: Db, person: dict[str, Any]) -> None:
    whole = json.dumps(person)
    deep = '{"name":' * 1_500 + "1" + "}" * 1_500
    for body in (
        "",
        "null",
        "7",
        '"Gagné"',
        "[]",
        f"[{whole}]",
        whole[:-1],
        whole + whole,
        "{" * 9_000,
        "[" * 16_000,
        deep,
        '{"a":' + "9" * 5_000 + "}",
        json.dumps({str(n): n for n in range(65)}),
        "\x00" + whole,
        "NaN",
    ):
        await refused(client, db, body.encode(), 400, "unreadable")
    nested: dict[str, Any] = {}
    for _ in range(400):
        nested = {"name": nested}
    found = await refused(client, db, person | {"name": nested}, 422, "invalid")
    assert found == [("name", "text")]
    many = "&".join(f"a{n}=Gagn" for n in range(65)).encode()
    await refused(client, db, many, 400, "unreadable", kind=FORM)
    for kind in (
        "text/plain",
        "text/xml",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        ";",
        "application/x-www-form-urlencoded, application/json",
    ):
        await refused(client, db, whole.encode(), 415, "wrong_type", kind=kind)


async def test_a_name_of_a_megabyte(client: httpx.AsyncClient, db: Db, person: dict[str, Any]) -> None:
    await refused(client, db, person | {"name": "Gagné" * 200_000}, 413, "too_large")
    before = await stored(db)

    async def in_pieces() -> AsyncIterator[bytes]:
        yield b'{"name":"'
        for _ in range(64):
            yield b"Gagn" * 4_096
        yield b'"}'

    answer = await client.post("/v1/signatures", content=in_pieces(), headers={"content-type": JSON})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert await stored(db) == before
    assert await refused(client, db, person | {"name": "G" * 15_000}, 422, "invalid") == [("name", "too_long")]


async def test_a_body_that_lies_about_its_length(live: Live, db: Db, person: dict[str, Any]) -> None:
    """Straight over the wire: what no client library would send."""

    async def sent(head: str, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(live.url.rpartition(":")[2]))
        writer.write(
            f"POST /v1/signatures HTTP/1.1\r\nhost: x\r\ncontent-type: {FORM}\r\n{head}\r\n\r\n".encode() + body
        )
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        return answer

    before = await stored(db)
    body = urlencode({key: str(value) for key, value in person.items()}).encode()
    await sent(f"content-length: {len(body) + 50}", body)  # ends too soon
    for head in (
        "content-length: -1",
        "content-length: x",
        "content-length: 5\r\ncontent-length: 900",
        "transfer-encoding: nonsense",
    ):
        assert b" 201 " not in (await sent(head, body))[:20]
    assert b" 413 " in (await sent("content-length: 999999999999", body))[:20]
    assert await stored(db) == before


async def test_what_is_odd_but_honest_is_taken(client: httpx.AsyncClient, db: Db, person: dict[str, Any]) -> None:
    """So that all of the above is no wall against people."""
    names = [
        "  Zoë \u00a0 Gagné \n",
        "O’Neil-Gagné, Jr.",
        "李小龍 Gagné",
        "مریم\u200cگنیه Gagné",
        "100% Gagné \\x41",
        "Gagné &amp; <b>",
    ]
    for number, name in enumerate(names):
        sent = person | {"name": name, "email": f"zoe.secret{number}@secret.example"}
        for body, kind in (
            (urlencode(sent).encode(), FORM),
            (json.dumps(sent | {"email": f"j{sent['email']}"}).encode(), JSON),
        ):
            answer = await client.post("/v1/signatures", content=body, headers={"content-type": kind})
            assert answer.status_code == 201, (name, answer.text)
    kept = [row["name"] for row in await rows(db)]
    assert kept[::2] == kept[1::2] == ["Zoë Gagné", *names[1:]]
