"""What the documents say is still so: links lead somewhere, commands exist, tables match the code."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from widget_server.__main__ import app
from widget_server.domain.letters import Fields, Identity, LetterSettings, Resource, Statement
from widget_server.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("integrations/**/*.md")],
    key=lambda path: str(path),
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?<![\w/-])(?:\.venv/bin/|var/demo/)?undersigned ((?:[a-z-]+ ?){1,2})((?: ?--[a-z-]+[^`\n]*)?)")
PIN = re.compile(r"^([a-z0-9.-]+)(?:\[[^\]]*\])?==\S+.*\\\n    --hash=sha256:[0-9a-f]{64}", re.MULTILINE)


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    for target in LINK.findall(document.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
            assert anchor in {_slug(heading) for heading in headings}, target


def _commands() -> dict[str, set[str]]:

    root = get_command(app)
    found = {}
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        children = getattr(command, "commands", None)
        if children is None:
            found[name] = {option for parameter in command.params for option in parameter.opts}
        for child, inner in (children or {}).items():
            found[f"{name} {child}"] = {option for parameter in inner.params for option in parameter.opts}
    return found


def test_every_command_in_the_documents_exists() -> None:
    commands = _commands()
    nouns = {name.split()[0] for name in commands}
    seen = 0
    for document in DOCUMENTS:
        for line in document.read_text("utf-8").splitlines():
            for words, options in COMMAND.findall(line):
                first, *rest = words.split()
                if first not in nouns:
                    continue  # the product's name in a sentence
                name = first if first in commands or not rest else f"{first} {rest[0]}"
                if name in nouns and name not in commands:
                    continue  # the noun alone: `undersigned letter`
                assert name in commands, f"{document.name}: {line.strip()}"
                for option in re.findall(r"--[a-z-]+", options):
                    assert option in commands[name] | {"--help"}, f"{document.name}: {line.strip()}"
                seen += 1
    assert seen > 15, "the pattern finds the commands"


def test_the_settings_table_is_complete() -> None:
    text = (ROOT / "docs/operating.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(UNDERSIGNED_\w+)` \| ([^|]*) \|", text, re.MULTILINE))
    assert set(rows) == {PREFIX + name.upper() for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, str) and field.default:
            assert rows[PREFIX + name.upper()].strip() == f"`{field.default}`"


def test_the_letter_table_is_complete() -> None:
    text = (ROOT / "docs/operating.md").read_text("utf-8").partition("## A letter of your own")[2]
    table = text.partition("## Partners")[0]
    named = set(re.findall(r"`(\w+)(?:\[\]|\.LOCALE)?`", table))
    for model in (LetterSettings, Statement, Fields, Identity, Resource):
        assert set(model.model_fields) <= named, set(model.model_fields) - named


def test_the_example_letter_uses_only_addresses_of_nobody() -> None:
    for file in (ROOT / "examples").rglob("*.*"):
        for host in re.findall(r"(?:https?://|@)([\w.-]+)", file.read_text("utf-8")):
            assert host.endswith(("example.org", "example.com")), f"{file.name}: {host}"


def test_the_decisions_have_their_parts_and_are_listed() -> None:
    folder = ROOT / "docs/decisions"
    listed = (folder / "README.md").read_text("utf-8")
    pages = sorted(folder.glob("[0-9]*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        text = page.read_text("utf-8")
        title = re.match(r"# \d+\. (.+)", text)
        assert title is not None
        assert f"[{title[1]}]({page.name})" in listed
        for part in ("Context", "Choice", "What we gave up", "How we would notice it was wrong", "Evidence"):
            assert f"**{part}.**" in text, f"{page.name}: {part}"


def test_make_targets_in_the_documents_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    for document in [*DOCUMENTS, ROOT / ".ci/run"]:
        for target in re.findall(r"(?:`|^)make ([a-z]+)", document.read_text("utf-8"), re.MULTILINE):
            assert target in targets, f"{document.name}: make {target}"
    assert set(re.findall(r"make ([a-z]+)", makefile.partition("help:\n")[2].partition("\nsetup")[0])) <= targets


def test_requirements_are_pinned_hashed_and_name_no_index() -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text("utf-8")
        assert "://" not in text
        assert "--index" not in text
        assert "--find-links" not in text
        pinned = PIN.findall(text)
        entries = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert len(pinned) == len(entries)
        for dependency in dependencies:
            wanted = re.split(r"[\[>=<]", dependency)[0].lower().replace("_", "-")
            assert wanted in pinned, f"{name}: {dependency} (make lock)"
