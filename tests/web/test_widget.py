"""The widget's files over real HTTP: what a partner's page and a cache in between are given."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import brotli
import httpx
import pytest

from tests.conftest import Clock, Live
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.tokens import Attribution, Seals, open_shown, seal_attribution
from widget_server.flows.letter_status import change_letter_status
from widget_server.flows.load_letter import load_letter
from widget_server.flows.partners import add_partner, revoke_partner, rotate_partner, set_partner
from widget_server.store.consents import wording
from widget_server.store.db import Db
from widget_server.web.open_ended import open_ended
from widget_server.web.widget_file import script_json

BUDGET = 8192
FURTHER_LANGUAGE = 700
EXAMPLE = Path(__file__).parents[2] / "examples" / "ask-here"
REAL_LETTER = Path(__file__).parents[2].parent / "shared" / "stca"


@pytest.fixture
async def client(live: Live) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=live.url) as client:
        yield client


async def raw(client: httpx.AsyncClient, path: str, encoding: str) -> tuple[httpx.Response, bytes]:
    """An answer and its bytes as they came over the wire."""
    async with client.stream("GET", path, headers={"accept-encoding": encoding}) as answer:
        return answer, b"".join([part async for part in answer.aiter_raw()])


def told(script: str) -> dict[str, object]:
    """The configuration in a served file."""
    document = json.JSONDecoder().raw_decode(script, script.rindex('})({"api"') + 3)[0]
    assert isinstance(document, dict)
    return document


def texts(document: dict[str, object], locale: str) -> dict[str, object]:
    """What a configuration says in one language, by word."""
    words, every = document["words"], document["texts"]
    assert isinstance(words, str)
    assert isinstance(every, dict)
    return dict(zip(words.split(), every[locale], strict=True))


async def test_one_file_has_the_library_and_the_configuration(
    live: Live, client: httpx.AsyncClient, token: str
) -> None:
    answer = await client.get(f"/w/{token}.js")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == ("public, max-age=300, stale-while-revalidate=300, stale-if-error=86400")
    for name, value in {
        "access-control-allow-origin": "*",
        "cross-origin-resource-policy": "cross-origin",
        "timing-allow-origin": "*",
        "x-content-type-options": "nosniff",
        "vary": "Accept-Encoding",
    }.items():
        assert answer.headers[name] == value
    document = told(answer.text)
    assert document["api"] == live.url
    assert document["token"] == token
    assert set(document["texts"]) == {"en", "fr"}  # type: ignore[call-overload]
    assert "customElements.get(NAME)" in answer.text
    assert answer.text.endswith('{"total":0});\n')


@pytest.mark.parametrize(("encoding", "decode"), [("br", brotli.decompress), ("gzip", gzip.decompress)])
async def test_every_encoding_says_the_same(client: httpx.AsyncClient, token: str, encoding: str, decode) -> None:  # type: ignore[no-untyped-def]
    plain, body = await raw(client, f"/w/{token}.js", "identity")
    assert "content-encoding" not in plain.headers
    packed, packed_body = await raw(client, f"/w/{token}.js", encoding)
    assert packed.headers["content-encoding"] == encoding
    assert decode(packed_body) == body
    assert packed.headers["etag"] != plain.headers["etag"]


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"), ("br;q=0, gzip", "gzip"), ("*", "br"), ("", None),
        ("identity", None), ("gzip;q=1.0, br;q=oops", "gzip"),
    ],
)  # fmt: skip
async def test_the_encoding_is_the_best_that_the_client_takes(
    client: httpx.AsyncClient, token: str, header: str, encoding: str | None
) -> None:
    answer, _ = await raw(client, f"/w/{token}.js", header)
    assert answer.headers.get("content-encoding") == encoding


@pytest.mark.parametrize("path", ["/w/{token}.js", "/widget.js", "/v1/widget/{token}"])
async def test_what_has_not_changed_is_not_sent_again(client: httpx.AsyncClient, token: str, path: str) -> None:
    path = path.format(token=token)
    etag = (await client.get(path)).headers["etag"]
    assert etag.startswith('"')
    for given in (etag, f'"other", W/{etag}', "*"):
        again = await client.get(path, headers={"if-none-match": given})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == etag
        assert again.headers["access-control-allow-origin"] == "*"
    assert (await client.get(path, headers={"if-none-match": '"other"'})).status_code == 200


async def test_a_signature_changes_the_count_and_nothing_else(
    live: Live, client: httpx.AsyncClient, token: str
) -> None:
    before = await client.get(f"/w/{token}.js")
    signed = await client.post(
        "/v1/signatures",
        data={
            "token": token,
            "kind": "individual",
            "name": "Ada",
            "email": "ada@example.org",
            "country": "CA",
        },
    )
    assert signed.status_code == 201
    await live.site.directory.refresh(now_please=True)
    after = await client.get(f"/w/{token}.js")
    assert after.headers["etag"] != before.headers["etag"]
    assert after.text.rpartition(",{")[0] == before.text.rpartition(",{")[0]
    assert after.text.endswith('{"total":1});\n')


async def test_the_library_alone_fetches_the_same_configuration(
    live: Live, client: httpx.AsyncClient, token: str
) -> None:
    alone = await client.get("/widget.js")
    assert told(alone.text) == {"api": live.url}
    fetched = await client.get(f"/v1/widget/{token}")
    assert fetched.headers["content-type"] == "application/json"
    assert fetched.headers["access-control-allow-origin"] == "*"
    assert fetched.headers["cache-control"] == "no-cache"
    document = fetched.json()
    counts = document.pop("counts")
    assert counts == {"total": 0, "individuals": 0, "organizations": 0, "by_statement": {"ca": 0, "us": 0}}
    assert document == told((await client.get(f"/w/{token}.js")).text)


async def test_a_pinned_library_never_changes(live: Live, client: httpx.AsyncClient) -> None:
    hashed = library_path(live)
    pinned = await client.get(hashed)
    assert pinned.status_code == 200
    assert pinned.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert pinned.content == (await client.get("/widget.js")).content
    assert (await client.get("/widget.0123456789abcdef.js")).status_code == 404


def library_path(live: Live) -> str:
    return f"/widget.{live.site.widget_files.hash}.js"


@pytest.mark.parametrize("cut", ["nonsense", "a.b", "{token}x", "{short}"])
async def test_a_wrong_token_warns_and_does_no_harm(client: httpx.AsyncClient, token: str, cut: str) -> None:
    wrong = cut.format(token=token, short=token[:-3])
    answer = await client.get(f"/w/{wrong}.js")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.text.startswith('console.warn("Undersigned: ')
    assert answer.text.count("\n") == 1
    assert wrong not in answer.text
    refused = await client.get(f"/v1/widget/{wrong}")
    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["access-control-allow-origin"] == "*"


async def test_a_rotated_token_still_credits_and_a_revoked_partner_shows_the_way(
    live: Live, db: Db, client: httpx.AsyncClient, letter: Letter, partner: Partner, token: str, clock: Clock
) -> None:
    await rotate_partner(db, letter, partner.slug, now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    assert "notice" not in told((await client.get(f"/w/{token}.js")).text)
    await revoke_partner(db, letter, partner.slug, now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    answer = await client.get(f"/w/{token}.js")
    assert answer.status_code == 200
    document = told(answer.text)
    assert document["notice"] == "revoked"
    assert document["link"] == f"{live.url}/letters/letter"
    assert "fields" not in document


@pytest.mark.parametrize("verb", ["pause", "close"])
async def test_a_letter_that_cannot_be_signed_says_so(
    live: Live, db: Db, client: httpx.AsyncClient, token: str, clock: Clock, verb: str
) -> None:
    await change_letter_status(db, "letter", verb, now=clock(), actor="test")  # type: ignore[arg-type]
    await live.site.directory.refresh(now_please=True)
    document = told((await client.get(f"/w/{token}.js")).text)
    assert document["notice"] == {"pause": "paused", "close": "closed"}[verb]
    assert "shown" not in document


async def test_a_closed_letter_leads_to_what_came_of_it(
    live: Live, db: Db, client: httpx.AsyncClient, letter_folder: Path, token: str, clock: Clock
) -> None:
    (letter_folder / "outcome.en.md").write_text("They agreed.\n", "utf-8")
    (letter_folder / "outcome.fr.md").write_text("Ils ont accepté.\n", "utf-8")
    await load_letter(db, letter_folder, now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    open_ = told((await client.get(f"/w/{token}.js")).text)
    assert texts(open_, "en")["page"] == "Go to the letter's own page"
    await change_letter_status(db, "letter", "close", now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    document = told((await client.get(f"/w/{token}.js")).text)
    assert [texts(document, locale)["page"] for locale in ("en", "fr")] == ["What came of it", "Ce qu’il en est advenu"]
    assert document["link"] == f"{live.url}/letters/letter?via={token}#outcome"


HOSTILE = "</script><script>alert(1)//\u2028\u2029 «& <!--"


async def test_a_letter_cannot_end_the_script_that_carries_it(
    live: Live, db: Db, client: httpx.AsyncClient, token: str, clock: Clock, letter_folder: Path
) -> None:
    toml = letter_folder / "letter.toml"
    hostile, one_line = json.dumps(HOSTILE), json.dumps(HOSTILE.replace("\u2028\u2029", ""))
    toml.write_text(
        toml.read_text("utf-8")
        .replace('"An Open Letter on Safe Passage"', one_line)
        .replace('"We, the undersigned based in Canada, call on the government to act."', hostile),
        "utf-8",
    )
    await load_letter(db, letter_folder, now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    script = (await client.get(f"/w/{token}.js")).text
    data = script[script.rindex('})({"api"') :]
    assert "<" not in data
    assert not {"\u2028", "\u2029"} & set(data)
    english = texts(told(script), "en")
    assert english["statements"]["ca"] == HOSTILE  # type: ignore[index]
    assert english["title"] == HOSTILE.replace("\u2028\u2029", "")


async def test_a_draft_stays_unseen(
    live: Live, db: Db, client: httpx.AsyncClient, clock: Clock, seals: Seals, letter_folder: Path
) -> None:
    toml = letter_folder / "letter.toml"
    toml.write_text(toml.read_text("utf-8").replace('slug = "letter"', 'slug = "secret"'), "utf-8")
    await load_letter(db, letter_folder, now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    token = seal_attribution(seals, Attribution("secret", "house", 1))
    answer = await client.get(f"/w/{token}.js")
    assert answer.status_code == 200
    assert answer.text.startswith("console.warn(")
    assert "Safe Passage" not in answer.text


LETTERS = [
    EXAMPLE,
    pytest.param(REAL_LETTER, marks=pytest.mark.skipif(not REAL_LETTER.is_dir(), reason="it lies beside the project")),
]


@pytest.mark.parametrize("folder", LETTERS, ids=lambda folder: folder.name)
async def test_one_file_and_a_further_language_fit_the_budget(
    live: Live, db: Db, client: httpx.AsyncClient, clock: Clock, seals: Seals, folder: Path
) -> None:
    slug = folder.name
    await load_letter(db, folder, now=clock(), actor="test")
    await change_letter_status(db, slug, "open", now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    letter = await live.site.directory.letter(slug)
    assert letter is not None
    named = {
        "legal_name": "Northern Lights Refugee House",
        "postal_address": "12 Example Avenue, Winnipeg, Manitoba R3C 0A1",
        "privacy_url": "https://example.org/privacy",
        "contact_email": "office@example.org",
    }
    for name, about in {"plain": {}, "with-a-consent-box": named}.items():
        await add_partner(db, letter, name, name=name, origins=["https://m.example"], now=clock(), actor="test")
        if about:
            await set_partner(db, letter, name, about, now=clock(), actor="test")
        await live.site.directory.refresh(now_please=True)
        _, body = await raw(client, f"/w/{seal_attribution(seals, Attribution(slug, name, 1))}.js", "br")
        assert len(body) <= BUDGET, name
        script = brotli.decompress(body).decode()
        document = told(script)
        texts = document["texts"]
        assert isinstance(texts, dict)
        assert list(texts) == ["en", "fr"]
        english = script.replace(script_json(document), script_json(document | {"texts": {"en": texts["en"]}}))
        assert len(english) < len(script)
        if not about:
            assert len(packed(script)) - len(packed(english)) <= FURTHER_LANGUAGE


def packed(script: str) -> bytes:
    """As the server does it."""
    return open_ended(script[:-1].encode()).body("br", b"\n")


async def test_consent_wording_is_kept_before_it_is_shown(
    live: Live, db: Db, client: httpx.AsyncClient, letter: Letter, partner: Partner, token: str, clock: Clock
) -> None:

    await set_partner(
        db,
        letter,
        partner.slug,
        {
            "legal_name": "Maple House Society",
            "postal_address": "2 Rue Exemple, Montréal QC H2X 1Y4",
            "privacy_url": "https://maple.example/privacy",
            "phone": "514-555-0100",
        },
        now=clock(),
        actor="test",
    )
    await live.site.directory.refresh(now_please=True)
    document = told((await client.get(f"/w/{token}.js")).text)
    shown = open_shown(live.site.seals, str(document["shown"]), letter.id)
    assert shown is not None
    kept = await wording(db, shown.consent_version)
    assert kept is not None
    assert set(kept["fr"]) == {"initiators", "partner"}
    french = texts(document, "fr")
    assert french["partner_opt_in"] == kept["fr"]["partner"]
    assert french["contact_opt_in"] == kept["fr"]["initiators"]
    assert "514-555-0100" in kept["en"]["partner"]


async def test_a_letter_that_opens_later_names_the_day(
    live: Live, db: Db, client: httpx.AsyncClient, token: str, clock: Clock, letter_folder: Path
) -> None:

    later = datetime.now(UTC) + timedelta(days=400)
    toml = letter_folder / "letter.toml"
    toml.write_text(f"opens_at = {later:%Y-%m-%dT%H:%M:%SZ}\n{toml.read_text('utf-8')}", "utf-8")
    await load_letter(db, letter_folder, now=clock(), actor="test")
    await live.site.directory.refresh(now_please=True)
    document = told((await client.get(f"/w/{token}.js")).text)
    assert document["notice"] == "scheduled"
    assert str(later.year) in str(texts(document, "fr")["notice"])
