"""What staff do to signatures by command: every verb, for people and as JSON, against real databases."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from tests.cli.test_letter_partner_signatures import Run, opened, run, value
from widget_server.__main__ import app
from widget_server.store.db import Db
from widget_server.store.tables import signatures

__all__ = ["opened", "run"]

PEOPLE = """\
Name,Type,Country,E-mail,Website
Éclair,Organization,Canada,ana@eclair.example,https://www.eclair.example
The Eclair Inc.,Organization,Canada,jo@gmail.com,https://eclair.example
Harbour Coalition of Halifax,Organization,Canada,,
Harbor Coalition of Halifax,Organization,Canada,,
Zoë Gagné,Individual,Canada,zoe@example.org,
Bot 1,Individual,Canada,bot1@mail.spam.example,
Bot 2,Individual,United States,bot2@mail.spam.example,
Bot 3,Individual,Canada,bot3@mail.spam.example,
"""


@pytest.fixture
def people(run: Run, opened: str, tmp_path: Path) -> dict[str, str]:
    """Ids by name."""
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE, "utf-8")
    run("signatures", "import", opened, path)
    return {one["organization"] or one["name"]: one["id"] for one in value(run("signatures", "list", opened, "--json"))}


async def _set(database_url: str, id_: str, values: dict[str, Any]) -> None:
    db = Db(database_url)
    await db.connect()
    async with db.write() as writer:
        await writer.execute(update(signatures).where(signatures.c.id == id_).values(**values))
    await db.disconnect()


def total(run: Run, letter: str) -> int:
    return int(value(run("letter", "show", letter, "--json"))["counts"]["total"])


def test_finding(run: Run, opened: str, people: dict[str, str]) -> None:
    def found(text: str) -> list[str]:
        return [one["id"] for one in value(run("signatures", "find", opened, text, "--json"))]

    assert found("zoe gagne") == found("ZOE+news@example.org") == [people["Zoë Gagné"]], "accents, case, the mailbox"
    assert set(found("eclair")) == {people["Éclair"], people["The Eclair Inc."]}
    assert len(found("spam.example")) == 3
    assert 'No signature mentions "nobody"' in run("signatures", "find", opened, "nobody").stdout
    assert "say what to look for" in run("signatures", "find", opened, "  ", ok=False).stderr


def test_two_of_one_name_are_told_apart(run: Run, opened: str, people: dict[str, str], database_url: str) -> None:
    zoe, bot, inc = people["Zoë Gagné"], people["Bot 1"], people["The Eclair Inc."]
    signed = {"created_at": datetime(2026, 6, 20, 12, 5, tzinfo=UTC), "name": "Jo Rep"}
    asyncio.run(_set(database_url, inc, signed))
    asyncio.run(_set(database_url, bot, signed | {"name": "Zoé Gagné", "sort_key": "zoe gagne", "email": None}))
    lines = run("signatures", "find", opened, "zoe gagne").stdout.splitlines()
    assert len(lines) == 4, "two lines for each"
    assert lines[0].startswith(f"{zoe}  confirmed  listed ")
    assert lines[1].startswith("    zoe@example.org  signed 20")
    assert lines[1].endswith("Z through house")
    assert lines[2].startswith(f"{bot}  confirmed")
    assert lines[3] == "    no address  signed 2026-06-20 12:05Z through house"
    assert "    Jo Rep, jo@gmail.com  signed 2026-06-20 12:05Z" in run("signatures", "find", opened, "jo@").stdout
    assert "zoe@example.org" not in run("signatures", "list", opened).stdout
    assert "zoe@example.org" not in run("audit", opened).stdout


def test_the_evidence_stands_beside_an_organization(
    run: Run, opened: str, people: dict[str, str], database_url: str
) -> None:
    for name in ("Éclair", "The Eclair Inc."):
        confirmed = {"address_confirmed_at": signatures.c.created_at, "listing": "awaiting_review"}
        asyncio.run(_set(database_url, people[name], confirmed))
    lines = run("signatures", "list", opened, "--listing", "awaiting_review").stdout.splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("Éclair  address confirmed, on eclair.example, the website's domain")
    assert lines[1].endswith("address confirmed, but anybody can have one at gmail.com")
    done = value(run("signatures", "approve", opened, people["Éclair"], "--reason", "known to us", "--json"))
    assert done == {"approved": [people["Éclair"]], "repeated": []}
    waiting = value(run("letter", "show", opened, "--json"))["waiting"]
    assert waiting["review"] == 1
    assert f"1 to be reviewed: undersigned signatures list {opened} --listing" in run("letter", "show", opened).stdout


def test_hiding_and_the_way_back(run: Run, opened: str, people: dict[str, str]) -> None:
    zoe = people["Zoë Gagné"]
    assert value(run("signatures", "hide", opened, zoe, "--json")) == {"hidden": [zoe], "repeated": []}
    assert "was hidden already" in run("signatures", "hide", opened, zoe).stdout
    [one] = value(run("signatures", "list", opened, "--listing", "hidden_by_staff", "--json"))
    assert (one["id"], total(run, opened)) == (zoe, 8)
    restored = value(run("signatures", "restore", opened, zoe, "--json"))
    assert restored == {"restored": [{"id": zoe, "undone": "hiding"}], "along": [], "repeated": []}
    assert "nothing was to be undone" in run("signatures", "restore", opened, zoe).stdout


def test_correcting(run: Run, opened: str, people: dict[str, str]) -> None:
    zoe = people["Zoë Gagné"]
    done = value(run("signatures", "edit", opened, zoe, "name=Zoé Gagné", "--reason", "her wish", "--json"))
    assert done == {"id": zoe, "changed": ["name"]}
    assert "is as it was" in run("signatures", "edit", opened, zoe, "name=Zoé Gagné").stdout
    wrong = run("signatures", "edit", opened, zoe, "name=", "colour=red", "role=www.x.example", ok=False)
    assert [line.partition(":")[0] for line in sorted(wrong.stderr.splitlines())] == ["colour", "name", "role"]
    lines = value(run("audit", opened, "--json"))
    assert (lines[-1]["action"], lines[-1]["subject"], lines[-1]["reason"]) == ("signatures.edit", zoe, "her wish")
    assert lines[-1]["data"] == {"fields": ["name"]}
    assert "Gagn" not in run("audit", opened).stdout


def test_duplicates_are_proposed_and_merged_by_the_line_that_is_printed(
    run: Run, opened: str, people: dict[str, str]
) -> None:
    same, near = value(run("signatures", "duplicates", opened, "--json"))
    assert (same["score"], same["keep"]["id"]) == (100, people["Éclair"])
    assert [one["id"] for one in same["others"]] == [people["The Eclair Inc."]]
    assert 90 <= near["score"] < 100
    assert total(run, opened) == 8, "nothing is merged by itself"
    shown = run("signatures", "duplicates", opened).stdout
    assert same["command"] in shown
    assert f"{near['score']:g} % alike" in shown

    program, *arguments = same["command"].split()
    assert program == "undersigned"
    done = value(run(*arguments, "--json"))
    assert done == {"keep": people["Éclair"], "merged": [people["The Eclair Inc."]], "repeated": []}
    assert total(run, opened) == 7
    assert len(value(run("signatures", "duplicates", opened, "--json"))) == 1
    run("signatures", "restore", opened, people["The Eclair Inc."])
    assert total(run, opened) == 8
    assert run("signatures", "duplicates", opened, "--threshold", "20", ok=False).exit_code == 2


def test_alike_under_different_statements_is_said_to_be_no_case_for_merging(
    run: Run, opened: str, people: dict[str, str], database_url: str
) -> None:
    inc = people["The Eclair Inc."]
    asyncio.run(_set(database_url, inc, {"statement": "us"}))
    near, apart = value(run("signatures", "duplicates", opened, "--json"))
    assert (near["statement"], bool(near["command"])) == ("ca", True)
    assert (apart["score"], apart["statement"], apart["command"]) == (100, None, None)
    assert [one["statement"] for one in (apart["keep"], *apart["others"])] == ["ca", "us"]
    shown = run("signatures", "duplicates", opened).stdout
    assert "the same name, under different statements: cannot be merged" in shown
    assert shown.count("undersigned signatures merge") == 1
    assert shown.rstrip().endswith("us    The Eclair Inc.")


def test_a_flood_is_counted_first_refused_and_taken_back(run: Run, opened: str, people: dict[str, str]) -> None:
    pattern = ("--domain", "*.spam.example")
    looked = run("signatures", "reject", opened, *pattern, "--dry-run")
    assert "3 signatures fit; 3 of them count." in looked.stdout
    assert "Bot 1" in looked.stdout
    preview = value(run("signatures", "reject", opened, *pattern, "--dry-run", "--json"))
    assert preview == {"rejection": None, "number": 3, "counted": 3, "dry_run": True}
    assert total(run, opened) == 8

    assert "--reason" in run("signatures", "reject", opened, *pattern, "--yes", ok=False).stderr
    unasked = run("signatures", "reject", opened, *pattern, "--reason", "a flood", ok=False)
    assert "3 signatures fit" in unasked.stderr
    assert "add --yes" in unasked.stderr, "nobody is there to be asked"
    assert total(run, opened) == 8

    done = value(run("signatures", "reject", opened, *pattern, "--reason", "a flood", "--yes", "--json"))
    assert (done["number"], done["counted"], done["dry_run"], total(run, opened)) == (3, 3, False, 5)
    none = value(run("signatures", "reject", opened, *pattern, "--reason", "a flood", "--yes", "--json"))
    assert (none["rejection"], none["number"]) == (None, 0)

    undone = value(run("signatures", "restore", opened, "--rejection", done["rejection"], "--json"))
    assert undone == {"rejection": done["rejection"], "number": 3, "left": [], "repeated": False}
    assert total(run, opened) == 8
    assert "taken back already" in run("signatures", "restore", opened, "--rejection", done["rejection"]).stdout


def test_the_line_that_takes_a_rejection_back_is_printed(run: Run, opened: str, people: dict[str, str]) -> None:
    told = run(
        "signatures", "reject", opened, "--name", "bot *", "--country", "us", "--reason", "a flood", "--yes"
    ).stdout
    program, *arguments = told.rpartition("takes it back: ")[2].split()
    assert (program, total(run, opened)) == ("undersigned", 7)
    assert "1 signature is back" in run(*arguments).stdout
    assert total(run, opened) == 8


def test_refusing_by_id(run: Run, opened: str, people: dict[str, str]) -> None:
    bot = people["Bot 1"]
    done = value(run("signatures", "reject", opened, bot, "--json"))
    assert (done["rejected"], done["along"], done["repeated"], total(run, opened)) == ([bot], [], [], 7)
    assert "rejected already" in run("signatures", "reject", opened, bot).stdout
    [line] = [one for one in value(run("audit", opened, "--json")) if one["action"] == "signatures.reject"]
    assert line["data"] == {"rejection": done["rejection"]}
    restored = value(run("signatures", "restore", opened, bot, "--json"))
    assert restored["restored"] == [{"id": bot, "undone": "rejection"}]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "name the ids to reject, or give a pattern"),
        (("--status", "pending"), "name the ids to reject, or give a pattern"),
        (("ID", "--domain", "x.example"), "not both"),
        (("ID", "--dry-run"), "not both"),
        (("--email", "not an address"), "--email"),
        (("--domain", "nodots"), "--domain"),
        (("--country", "Canada"), "--country"),
        (("--client", "abc"), "--client"),
        (("--since", "yesterday"), "--since"),
        (("--since", "0001-01-01T00:00+14:00"), "--since"),
        (("--until", "9999-12-31T23:59-14:00"), "--until"),
        (("--name", "\udced\udca0\udc80"), "or is not UTF-8"),
        (("018f0000-0000-7000-8000-000000000001", "\udcff"), "ids: this has"),
        (("--since", "2026-06-02", "--until", "2026-06-01"), "not before --until"),
        (("--partner", "nobody"), "nobody"),
        (("--name", "***"), "--name"),
    ],
)
def test_a_pattern_that_cannot_be_read_says_so(
    run: Run, opened: str, people: dict[str, str], arguments: tuple[str, ...], problem: str
) -> None:
    result = run("signatures", "reject", opened, *arguments, "--reason", "x", "--yes", ok=False)
    assert (result.exit_code, result.stdout, problem in result.stderr) == (1, "", True), result.stderr
    assert total(run, opened) == 8


def test_letting_out_of_quarantine(run: Run, opened: str, people: dict[str, str], database_url: str) -> None:
    bot = people["Bot 1"]
    held = {"status": "pending", "confirmed_at": None, "quarantine": "fast,not_shown", "signer_hash": "another"}
    asyncio.run(_set(database_url, bot, held))
    shown = run("signatures", "list", opened, "--quarantine").stdout
    assert "[quarantine: sent sooner than anybody reads, the form was not one of ours]" in shown
    assert len(value(run("signatures", "list", opened, "--no-quarantine", "--json"))) == 7
    assert value(run("letter", "show", opened, "--json"))["waiting"]["quarantine"] == 1
    done = value(run("signatures", "release", opened, bot, "--json"))
    assert done == {"released": [{"id": bot, "status": "confirmed"}], "repeated": []}, "this letter confirms at once"
    assert "was in no quarantine" in run("signatures", "release", opened, bot).stdout


def test_whoever_waits_in_quarantine_in_earnest_comes_first(
    run: Run, opened: str, people: dict[str, str], database_url: str
) -> None:
    held = {"status": "pending", "confirmed_at": None, "quarantine": "blocked"}
    pressed = {"address_confirmed_at": datetime(2026, 6, 21, 9, 30, tzinfo=UTC)}
    for name, values in (("Bot 1", held), ("Bot 2", held | pressed), ("Bot 3", held)):
        asyncio.run(_set(database_url, people[name], values))
    lines = run("signatures", "list", opened, "--quarantine").stdout.splitlines()
    assert [line.partition(" ")[0] for line in lines] == [people[f"Bot {number}"] for number in (2, 1, 3)]
    assert ["address confirmed 2026-06-21" in line for line in lines] == [True, False, False]
    first_two = value(run("signatures", "list", opened, "--quarantine", "--limit", "2", "--json"))
    assert [one["id"] for one in first_two] == [people["Bot 2"], people["Bot 1"]]
    assert value(run("letter", "show", opened, "--json"))["waiting"]["quarantine_confirmed"] == 1
    shown = run("letter", "show", opened).stdout
    assert "3 in quarantine: undersigned" in shown
    assert "1 of these whose signer has confirmed the address" in shown


def test_erasing_says_of_several_that_one_counted(
    run: Run, opened: str, people: dict[str, str], database_url: str
) -> None:
    zoe, bot = people["Zoë Gagné"], people["Bot 1"]
    asyncio.run(_set(database_url, bot, {"repeat_of": zoe, "signer_hash": None, "address_hash": None}))
    shown = run("signatures", "erase", opened, zoe, "--yes").stdout
    assert "is erased: 2 signatures, one of which counted and still does, as a number." in shown


def test_erasing_says_who_of_an_organization_counts_instead(run: Run, opened: str, people: dict[str, str]) -> None:
    first, second = people["Éclair"], people["The Eclair Inc."]
    run("signatures", "merge", opened, first, second)
    before = total(run, opened)
    shown = run("signatures", "erase", opened, first, "--yes").stdout
    assert f"{first} is erased: 1 signature.\n  {second} of the same organization counts from now on.\n" in shown
    assert total(run, opened) == before


def test_erasing_says_what_went_and_who_had_received_it(run: Run, opened: str, people: dict[str, str]) -> None:
    zoe = people["Zoë Gagné"]
    unasked = run("signatures", "erase", opened, zoe, ok=False)
    assert unasked.stderr == "Erase 1 signature for good? Nobody can be asked here: add --yes\n"
    done = value(run("signatures", "erase", opened, zoe, "--yes", "--reason", "her wish", "--json"))
    (one,) = done["erased"]
    assert one == {
        "id": zoe, "signatures": 1, "still_counted": True, "counts_now": None, "deliveries_cancelled": 0,
        "received_by": [],
    }  # fmt: skip
    assert total(run, opened) == 8, "as a number"
    assert "No signature mentions" in run("signatures", "find", opened, "zoe@example.org").stdout
    assert "was erased already" in run("signatures", "erase", opened, zoe, "--yes").stdout
    bot = run("signatures", "erase", opened, people["Bot 1"], "--yes").stdout
    assert "is erased: 1 signature, still counted as a number." in bot
    assert "No destination had received anything." in bot


def test_what_is_no_text_is_neither_looked_for_nor_kept(run: Run, opened: str, people: dict[str, str]) -> None:
    zoe = people["Zoë Gagné"]
    for words in (("find", opened, "Zo\udcff"), ("hide", opened, zoe, "--reason", "h\udced\udca0\udc80r")):
        result = run("signatures", *words, ok=False)
        assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
        assert "is not UTF-8" in result.stderr
    assert value(run("signatures", "list", opened, "--listing", "hidden_by_staff", "--json")) == []


def test_a_coordinator_sees_how_many_never_confirmed(
    run: Run, opened: str, people: dict[str, str], database_url: str
) -> None:
    def waiting() -> dict[str, int]:
        found: dict[str, int] = value(run("letter", "show", opened, "--json"))["waiting"]
        return {what: number for what, number in found.items() if number}

    assert waiting() == {}
    assert "waiting" not in run("letter", "show", opened).stdout
    now = datetime.now(UTC)
    for number, name in enumerate(("Bot 1", "Bot 2", "Bot 3")):
        changes = {"created_at": now - timedelta(days=31)} if number == 2 else {"mail_refused_at": (None, now)[number]}
        asyncio.run(_set(database_url, people[name], {"status": "pending", "confirmed_at": None, **changes}))
    run("retention")
    assert waiting() == {"confirmation": 2, "address_refused": 1, "never_confirmed": 1}
    shown = run("letter", "show", opened).stdout
    for words in ("2 to be confirmed by their", "1 of these at an address that was refused", "1 never confirmed"):
        assert words in shown


@pytest.mark.parametrize("command", ["audit", "retention", "rule"])
def test_these_have_help_too(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"])
    assert (shown.exit_code, "Usage" in shown.stdout) == (0, True)
