"""The command line for letters, partners and signatures, against real databases."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.flows.test_import_csv import HARBOUR
from widget_server.__main__ import app
from widget_server.domain.tokens import Attribution, Seals, open_attribution

Run = Callable[..., Result]


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on an empty database of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNDERSIGNED_DATABASE_URL", database_url)
    monkeypatch.setenv("UNDERSIGNED_SECRET_KEYS", "a key for the command line tests long enough")
    monkeypatch.setenv("UNDERSIGNED_PUBLIC_URL", "https://letters.example.org")
    runner = CliRunner()

    def invoke(*arguments: str | Path, ok: bool = True) -> Result:
        result = runner.invoke(app, [str(argument) for argument in arguments])
        assert (result.exit_code == 0) is ok, (result.stdout, result.stderr, result.exception)
        return result

    return invoke


def value(result: Result) -> Any:
    """The one JSON value on standard output."""
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


@pytest.fixture
def opened(run: Run, letter_folder: Path) -> str:
    run("letter", "load", letter_folder)
    run("letter", "open", "letter")
    return "letter"


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.csv"
    path.write_text(HARBOUR, "utf-8")
    return path


def test_a_letters_life(run: Run, letter_folder: Path) -> None:
    loaded = value(run("letter", "load", letter_folder, "--json"))
    assert (loaded["slug"], loaded["status"], loaded["created"], loaded["version"]) == (
        "letter",
        "draft",
        True,
        1,
    )
    assert "nothing in the folder has changed" in run("letter", "load", letter_folder).stdout
    shown = value(run("letter", "show", "letter", "--json"))
    assert shown["counts"] == {
        "total": 0, "individuals": 0, "organizations": 0, "by_statement": {"ca": 0, "us": 0},
    }  # fmt: skip
    assert shown["url"] == "https://letters.example.org/letters/letter"
    address, _, seal = shown["preview_url"].partition("?preview=")
    assert address == shown["url"]
    seals = Seals(["a key for the command line tests long enough"])
    assert seals.open("preview", seal) == "letter"
    assert shown["preview_url"] in run("letter", "show", "letter").stdout
    for verb, status in (("open", "open"), ("pause", "paused"), ("close", "closed"), ("open", "open")):
        assert value(run("letter", verb, "letter", "--json"))["status"] == status
    assert "already" in run("letter", "open", "letter").stdout
    assert [one["slug"] for one in value(run("letter", "list", "--json"))] == ["letter"]
    assert run("letter", "list").stdout.splitlines() == [
        "LETTER  STATUS  SIGNED  TITLE",
        "letter  open    0       An Open Letter on Safe Passage",
    ]


def test_opening_past_the_closing_time_says_so(run: Run, letter_folder: Path) -> None:
    settings = letter_folder / "letter.toml"
    text = settings.read_text("utf-8").replace("[title]", "closes_at = 2020-01-01T00:00:00Z\n[title]", 1)
    settings.write_text(text, "utf-8")
    run("letter", "load", letter_folder)
    assert "closed since its closing time" in run("letter", "open", "letter").stdout
    assert value(run("letter", "show", "letter", "--json"))["status"] == "closed"


def test_problems_are_lines_on_standard_error(run: Run, letter_folder: Path) -> None:
    (letter_folder / "body.fr.md").unlink()
    (letter_folder / "body.en.md").write_text("", "utf-8")
    result = run("letter", "load", letter_folder, "--json", ok=False)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 2
    assert "no letter" in run("letter", "show", "nope", ok=False).stderr
    assert run("letter", "list").stdout.startswith("There is no letter yet")


def test_a_partner_and_its_snippet(run: Run, opened: str) -> None:
    added = value(
        run(
            "partner", "add", opened, "maple", "--name", "Maple House", "--origin", "https://maple.example",
            "--origin", "https://www.maple.example", "--locale", "fr", "--contact", "web@maple.example",
            "--json",
        )
    )  # fmt: skip
    assert (added["letter"], added["partner"]) == ("letter", "maple")
    seals = Seals(["a key for the command line tests long enough"])
    assert open_attribution(seals, added["token"]) == Attribution("letter", "maple", 1)
    assert f'data-undersigned="{added["token"]}"' in added["snippet"]
    assert f"https://letters.example.org/w/{added['token']}.js" in added["snippet"]
    assert added["snippet"] in run("partner", "show", opened, "maple").stdout
    shown = value(run("partner", "show", opened, "maple", "--json"))
    assert shown["origins"] == ["https://maple.example", "https://www.maple.example"]
    assert shown["token"] == added["token"]
    assert [one["partner"] for one in value(run("partner", "list", opened, "--json"))] == ["house", "maple"]

    run(
        "partner",
        "set",
        opened,
        "maple",
        "strict_origins=true",
        "origins=https://a.example, https://b.example",
    )
    shown = value(run("partner", "show", opened, "maple", "--json"))
    assert (shown["strict_origins"], shown["origins"]) == (True, ["https://a.example", "https://b.example"])
    wrong = run("partner", "set", opened, "maple", "locale=de", "colour=red", "contact=x", ok=False)
    assert len(wrong.stderr.splitlines()) == 3

    rotated = value(run("partner", "rotate", opened, "maple", "--json"))
    assert open_attribution(seals, rotated["token"]).version == 2
    assert value(run("partner", "revoke", opened, "maple", "--version", "1", "--json"))["revoked_versions"] == [1]
    assert value(run("partner", "revoke", opened, "maple", "--json"))["status"] == "revoked"
    assert "house" in run("partner", "revoke", opened, "house", ok=False).stderr


def test_a_wrong_origin_says_what_one_looks_like(run: Run, opened: str) -> None:
    result = run("partner", "add", opened, "oak", "--name", "Oak", "--origin", "oak.example/page", ok=False)
    assert "https://www.example.org" in result.stderr
    assert run("partner", "add", opened, "oak", "--name", "Oak", ok=False).exit_code == 2


def test_import_export_and_list(run: Run, opened: str, names: Path, tmp_path: Path) -> None:
    dry = value(run("signatures", "import", opened, names, "--dry-run", "--json"))
    assert {key: dry[key] for key in ("imported", "skipped", "rows", "dry_run")} == {
        "imported": 13, "skipped": 0, "rows": 13, "dry_run": True,
    }  # fmt: skip
    done = value(run("signatures", "import", opened, names, "--json"))
    assert (done["imported"], done["skipped"], done["rows"]) == (13, 0, 13)
    assert "dry_run" not in done
    assert "13 skipped: imported before" in run("signatures", "import", opened, names).stdout
    assert value(run("letter", "show", opened, "--json"))["counts"]["total"] == 13

    exported = run("signatures", "export", opened, "--format", "jsonl").stdout
    lines = [json.loads(line) for line in exported.splitlines()]
    assert len(lines) == 13
    assert {
        "id", "status", "listing", "kind", "name", "organization", "statement", "partner", "source",
        "created_at", "confirmed_at",
    } <= set(lines[0])  # fmt: skip
    target = tmp_path / "all.csv"
    written = value(run("signatures", "export", opened, "--output", target, "--json"))
    assert written["signatures"] == 13
    assert target.read_text("utf-8").startswith("id,status,listing,kind,name,")
    assert run("signatures", "export", opened, "--format", "pdf", ok=False).exit_code == 2
    assert run("signatures", "export", opened, "--json", ok=False).exit_code == 2
    assert "no partner" in run("signatures", "export", opened, "--partner", "nope", ok=False).stderr

    assert len(value(run("signatures", "list", opened, "--json"))) == 13
    assert value(run("signatures", "list", opened, "--status", "pending", "--json")) == []
    [found] = value(run("signatures", "find", opened, "ECLAIR", "--json"))
    assert found["organization"] == "ÉCLAIR"
    assert "approved" in run("signatures", "approve", opened, found["id"]).stdout
    assert "already" in run("signatures", "approve", opened, found["id"]).stdout
    assert (
        "no such signature"
        in run("signatures", "approve", opened, "018f0000-0000-7000-8000-000000000001", ok=False).stderr
    )


def test_an_export_can_be_imported_again_elsewhere(
    run: Run, opened: str, names: Path, letter_folder: Path, tmp_path: Path
) -> None:
    run("signatures", "import", opened, names)
    target = tmp_path / "all.csv"
    run("signatures", "export", opened, "--output", target)
    settings = letter_folder / "letter.toml"
    settings.write_text(settings.read_text("utf-8").replace('slug = "letter"', 'slug = "other"'), "utf-8")
    run("letter", "load", letter_folder)
    assert value(run("signatures", "import", "other", target, "--json"))["imported"] == 13


def test_a_broken_row_is_named_by_its_line(run: Run, opened: str, names: Path) -> None:
    names.write_text(HARBOUR + "Nobody,Robot,Atlantis\n", "utf-8")
    result = run("signatures", "import", opened, names, "--json", ok=False)
    assert result.stdout == ""
    assert [line.split(": ")[1] for line in result.stderr.splitlines()] == ["line 15", "line 15"]
    assert value(run("letter", "show", opened, "--json"))["counts"]["total"] == 0


def test_a_mapped_column(run: Run, opened: str, names: Path) -> None:
    names.write_text("Who,What,Where\nJo,Individual,Canada\n", "utf-8")
    assert "--map COLUMN=name" in run("signatures", "import", opened, names, ok=False).stderr
    maps = ("--map", "Who=name", "--map", "What=kind", "--map", "where=country")
    assert value(run("signatures", "import", opened, names, *maps, "--json"))["imported"] == 1


@pytest.mark.parametrize("noun", ["letter", "partner", "signatures"])
def test_every_command_has_help(noun: str) -> None:
    runner = CliRunner()
    listed = runner.invoke(app, [noun, "--help"])
    assert listed.exit_code == 0
    [group] = [group for group in app.registered_groups if group.name == noun]
    assert group.typer_instance is not None
    for command in group.typer_instance.registered_commands:
        assert command.callback is not None
        name = command.name or command.callback.__name__
        shown = runner.invoke(app, [noun, name, "--help"])
        assert shown.exit_code == 0
        assert "Usage" in shown.stdout
        assert command.callback.__doc__


IDENTITY = ("legal_name=Maple House Inc.", "postal_address=1 Main St, Halifax", "privacy_url=https://maple.example/p")


def _height(run: Run, letter: str) -> int:
    height: int = value(run("partner", "show", letter, "maple", "--json"))["height"]
    return height


def test_setting_an_identity_says_what_follows_for_the_form_and_its_snippet(run: Run, opened: str) -> None:
    add = ("partner", "add", opened, "maple", "--name", "Maple House", "--origin", "https://maple.example")
    missing = "legal_name, postal_address, privacy_url, phone or contact_email"
    assert f"Consent box: not offered, missing: {missing}." in run(*add).stdout.splitlines()
    plain = _height(run, opened)
    shown = run("partner", "show", opened, "maple").stdout
    assert f"consent box      not offered, missing: {missing}\n" in shown
    assert f"min-height:{plain}px" in shown

    named = run("partner", "set", opened, "maple", *IDENTITY).stdout.splitlines()
    assert named == [
        "Partner maple is as you said.",
        "Consent box: not offered, missing: phone or contact_email.",
    ]
    complete = run("partner", "set", opened, "maple", "phone=555-0100").stdout.splitlines()
    boxed = _height(run, opened)
    assert boxed > plain
    again = f"send the snippet again: undersigned partner show {opened} maple"
    assert complete[1:] == [
        "Consent box: offered.",
        f"The snippet's height changed from {plain} to {boxed} px: {again}",
    ]
    assert "consent box      offered\n" in run("partner", "show", opened, "maple").stdout

    back = value(run("partner", "set", opened, "maple", "phone=", "--json"))
    assert (back["consent_offered"], back["consent_missing"]) == (False, ["phone or contact_email"])
    assert (back["height_before"], back["height"]) == (boxed, plain)
    assert f"link changed: {again}" in run("partner", "set", opened, "maple", "locale=fr").stdout
    assert run("partner", "set", opened, "maple", "contact=x@maple.example").stdout.count("\n") == 1


def test_the_list_of_partners_marks_who_offers_a_consent_box(run: Run, opened: str) -> None:
    for slug in ("maple", "birch"):
        run("partner", "add", opened, slug, "--name", slug, "--origin", f"https://{slug}.example")
    run("partner", "set", opened, "maple", *IDENTITY, "phone=555-0100")
    heading, *lines = run("partner", "list", opened).stdout.splitlines()
    at = heading.index("CONSENT BOX")
    marks = {line.split()[0]: line[at:].split()[0] for line in lines}
    assert marks == {"house": "–", "birch": "–", "maple": "offered"}
    run("partner", "revoke", opened, "maple")
    assert "offered" not in run("partner", "list", opened).stdout
    assert "not offered: the partner is revoked" in run("partner", "show", opened, "maple").stdout
