"""Reads a letter's folder from disk: `letter.toml`, `body.LOCALE.md`, `intro.LOCALE.md`, `outcome.LOCALE.md`.

One thing must stay true: every problem in the folder is reported at once, each with its file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from widget_server.domain.letter_rules import Checked, check
from widget_server.domain.letters import LetterSettings, Wording
from widget_server.domain.names import has_forbidden_characters
from widget_server.domain.refusals import Problems
from widget_server.i18n import LOCALES

SETTINGS_FILE = "letter.toml"
MAX_CHARACTERS = 200_000
_UNREADABLE = Checked(None, (), (), ())
_TEXT_FILE = re.compile(r"(body|intro|outcome)\.([^.]+)\.md")


@dataclass(frozen=True, slots=True)
class LetterFolder:
    """A folder without problems. `notes` are sentences about what may not be what was meant."""

    settings: LetterSettings
    wording: Mapping[str, Wording]
    outcome: Mapping[str, str]
    notes: tuple[str, ...]


def read_letter(folder: Path) -> LetterFolder:
    """Raises `Problems`, each `FILE: KEY: what is expected`."""
    if not folder.is_dir():
        raise Problems([f"{folder}: there is no such folder; expected one with {SETTINGS_FILE} and body.LOCALE.md"])
    problems: list[str] = []
    checked = _settings(folder, problems)
    settings = checked.settings
    texts = _texts(folder, problems)
    for locale in dict.fromkeys(checked.locales):
        if f"body.{locale}.md" not in texts:
            problems.append(f"body.{locale}.md: missing; expected the letter's text, as Markdown")
    if problems or settings is None:
        raise Problems(problems)
    return LetterFolder(
        settings=settings,
        wording={
            locale: Wording(
                title=settings.title[locale],
                intro=texts.get(f"intro.{locale}.md", ""),
                body=texts[f"body.{locale}.md"],
                statements={statement.code: statement.text[locale] for statement in settings.statements},
            )
            for locale in settings.locales
        },
        outcome={
            locale: texts[f"outcome.{locale}.md"] for locale in settings.locales if texts.get(f"outcome.{locale}.md")
        },
        notes=(*(f"{SETTINGS_FILE}: {note}" for note in checked.notes), *_file_notes(settings, texts)),
    )


def _settings(folder: Path, problems: list[str]) -> Checked:
    path = folder / SETTINGS_FILE
    if not path.exists():
        problems.append(f"{SETTINGS_FILE}: missing; expected the letter's settings")
        return _UNREADABLE
    text = _text(path, problems)
    if text is None:
        return _UNREADABLE
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problems.append(f"{SETTINGS_FILE}: not readable as TOML: {error}")
        return _UNREADABLE
    checked = check(raw, LOCALES)
    problems += [f"{SETTINGS_FILE}: {problem}" for problem in checked.problems]
    return checked


def _texts(folder: Path, problems: list[str]) -> dict[str, str]:
    """The Markdown files by name. A text that cannot be read is there, empty, so that it is not missed as
    well.
    """
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.md")):
        if not _TEXT_FILE.fullmatch(path.name):
            continue
        text = _text(path, problems)
        text = text and text.strip()
        if text is not None and not text and path.name.startswith("body."):
            problems.append(f"{path.name}: empty; expected the letter's text, as Markdown")
        if text is not None and len(text) > MAX_CHARACTERS:
            problems.append(f"{path.name}: {len(text):,} characters; expected at most {MAX_CHARACTERS:,}")
        if text is not None and has_forbidden_characters(text):
            problems.append(f"{path.name}: remove the control characters")
        found[path.name] = text or ""
    return found


def _text(path: Path, problems: list[str]) -> str | None:
    """A file's text, with line feeds only; None, and a problem, where it cannot be read as UTF-8."""
    try:
        data = path.read_bytes()
    except OSError as error:
        problems.append(f"{path.name}: cannot be read: {error.strerror}")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.append(f"{path.name}: not UTF-8 (line {line}); save it with the encoding UTF-8")
        return None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _file_notes(settings: LetterSettings, texts: Mapping[str, str]) -> list[str]:
    notes = []
    for name in texts:
        match = _TEXT_FILE.fullmatch(name)
        if match and match[2] not in settings.locales:
            notes.append(f"{name} is not used: {match[2]} is not among the letter's locales")
    for part in ("intro", "outcome"):
        there = [locale for locale in settings.locales if texts.get(f"{part}.{locale}.md")]
        if there and len(there) < len(settings.locales):
            lacking = [locale for locale in settings.locales if locale not in there]
            notes += [f"{part}.{locale}.md is missing, while {part}.{there[0]}.md is there" for locale in lacking]
    return notes
