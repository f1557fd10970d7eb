"""Group commit: what is acknowledged is stored, once, with its events and its count."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from sqlalchemy import func, insert, select

from widget_server.domain.ids import new_id
from widget_server.domain.refusals import Unavailable
from widget_server.store.db import Db
from widget_server.store.ingest import Ingest
from widget_server.store.migrate import migrate
from widget_server.store.new_signatures import NewSignature
from widget_server.store.tables import events, letters, partners, signature_counts, signatures, signers

NOW = datetime(2026, 6, 20, 12, 0, tzinfo=UTC)


async def letter_and_partners(db: Db) -> tuple[int, int, int]:
    async with db.write() as writer:
        letter_id = await writer.value(
            insert(letters)
            .values(
                slug="letter",
                state="open",
                settings={},
                outcome={},
                version=1,
                signer_key=b"k",
                revision=1,
                announced="open",
                milestone=0,
                created_at=NOW,
            )
            .returning(letters.c.id)
        )
        found = [
            await writer.value(
                insert(partners)
                .values(
                    letter_id=letter_id,
                    slug=slug,
                    name=slug,
                    version=1,
                    revoked_versions=[],
                    origins=[],
                    strict_origins=False,
                    created_at=NOW,
                )
                .returning(partners.c.id)
            )
            for slug in ("house", "maple")
        ]
    return letter_id, found[0], found[1]


@pytest.fixture
async def ids(db: Db) -> tuple[int, int, int]:
    """A letter and two of its partners."""
    return await letter_and_partners(db)


def signature(letter_id: int, partner_id: int, who: str, **changes: Any) -> NewSignature:
    return (
        NewSignature(
            id=new_id(), letter_id=letter_id, partner_id=partner_id, statement="ca", kind="individual",
            status="confirmed", listing="listed", test=False, quarantine=None, name=who, organization=None, role=None,
            organization_website=None, authorized=False, email=f"{who}@example.org", signer_hash=f"hash-{who}",
            country="CA", postal_code="H2X 1Y4", city=None, comment="hello", locale="en", public=True,
            contact_opt_in=True, partner_opt_in=True, consent_version=None, source=None, page=None, origin=None,
            origin_flagged=False, text_version=1, shown=True, elapsed=5000, sort_key=who, address_hash=f"at-{who}",
            client=None, created_at=NOW,
            confirmed_at=NOW,
        )._replace(**changes)
    )  # fmt: skip


async def kinds(db: Db) -> list[str]:
    return [row["type"] for row in await db.all(select(events.c.type).order_by(events.c.seq))]


@pytest.fixture
async def ingest(db: Db) -> AsyncIterator[Ingest]:
    ingest = Ingest(db)
    await ingest.start()
    yield ingest
    await ingest.stop()


async def test_many_at_once_are_stored_counted_and_told(db: Db, ids: tuple[int, int, int], ingest: Ingest) -> None:
    letter_id, _, maple = ids
    stored = await asyncio.gather(*(ingest.add(signature(letter_id, maple, f"s{i}")) for i in range(300)))
    assert max(result.counts.total for result in stored) == 300
    assert await db.value(select(func.count()).select_from(signatures)) == 300
    assert await db.value(select(signature_counts.c.number)) == 300
    assert sorted(await kinds(db)) == ["signature.confirmed"] * 300 + ["signature.created"] * 300


async def test_the_same_id_at_once_and_later_is_one_signature(
    db: Db, ids: tuple[int, int, int], ingest: Ingest
) -> None:
    one = signature(ids[0], ids[2], "ann")
    results = await asyncio.gather(*(ingest.add(one) for _ in range(5)))
    later = await ingest.add(one._replace(name="somebody else"))
    assert [result.new for result in results].count(True) == 1
    assert not later.new
    assert later.status == "confirmed"
    assert await db.value(select(func.count()).select_from(signatures)) == 1
    assert later.counts.total == 1
    assert await kinds(db) == ["signature.created", "signature.confirmed"]


async def test_who_signs_again_is_not_counted_and_leaves_no_contact_details(
    db: Db, ids: tuple[int, int, int], ingest: Ingest
) -> None:
    letter_id, house, maple = ids
    first = signature(letter_id, house, "ann")
    await ingest.add(first)
    again = await ingest.add(signature(letter_id, house, "ann"))
    assist = await ingest.add(signature(letter_id, maple, "ann"))
    assert (again.new, again.status, assist.counts.total) == (True, "confirmed", 1)
    row = await db.one(select(signatures).where(signatures.c.id == assist.id))
    assert row is not None
    assert row["repeat_of"] == first.id
    assert [row[column] for column in ("email", "postal_code", "comment")] == [None] * 3
    assert not row["contact_opt_in"]
    assert not row["partner_opt_in"]
    assert await kinds(db) == [
        "signature.created", "signature.confirmed", "signature.created", "signature.created", "signature.assisted",
    ]  # fmt: skip


async def test_two_at_once_from_two_partners_are_one_signature_and_one_assist(
    db: Db, ids: tuple[int, int, int], ingest: Ingest
) -> None:
    letter_id, house, maple = ids
    await asyncio.gather(*(ingest.add(signature(letter_id, partner, "ann")) for partner in (house, maple)))
    assert await db.value(select(func.count()).select_from(signers)) == 1
    assert sorted(await kinds(db)) == [
        "signature.assisted", "signature.confirmed", "signature.created", "signature.created",
    ]  # fmt: skip


async def test_tests_and_quarantined_ones_count_for_nothing(db: Db, ids: tuple[int, int, int], ingest: Ingest) -> None:
    test = await ingest.add(signature(ids[0], ids[2], "ann", test=True))
    assert test.counts.total == 0
    quarantined = await ingest.add(signature(ids[0], ids[2], "bob", quarantine="honeypot", status="pending"))
    assert quarantined.quarantined
    assert quarantined.counts.total == 0
    rows = await db.all(select(events.c.type, events.c.data).order_by(events.c.seq))
    assert [(row["type"], row["data"].get("test")) for row in rows] == [
        ("signature.created", True),
        ("signature.confirmed", True),
    ]


async def test_a_bad_row_fails_alone(db: Db, ids: tuple[int, int, int], ingest: Ingest) -> None:
    letter_id, _, maple = ids
    bad = signature(letter_id, 999_999, "bad")  # no such partner: the foreign key refuses it
    results = await asyncio.gather(
        *(ingest.add(s) for s in [signature(letter_id, maple, f"s{i}") for i in range(20)] + [bad]),
        return_exceptions=True,
    )
    assert [isinstance(result, BaseException) for result in results] == [False] * 20 + [True]
    assert await db.value(select(signature_counts.c.number)) == 20


async def test_a_long_queue_is_refused_with_the_time_to_wait(db: Db, ids: tuple[int, int, int]) -> None:
    ingest = Ingest(db, max_queue=3)
    await ingest.start()
    results = await asyncio.gather(
        *(ingest.add(signature(ids[0], ids[2], f"s{i}")) for i in range(10)), return_exceptions=True
    )
    await ingest.stop()
    refused = [result for result in results if isinstance(result, Unavailable)]
    assert len(refused) == 7
    assert all(refusal.retry_after_seconds for refusal in refused)
    assert await db.value(select(func.count()).select_from(signatures)) == 3


async def test_a_disk_that_refuses_stores_nothing_and_mends(tmp_path: Path) -> None:
    """SQLite's own limit on pages stands in for a full disk: the same error from the same place."""
    db = Db(f"sqlite:///{tmp_path}/full.db")
    await db.connect()
    await migrate(db)
    letter_id, _, maple = await letter_and_partners(db)
    ingest = Ingest(db)
    await ingest.start()
    async with db.write() as writer:
        ((pages,),) = await writer.raw("PRAGMA page_count")
        await writer.raw(f"PRAGMA max_page_count = {pages + 1}")
    big = "x" * 900
    results = await asyncio.gather(
        *(ingest.add(signature(letter_id, maple, f"s{i}", comment=big)) for i in range(50)),
        return_exceptions=True,
    )
    assert all(isinstance(result, Unavailable) for result in results)
    assert await db.value(select(func.count()).select_from(signatures)) == 0
    async with db.write() as writer:
        await writer.raw("PRAGMA max_page_count = 1000000")
    assert (await ingest.add(signature(letter_id, maple, "later"))).new
    await ingest.stop()
    await db.disconnect()


@asynccontextmanager
async def relayed(url: str) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """The same database by way of a relay that passes on what the server says when it ends a line, and then keeps the
    line; and the event that it did."""
    (folder,) = parse_qs(urlsplit(url).query)["host"]
    said = asyncio.Event()
    lines: list[asyncio.StreamWriter] = []
    carrying: list[asyncio.Task[None]] = []

    async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while some := await source.read(65536):
            sink.write(some)
            if b"C57P01\0" in some:
                said.set()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.5432")
        lines.extend((writer, to_server))
        carrying.extend(map(asyncio.create_task, (carry(reader, to_server), carry(from_server, writer))))

    with tempfile.TemporaryDirectory(prefix="undersigned-relay-") as door:
        server = await asyncio.start_unix_server(relay, f"{door}/.s.PGSQL.5432")
        yield url.replace(folder, door), said
        server.close()
        for line in lines:
            line.close()
        await asyncio.gather(*carrying, return_exceptions=True)


async def end_lines(url: str) -> None:
    admin = await asyncpg.connect(url)
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await admin.close()


async def test_a_server_that_hangs_up_is_a_503_and_then_forgotten(migrated_postgresql: str) -> None:
    await hang_up(migrated_postgresql, migrated_postgresql)


async def test_so_is_one_that_says_so_and_does_not(migrated_postgresql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("widget_server.store.db.CLOSE_SECONDS", 0.1)
    async with relayed(migrated_postgresql) as (url, said):
        await hang_up(migrated_postgresql, url, said)


async def hang_up(server: str, url: str, said: asyncio.Event | None = None) -> None:
    db = Db(url)
    await db.connect()
    letter_id, _, maple = await letter_and_partners(db)
    ingest = Ingest(db)
    await ingest.start()
    await ingest.add(signature(letter_id, maple, "before"))
    await end_lines(server)
    if said is not None:
        await said.wait()
        await asyncio.sleep(0)  # and this process hears it
    with pytest.raises(Unavailable):
        await ingest.add(signature(letter_id, maple, "meanwhile"))
    stored = await ingest.add(signature(letter_id, maple, "after"))
    assert (stored.new, stored.counts.total) == (True, 2)
    assert await db.value(select(func.count()).select_from(signatures)) == 2
    await ingest.stop()
    await db.disconnect()
