"""Signatories collected elsewhere, on both engines."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from tests.conftest import Clock
from widget_server.domain.letters import Letter
from widget_server.domain.refusals import Problems
from widget_server.domain.signers import signer_hash
from widget_server.flows.directory import Directory
from widget_server.flows.import_csv import Imported, import_csv
from widget_server.flows.load_letter import load_letter
from widget_server.store.db import Db
from widget_server.store.signatories import ListQuery, list_page
from widget_server.store.tables import events, signatures, signers

STCA = Path(__file__).resolve().parents[3] / "shared" / "stca"

# A letter's own list as authors publish it: what a name may hold, and the initiators not first.
HARBOUR = """\
Name,Type,Country
The Harbour Coalition,Organization,Canada
Angèle Roy & Maison du Chêne,Organization,Canada
Patricia O'Neil,Individual,Canada
Conseil canadien des femmes (CCF),Organization,Canada
Réseau d'accueil du Nord,Organization,Canada
J. Okonkwo-Lavoie,Individual,Canada
ÉCLAIR,Organization,Canada
"Ateliers L’Escale, francisation et logement",Organization,Canada
Marie Tremblay,Individual,Canada
Marie Tremblay,Individual,Canada
350.org,Organization,United States
Élaine Simon,Individual,United States
Cassidy M. Ascione,Individual,United States
"""


async def bring(db: Db, directory: Directory, letter: Letter, path: Path, clock: Clock, **options: Any) -> Imported:
    house = await directory.house(letter)
    done = await import_csv(db, letter, house, path, now=clock(), actor="test", **options)
    await directory.refresh(now_please=True)
    return done


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "names.csv"
    path.write_text(HARBOUR, "utf-8")
    return path


async def names(db: Db, letter: Letter, statement: str) -> list[str]:
    page = await list_page(db, ListQuery(letter.id, (statement,)), None, 500)
    return [entry.signatory.organization or entry.signatory.name or "" for entry in page.entries]


def published(text: str, country: str) -> list[str]:
    """A file's names from a country, in order, by the plainest reading of it."""
    found = []
    for line in text.splitlines()[1:]:
        name, _, place = line.rsplit(",", 2)
        if place == country:
            found.append(name.strip('"'))
    return found


async def test_names_come_out_in_order_exactly_as_they_went_in(
    db: Db, directory: Directory, letter: Letter, file: Path, clock: Clock
) -> None:
    done = await bring(db, directory, letter, file, clock)
    assert (done.imported, done.skipped, done.rows) == (13, 0, 13)
    canada = published(HARBOUR, "Canada")
    initiators = ["The Harbour Coalition", "Réseau d'accueil du Nord"]
    assert await names(db, letter, "ca") == initiators + [name for name in canada if name not in initiators]
    assert await names(db, letter, "us") == published(HARBOUR, "United States")
    counts = await directory.counts(letter)
    assert counts.public() == {
        "total": 13, "individuals": 6, "organizations": 7, "by_statement": {"ca": 10, "us": 3},
    }  # fmt: skip


async def test_what_is_stored(db: Db, directory: Directory, letter: Letter, file: Path, clock: Clock) -> None:
    revision = await directory.revision(letter)
    await bring(db, directory, letter, file, clock)
    house = await directory.house(letter)
    rows = await db.all(select(signatures).order_by(signatures.c.seq))
    for row in rows:
        assert (row["status"], row["listing"], row["source"]) == ("confirmed", "listed", "import")
        assert row["partner_id"] == house.id
        assert not any(row[column] for column in ("contact_opt_in", "partner_opt_in", "test", "authorized"))
        assert row["text_version"] == letter.version
        assert row["confirmed_at"] == clock()
        assert len(row["import_key"]) == 43
    assert await db.value(select(func.count()).select_from(events)) == 0
    assert await directory.revision(letter) > revision


async def test_the_same_file_twice_adds_nothing(
    db: Db, directory: Directory, letter: Letter, file: Path, clock: Clock
) -> None:
    await bring(db, directory, letter, file, clock)
    revision = await directory.revision(letter)
    clock.advance(3600)
    again = await bring(db, directory, letter, file, clock)
    assert (again.imported, again.skipped, again.rows) == (0, 13, 13)
    assert (await directory.counts(letter)).total == 13
    assert await directory.revision(letter) == revision


async def test_two_imports_at_once_add_each_row_once(
    db: Db, directory: Directory, letter: Letter, file: Path, clock: Clock
) -> None:
    file.write_text(
        HARBOUR.replace("Country\n", "Country,E-mail\n")
        + "".join(f"Person {i},Individual,Canada,p{i}@example.org\n" for i in range(600)),
        "utf-8",
    )
    other = Db(db.url)
    await other.connect()
    try:
        both = await asyncio.gather(
            bring(db, directory, letter, file, clock), bring(other, directory, letter, file, clock)
        )
    finally:
        await other.disconnect()
    assert sorted(done.imported for done in both) == [0, 613]
    await directory.refresh(now_please=True)
    assert (await directory.counts(letter)).total == 613


async def test_a_longer_file_adds_what_is_new(
    db: Db, directory: Directory, letter: Letter, file: Path, clock: Clock
) -> None:
    await bring(db, directory, letter, file, clock)
    file.write_text(HARBOUR + "marie TREMBLAY,Individual,Canada\nNew Name,Individual,Canada\n", "utf-8")
    done = await bring(db, directory, letter, file, clock)
    assert (done.imported, done.skipped) == (2, 13)


async def test_a_dry_run_says_what_would_happen_and_changes_nothing(
    db: Db, directory: Directory, letter: Letter, file: Path, clock: Clock
) -> None:
    dry = await bring(db, directory, letter, file, clock, dry_run=True)
    assert (dry.imported, dry.skipped, dry.rows, dry.dry_run) == (13, 0, 13, True)
    assert await db.value(select(func.count()).select_from(signatures)) == 0
    assert (await directory.counts(letter)).total == 0
    assert (await bring(db, directory, letter, file, clock)).imported == 13
    assert (await bring(db, directory, letter, file, clock, dry_run=True)).skipped == 13


async def test_every_row_that_cannot_be_read_is_named_and_nothing_is_imported(
    db: Db, directory: Directory, letter: Letter, file: Path, clock: Clock
) -> None:
    file.write_text(
        "Name,Type,Country,E-mail,Date,Language,City\n"
        "Good Name,Individual,Canada,,,,\n"
        ",Individual,Canada,,,,\n"
        "A,Robot,Canada,,,,\n"
        "B,Individual,Atlantis,,,,\n"
        "C,Individual,Mexico,,,,\n"
        "D,Individual,Canada,nobody,,,\n"
        "https://x.example,Individual,Canada,,,,\n"
        '"E","Individual","Canada",,,,"two\nlines"\n'
        "F,Individual,Canada,,20/06/2025,,\n"
        "G,Individual,Canada,,2999-01-01,,\n"
        "H,Individual,Canada,,,German,\n"
        "I,,,,,,\n",
        "utf-8",
    )
    with pytest.raises(Problems) as caught:
        await bring(db, directory, letter, file, clock)
    assert [problem.removeprefix("names.csv: ").partition(": ")[0] for problem in caught.value.problems] == [
        "line 3", "line 4", "line 5", "line 6", "line 7", "line 8", "line 11", "line 12", "line 13",
        "line 14", "line 14",
    ]  # fmt: skip
    assert "no statement for Mexico (MX)" in caught.value.problems[3]
    assert await db.value(select(func.count()).select_from(signatures)) == 0


@pytest.mark.parametrize(
    ("country", "statement"),
    [
        ("CA", "ca"), ("canada", "ca"), ("US", "us"), ("USA", "us"), ("U.S.", "us"), ("u.s.a.", "us"),
        ("United States", "us"), ("United States of America", "us"), ("États-Unis", "us"),
        ("ETATS-UNIS D'AMERIQUE", "us"), ("États-Unis d’Amérique", "us"), ("É.-U.", "us"),
    ],
)  # fmt: skip
async def test_countries_by_code_or_name(
    db: Db, directory: Directory, letter: Letter, file: Path, clock: Clock, country: str, statement: str
) -> None:
    file.write_text(f"Nom;Genre;Pays\nJo;Personne;{country}\n", "utf-8")
    await bring(db, directory, letter, file, clock)
    assert await names(db, letter, statement) == ["Jo"]


async def test_a_name_and_an_organization(
    db: Db, directory: Directory, letter: Letter, file: Path, clock: Clock
) -> None:
    file.write_text(
        "Nom,Organisation,Type,Pays,Fonction,Ville,Code postal,Courriel,Date\n"
        "Jo Roy,Maison du Nord,Organisme,Canada,Directrice,Montréal,H2X 1Y4,Jo@Maison.example,2025-06-20\n"
        "Ana Lee,Un centre,Individu,Canada,Présidente,,,,2025-06-21T10:00:00-04:00\n"
        "Un groupe,,Collectif,Canada,,,,,\n",
        "utf-8",
    )
    await bring(db, directory, letter, file, clock)
    c = signatures.c
    rows = await db.all(
        select(c.kind, c.name, c.organization, c.role, c.city, c.postal_code, c.email, c.created_at).order_by(c.seq)
    )
    assert [tuple(row.values())[:7] for row in rows] == [
        (
            "organization",
            "Jo Roy",
            "Maison du Nord",
            "Directrice",
            "Montréal",
            "H2X 1Y4",
            "Jo@maison.example",
        ),
        ("individual", "Ana Lee", "Un centre", "Présidente", None, None, None),
        ("organization", None, "Un groupe", None, None, None, None),
    ]
    assert [row["created_at"].isoformat() for row in rows[:2]] == [
        "2025-06-20T00:00:00+00:00", "2025-06-21T14:00:00+00:00",
    ]  # fmt: skip


async def test_whoever_has_signed_is_skipped_and_not_doubled(
    db: Db, directory: Directory, letter: Letter, file: Path, clock: Clock
) -> None:
    ana = signer_hash(letter.signer_key, "individual", "ana@gmail.com", None)
    async with db.write() as writer:
        await writer.execute(
            insert(signers).values(
                letter_id=letter.id, signer_hash=ana, signature_id="018f0000-0000-7000-8000-000000000001"
            )
        )
    file.write_text(
        "Name,Type,Country,E-mail\n"
        "Ana Lee,Individual,CA,A.n.a+letters@googlemail.com\n"
        "Ana's Group,Organization,CA,ana@gmail.com\n"
        "Bo,Individual,CA,bo@example.org\n"
        "Robert,Individual,CA,BO@example.org\n",
        "utf-8",
    )
    for round_ in range(2):
        done = await bring(db, directory, letter, file, clock)
        assert done.signed_lines == (2, 5)
        assert (done.imported, done.skipped) == ((2, 2), (0, 4))[round_]
        assert (await directory.counts(letter)).total == 2
    assert await names(db, letter, "ca") == ["Ana's Group", "Bo"]
    assert await db.value(select(func.count()).select_from(signers)) == 3


async def test_progress_tells_of_every_row(
    db: Db, directory: Directory, letter: Letter, file: Path, clock: Clock
) -> None:
    file.write_text("Name,Type,Country\n" + "".join(f"Person {i},Individual,Canada\n" for i in range(1200)), "utf-8")
    told: list[int] = []
    total: list[int] = []
    done = await bring(db, directory, letter, file, clock, starting=total.append, progress=told.append)
    assert done.imported == 1200
    assert total == [1200]
    assert sum(told) == 1200
    assert len(told) > 2


async def test_another_letter_has_rows_of_its_own(
    db: Db, directory: Directory, letter: Letter, letter_folder: Path, file: Path, clock: Clock
) -> None:
    await bring(db, directory, letter, file, clock)
    settings = letter_folder / "letter.toml"
    settings.write_text(settings.read_text("utf-8").replace('slug = "letter"', 'slug = "other"'), "utf-8")
    other = (await load_letter(db, letter_folder, now=clock(), actor="test")).letter
    await directory.refresh(now_please=True)
    assert (await bring(db, directory, other, file, clock)).imported == 13


async def test_a_withdrawn_import_does_not_come_back(
    db: Db, directory: Directory, letter: Letter, file: Path, clock: Clock
) -> None:
    await bring(db, directory, letter, file, clock)
    async with db.write() as writer:
        await writer.execute(
            update(signatures).where(signatures.c.name == "Patricia O'Neil").values(status="withdrawn")
        )
    assert (await bring(db, directory, letter, file, clock)).imported == 0


@pytest.mark.skipif(not STCA.is_dir(), reason="the published letter is not on this machine")
async def test_the_published_letter(db: Db, directory: Directory, clock: Clock) -> None:
    letter = (await load_letter(db, STCA, now=clock(), actor="test")).letter
    done = await bring(db, directory, letter, STCA / "signatories.csv", clock)
    assert (done.imported, done.skipped, done.rows) == (58, 0, 58)
    text = (STCA / "signatories.csv").read_text("utf-8")
    assert await names(db, letter, "ca") == published(text, "Canada")
    assert await names(db, letter, "us") == published(text, "United States")
    assert (len(await names(db, letter, "ca")), len(await names(db, letter, "us"))) == (51, 7)
    page = await list_page(db, ListQuery(letter.id, ("ca",)), None, 4)
    assert [entry.initiator for entry in page.entries] == [True, True, True, False]
    again = await bring(db, directory, letter, STCA / "signatories.csv", clock)
    assert (again.imported, again.skipped) == (0, 58)
    assert (await directory.counts(letter)).total == 58
