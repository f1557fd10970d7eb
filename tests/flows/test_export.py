"""Taking signatures away, on both engines."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Clock
from tests.flows.test_approve import organization, store
from tests.flows.test_import_csv import HARBOUR
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.refusals import Problems
from widget_server.flows.directory import Directory
from widget_server.flows.export import COLUMNS, export, export_to_file, safe_cell
from widget_server.flows.find_signatures import find_signatures, list_signatures
from widget_server.flows.import_csv import import_csv
from widget_server.store import signatures as signature_store
from widget_server.store.db import Db

ODD = '=HYPERLINK("x")'


async def fill(db: Db, directory: Directory, letter: Letter, folder: Path, clock: Clock, text: str = HARBOUR) -> None:
    path = folder / "names.csv"
    path.write_text(text, "utf-8")
    await import_csv(db, letter, await directory.house(letter), path, now=clock(), actor="test")


async def lines(db: Db, directory: Directory, letter: Letter, **wanted: Any) -> list[dict[str, Any]]:
    data = io.BytesIO()
    slugs = {partner.id: partner.slug for partner in await directory.partners(letter.id)}
    await export(list_signatures(db, letter, **wanted), slugs, "jsonl", data.write)
    return [json.loads(line) for line in data.getvalue().decode().splitlines()]


async def test_jsonl_is_exact(
    db: Db, directory: Directory, letter: Letter, partner: Partner, tmp_path: Path, clock: Clock
) -> None:
    await fill(db, directory, letter, tmp_path, clock)
    odd = organization(letter, partner, clock, ODD, source="june", contact_opt_in=True)
    await store(db, odd)
    found = await lines(db, directory, letter)
    assert len(found) == 14
    assert [one["organization"] or one["name"] for one in found[:2]] == [
        "The Harbour Coalition", "Angèle Roy & Maison du Chêne",
    ]  # fmt: skip
    assert found[0]["partner"] == "house"
    assert found[0]["source"] == "import"
    last = found[-1]
    assert last["id"] == odd.id
    assert (last["organization"], last["partner"], last["source"]) == (ODD, "maple", "june")
    assert (last["statement"], last["status"], last["listing"]) == ("ca", "confirmed", "awaiting_review")
    assert last["contact_opt_in"] is True
    assert last["created_at"] == "2026-06-20T12:00:00.000000Z"
    assert last["confirmed_at"] == "2026-06-20T12:00:00.000000Z"


async def test_only_one_partners(
    db: Db, directory: Directory, letter: Letter, partner: Partner, tmp_path: Path, clock: Clock
) -> None:
    await fill(db, directory, letter, tmp_path, clock)
    await store(db, organization(letter, partner, clock, "Aid"))
    assert [one["organization"] for one in await lines(db, directory, letter, partner_id=partner.id)] == ["Aid"]


async def test_tests_and_repeats_are_marked(
    db: Db, directory: Directory, letter: Letter, partner: Partner, clock: Clock
) -> None:
    first = organization(letter, partner, clock, "Aid")
    await store(db, first)
    await store(db, organization(letter, partner, clock, "Aid"), organization(letter, partner, clock, "T", test=True))
    found = await lines(db, directory, letter)
    assert sorted((one["repeat_of"] or "", one["test"]) for one in found) == [
        ("", False), ("", True), (first.id, False),
    ]  # fmt: skip


async def test_csv_opens_without_running_anything(
    db: Db, directory: Directory, letter: Letter, partner: Partner, clock: Clock
) -> None:
    await store(db, organization(letter, partner, clock, ODD, comment="+1 from me\nand a second line"))
    data = io.BytesIO()
    number = await export(list_signatures(db, letter), {partner.id: "maple"}, "csv", data.write)
    assert number == 1
    [row] = list(csv.DictReader(io.StringIO(data.getvalue().decode(), newline="")))
    assert tuple(row) == COLUMNS
    assert row["organization"] == f"'{ODD}"
    assert row["comment"] == "'+1 from me\nand a second line"
    assert row["name"] == ""
    assert row["test"] == "false"


async def test_many_pages(
    db: Db,
    directory: Directory,
    letter: Letter,
    tmp_path: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await fill(db, directory, letter, tmp_path, clock)
    monkeypatch.setattr(signature_store, "PAGE", 5)
    names = [one["organization"] or one["name"] for one in await lines(db, directory, letter)]
    assert len(names) == 13
    assert names[0] == "The Harbour Coalition"
    assert names[-1] == "Cassidy M. Ascione"
    assert len(await lines(db, directory, letter, limit=7)) == 7
    assert len(await lines(db, directory, letter, limit=100)) == 13


async def test_a_file_is_written_whole(
    db: Db, directory: Directory, letter: Letter, tmp_path: Path, clock: Clock
) -> None:
    await fill(db, directory, letter, tmp_path, clock)
    folder = tmp_path / "out"
    folder.mkdir()
    path = folder / "all.jsonl"
    path.write_text("before", "utf-8")
    assert await export_to_file(list_signatures(db, letter), {}, "jsonl", path) == 13
    assert len(path.read_text("utf-8").splitlines()) == 13
    assert path.stat().st_mode & 0o077 == 0
    assert [file.name for file in folder.iterdir()] == ["all.jsonl"]


async def test_a_file_that_cannot_be_finished_leaves_the_old_one(
    db: Db, directory: Directory, letter: Letter, tmp_path: Path, clock: Clock
) -> None:
    await fill(db, directory, letter, tmp_path, clock)
    path = tmp_path / "out.csv"
    path.write_text("before", "utf-8")

    async def breaks() -> Any:
        async for signature in list_signatures(db, letter, limit=2):
            yield signature
        raise OSError(28, "No space left on device")

    with pytest.raises(Problems, match="No space left"):
        await export_to_file(breaks(), {}, "csv", path)
    assert path.read_text("utf-8") == "before"
    assert not list(tmp_path.glob(".out.csv*"))
    with pytest.raises(Problems, match="cannot be written"):
        await export_to_file(breaks(), {}, "csv", tmp_path / "nowhere" / "out.csv")
    with pytest.raises(Problems, match="folder"):
        await export_to_file(breaks(), {}, "csv", tmp_path)


async def found(db: Db, letter: Letter, text: str) -> list[str]:
    return [one.display_name async for one in find_signatures(db, letter, text)]


async def test_finding(db: Db, directory: Directory, letter: Letter, tmp_path: Path, clock: Clock) -> None:
    rows = (
        "Name,Type,Country,E-mail,Organization\nAna Lee,Individual,CA,A.n.a@gmail.com,Café 100%\nBo_b,Individual,CA,,\n"
    )
    await fill(db, directory, letter, tmp_path, clock)
    await fill(db, directory, letter, tmp_path, clock, rows)
    assert await found(db, letter, "elaine") == ["Élaine Simon"]
    assert await found(db, letter, "  eclair ") == ["ÉCLAIR"]
    assert await found(db, letter, "l'escale") == ["Ateliers L’Escale, francisation et logement"]
    assert await found(db, letter, "(CCF)") == ["Conseil canadien des femmes (CCF)"]
    assert await found(db, letter, "ana+letter@googlemail.com") == ["Ana Lee"]
    assert await found(db, letter, "A.N.A@GMAIL") == ["Ana Lee"]
    assert await found(db, letter, "100%") == ["Ana Lee"]
    assert await found(db, letter, "o_b") == ["Bo_b"]
    assert await found(db, letter, "tremblay") == ["Marie Tremblay", "Marie Tremblay"]
    assert await found(db, letter, "%") == ["Ana Lee"]
    assert await found(db, letter, "nobody at all") == []


async def test_listing_by_status(db: Db, directory: Directory, letter: Letter, partner: Partner, clock: Clock) -> None:
    waiting = organization(letter, partner, clock, "Aid")
    pending = organization(letter, partner, clock, "Bid", status="pending", confirmed_at=None, listing="listed")
    await store(db, waiting, pending)
    assert [one["id"] for one in await lines(db, directory, letter, status="pending")] == [pending.id]
    assert [one["id"] for one in await lines(db, directory, letter, listing="awaiting_review")] == [waiting.id]


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_no_cell_is_a_formula(text: str) -> None:
    cell = safe_cell(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert cell in (text, f"'{text}")
