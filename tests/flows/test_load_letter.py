"""Loading a letter from its folder, on both engines."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from tests.conftest import Clock
from widget_server.domain.letters import Letter
from widget_server.domain.refusals import Problems
from widget_server.flows.directory import Directory
from widget_server.flows.import_csv import import_csv
from widget_server.flows.letter_status import change_letter_status
from widget_server.flows.load_letter import Loaded, load_letter
from widget_server.store.db import Db
from widget_server.store.letters import directory_revision, wording
from widget_server.store.tables import audit, letters, signatures, text_versions


async def load(db: Db, folder: Path, clock: Clock) -> Loaded:
    return await load_letter(db, folder, now=clock(), actor="test")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


async def test_a_new_letter_is_a_draft_with_a_house_partner(
    db: Db, directory: Directory, letter_folder: Path, clock: Clock
) -> None:
    loaded = await load(db, letter_folder, clock)
    assert loaded.created
    assert loaded.letter.state == "draft"
    assert loaded.letter.version == 1
    assert len(loaded.letter.signer_key) == 32
    assert loaded.letter.wording["fr"].intro == "Nous vous invitons à signer."
    found = await directory.letter("letter")
    assert found == loaded.letter
    house = await directory.house(found)
    assert house.name == "An Open Letter on Safe Passage"
    row = await db.one(select(letters.c.announced, letters.c.milestone))
    assert row == {"announced": "draft", "milestone": 0}


async def test_the_same_again_changes_nothing(db: Db, letter_folder: Path, clock: Clock) -> None:
    first = await load(db, letter_folder, clock)
    revision = await directory_revision(db)
    again = await load(db, letter_folder, clock)
    assert not again.created
    assert not again.changed
    assert again.letter == first.letter
    assert await directory_revision(db) == revision
    assert await db.value(select(func.count()).select_from(audit)) == 1


async def test_two_at_once_make_one_letter(db: Db, letter_folder: Path, clock: Clock) -> None:
    other = Db(db.url)
    await other.connect()
    try:
        both = await asyncio.gather(load(db, letter_folder, clock), load(other, letter_folder, clock))
    finally:
        await other.disconnect()
    assert sorted(loaded.created for loaded in both) == [False, True]
    assert both[0].letter == both[1].letter


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("letter.toml", "An Open Letter on Safe Passage", "An Open Letter"),
        ("letter.toml", "demandons au gouvernement d'agir", "demandons d'agir"),
        ("body.fr.md", "sécurité", "paix"),
        ("intro.en.md", "to sign", "to sign this"),
    ],
)
async def test_other_wording_makes_a_new_text_version(
    db: Db, letter_folder: Path, clock: Clock, file: str, old: str, new: str
) -> None:
    first = await load(db, letter_folder, clock)
    edit(letter_folder / file, old, new)
    loaded = await load(db, letter_folder, clock)
    assert loaded.new_version
    assert loaded.letter.version == 2
    assert loaded.letter.revision > first.letter.revision
    assert await wording(db, loaded.letter.id, 1) == first.letter.wording
    assert await wording(db, loaded.letter.id, 2) == loaded.letter.wording


async def test_other_settings_and_an_outcome_make_none(
    db: Db, directory: Directory, letter_folder: Path, clock: Clock
) -> None:
    first = await load(db, letter_folder, clock)
    edit(letter_folder / "letter.toml", "[title]", 'order = "alphabetical"\n[title]')
    (letter_folder / "outcome.en.md").write_text("They listened.", "utf-8")
    revision = await directory_revision(db)
    loaded = await load(db, letter_folder, clock)
    assert loaded.changed
    assert not loaded.new_version
    assert loaded.letter.outcome == {"en": "They listened."}
    assert loaded.letter.revision > first.letter.revision
    assert await directory_revision(db) > revision
    assert await db.value(select(func.count()).select_from(text_versions)) == 1


async def test_loading_never_changes_the_status(db: Db, letter_folder: Path, clock: Clock) -> None:
    await load(db, letter_folder, clock)
    await change_letter_status(db, "letter", "open", now=clock(), actor="test")
    edit(letter_folder / "body.en.md", "safety", "shelter")
    assert (await load(db, letter_folder, clock)).letter.state == "open"


async def test_the_house_partner_follows_the_title(
    db: Db, directory: Directory, letter_folder: Path, clock: Clock
) -> None:
    await load(db, letter_folder, clock)
    edit(letter_folder / "letter.toml", "An Open Letter on Safe Passage", "Safe Passage")
    loaded = await load(db, letter_folder, clock)
    assert (await directory.house(loaded.letter)).name == "Safe Passage"


async def test_every_problem_in_the_folder_comes_at_once(db: Db, letter_folder: Path, clock: Clock) -> None:
    edit(letter_folder / "letter.toml", "[title]", 'notify = ["x"]\nclosing_at = 2026-01-01\n[title]')
    (letter_folder / "body.fr.md").unlink()
    (letter_folder / "body.en.md").write_bytes("Été".encode("cp1252"))
    (letter_folder / "intro.en.md").write_text("a\x00b", "utf-8")
    with pytest.raises(Problems) as caught:
        await load(db, letter_folder, clock)
    assert [problem.partition(" ")[0] for problem in caught.value.problems] == [
        "letter.toml:", "letter.toml:", "body.en.md:", "intro.en.md:", "body.fr.md:",
    ]  # fmt: skip
    assert await db.value(select(func.count()).select_from(letters)) == 0


async def test_a_missing_text_is_named(db: Db, letter_folder: Path, clock: Clock) -> None:
    (letter_folder / "body.fr.md").unlink()
    with pytest.raises(Problems, match=r"body\.fr\.md: missing"):
        await load(db, letter_folder, clock)


async def test_what_is_no_toml_is_named_with_its_place(db: Db, letter_folder: Path, clock: Clock) -> None:
    (letter_folder / "letter.toml").write_text('\n\nslug == "a"\n', "utf-8")
    with pytest.raises(Problems, match=r"letter\.toml: not readable as TOML: .*line 3"):
        await load(db, letter_folder, clock)


async def test_no_folder(db: Db, tmp_path: Path, clock: Clock) -> None:
    with pytest.raises(Problems, match="no such folder"):
        await load(db, tmp_path / "nowhere", clock)
    with pytest.raises(Problems, match=r"letter\.toml: missing"):
        await load(db, tmp_path, clock)


async def test_files_from_windows_read_the_same(db: Db, letter_folder: Path, clock: Clock) -> None:
    first = await load(db, letter_folder, clock)
    for path in letter_folder.iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    again = await load(db, letter_folder, clock)
    assert not again.changed
    assert again.letter == first.letter


async def test_a_text_in_one_language_only_is_noted(db: Db, letter_folder: Path, clock: Clock) -> None:
    (letter_folder / "intro.fr.md").unlink()
    (letter_folder / "body.de.md").write_text("Hallo", "utf-8")
    loaded = await load(db, letter_folder, clock)
    assert [note.partition(" ")[0] for note in loaded.notes] == ["body.de.md", "intro.fr.md"]


async def test_confirming_by_mail_is_nothing_to_note(db: Db, letter_folder: Path, clock: Clock) -> None:
    settings = letter_folder / "letter.toml"
    settings.write_text(settings.read_text("utf-8").replace('confirmation = "none"', 'confirmation = "email"'), "utf-8")
    assert (await load(db, letter_folder, clock)).notes == ()


NAMES = """\
Name,Type,Country,Language
Harbour Aid,Organization,Canada,fr
Maya Roy,Individual,CA,en
Jo,Person,USA,en
"""


async def with_signatures(db: Db, directory: Directory, folder: Path, clock: Clock, text: str = NAMES) -> Letter:
    loaded = await load(db, folder, clock)
    file = folder.parent / "names.csv"
    file.write_text(text, "utf-8")
    house = await directory.house(loaded.letter)
    await import_csv(db, loaded.letter, house, file, now=clock(), actor="test")
    return loaded.letter


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('code = "us"', 'code = "usa"', '"us" cannot be dropped, 1 signature'),
        ('countries = ["CA"]', 'countries = ["MX"]', "CA cannot be dropped, 2 signatures"),
        ('locales = ["en", "fr"]', 'locales = ["en"]', '"fr" cannot be dropped, 1 signature'),
    ],
)
async def test_what_signatures_rely_on_cannot_be_dropped(
    db: Db, directory: Directory, letter_folder: Path, clock: Clock, old: str, new: str, expected: str
) -> None:
    before = await with_signatures(db, directory, letter_folder, clock)
    edit(letter_folder / "letter.toml", old, new)
    with pytest.raises(Problems) as caught:
        await load(db, letter_folder, clock)
    assert any(expected in problem for problem in caught.value.problems)
    await directory.refresh(now_please=True)
    after = await directory.letter("letter")
    assert after is not None
    assert after.settings == before.settings


async def test_what_nobody_relies_on_can_be_dropped(
    db: Db, directory: Directory, letter_folder: Path, clock: Clock
) -> None:
    await with_signatures(db, directory, letter_folder, clock, "Name,Type,Country\nJo,Person,USA\n")
    edit(letter_folder / "letter.toml", 'locales = ["en", "fr"]', 'locales = ["en"]')
    edit(letter_folder / "letter.toml", 'countries = ["CA"]', 'countries = ["*"]')
    loaded = await load(db, letter_folder, clock)
    assert list(loaded.letter.locales) == ["en"]
    assert set(loaded.letter.wording) == {"en"}


async def test_a_country_may_move_under_the_rest(
    db: Db, directory: Directory, letter_folder: Path, clock: Clock
) -> None:
    await with_signatures(db, directory, letter_folder, clock)
    edit(letter_folder / "letter.toml", 'countries = ["CA"]', 'countries = ["*"]')
    assert (await load(db, letter_folder, clock)).changed


async def test_initiators_are_pinned_anew(db: Db, directory: Directory, letter_folder: Path, clock: Clock) -> None:
    await with_signatures(db, directory, letter_folder, clock)
    edit(letter_folder / "letter.toml", '"The Harbour Coalition", "Réseau', '"JO", "harbour  aid", "Réseau')
    await load(db, letter_folder, clock)

    async def pins() -> dict[str, int]:
        rows = await db.all(select(signatures).where(signatures.c.initiator_rank.is_not(None)))
        return {row["organization"] or row["name"]: row["initiator_rank"] for row in rows}

    assert await pins() == {"Jo": 0, "Harbour Aid": 1}
    edit(letter_folder / "letter.toml", '"JO", "harbour  aid"', '"Maya Roy"')
    await load(db, letter_folder, clock)
    assert await pins() == {"Maya Roy": 0}


async def test_who_only_typed_an_initiators_name_is_not_pinned(
    db: Db, directory: Directory, letter_folder: Path, clock: Clock
) -> None:
    await with_signatures(db, directory, letter_folder, clock)
    async with db.write() as writer:  # as if Harbour Aid had come through the form
        await writer.execute(update(signatures).values(import_key=None, source=None))
    edit(letter_folder / "letter.toml", '"The Harbour Coalition", "Réseau', '"Harbour Aid", "Réseau')
    await load(db, letter_folder, clock)
    pinned = await db.value(select(func.count()).where(signatures.c.initiator_rank.is_not(None)))
    assert pinned == 0
