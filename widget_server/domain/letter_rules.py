"""What `letter.toml` must hold, checked key by key on the file as it was parsed.

One thing must stay true: every problem is found in one go, so a rule looks only at values that have the right
type and never stops at the first one that is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from widget_server.domain import emails
from widget_server.domain.countries import CODES
from widget_server.domain.letter_keys import EXPECTED, LINE, TIME
from widget_server.domain.letters import Fields, Identity, LetterSettings, Resource, Statement
from widget_server.domain.names import BadText, fold, has_forbidden_characters
from widget_server.domain.names import name as read_name
from widget_server.domain.urls import read_url

Path = tuple[str | int, ...]
Found = tuple[Path, str]

_MODELS: Mapping[str, type[BaseModel]] = {
    "": LetterSettings,
    "statements[]": Statement,
    "fields": Fields,
    "identity": Identity,
    "resources[]": Resource,
}
_BY_LOCALE = frozenset({"title", "text", "list_title"})
_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")


@dataclass(frozen=True, slots=True)
class Checked:
    """`settings` is None where there are problems; `locales` are then those that can be read. Problems and
    notes are sentences that start with their key.
    """

    settings: LetterSettings | None
    locales: tuple[str, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def check(raw: Mapping[str, Any], known_locales: Sequence[str]) -> Checked:
    """Reads a parsed `letter.toml`; `known_locales` are the languages that we have texts for."""
    found: dict[Path, str] = {}
    settings: LetterSettings | None = None
    try:
        settings = LetterSettings.model_validate(raw)
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            path = tuple(problem["loc"])
            if problem["type"] == "too_short" and problem["input"]:
                continue  # each of its items is wrong and has a problem of its own
            found.setdefault(path, _sentence(path, problem["type"], problem.get("input")))
    for path, sentence in _rules(raw, known_locales):
        found.setdefault(path, sentence)
    problems = tuple(f"{_key(path, raw)}: {sentence}" for path, sentence in found.items())
    if problems or settings is None:
        return Checked(None, _read_locales(raw, known_locales), problems, ())
    settings = settings.model_copy(
        update={
            "opens_at": settings.opens_at and settings.opens_at.astimezone(UTC),
            "closes_at": settings.closes_at and settings.closes_at.astimezone(UTC),
        }
    )
    return Checked(settings, settings.locales, (), tuple(_notes(settings)))


def _read_locales(raw: Mapping[str, Any], known: Sequence[str]) -> tuple[str, ...]:
    return tuple(tag for tag in _list(raw.get("locales")) if isinstance(tag, str) and tag in known)


def _pattern(path: Path) -> str:
    """("statements", 0, "text", "en") → "statements[].text.LOCALE"."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, int):
            parts[-1] += "[]"
        else:
            parts.append("LOCALE" if parts and parts[-1] in _BY_LOCALE else step)
    return ".".join(parts)


def _key(path: Path, raw: Mapping[str, Any]) -> str:
    """The key as its author finds it: `statements "us": text.fr`, `notify, item 2`."""
    if len(path) >= 2 and isinstance(path[1], int):
        items = raw.get(str(path[0]))
        item = items[path[1]] if isinstance(items, list) and path[1] < len(items) else None
        code = item.get("code") if isinstance(item, Mapping) else None
        which = f'{path[0]} "{code}"' if isinstance(code, str) and code else f"{path[0]}, item {path[1] + 1}"
        return which if len(path) == 2 else f"{which}: {_key(path[2:], {})}"
    return ".".join(str(step) if isinstance(step, str) else f"item {step + 1}" for step in path)


def _shown(value: Any) -> str:
    if isinstance(value, date | time):
        text = value.isoformat()
    elif isinstance(value, bool):
        text = str(value).lower()
    else:
        text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _sentence(path: Path, kind: str, given: Any) -> str:
    pattern = _pattern(path)
    if kind == "extra_forbidden":
        place = _pattern(path[:-1])
        known = list(_MODELS[place].model_fields)
        near = get_close_matches(str(path[-1]), known, 1)
        return "unknown key; " + (f"do you mean {near[0]}?" if near else f"known here: {', '.join(known)}")
    expected = EXPECTED.get(pattern, "another value")
    return f"missing; expected {expected}" if kind == "missing" else f"expected {expected}, not {_shown(given)}"


def _rules(raw: Mapping[str, Any], known_locales: Sequence[str]) -> Iterator[Found]:
    """What the model does not say: rules across keys, and those that need more than a type."""
    yield from _locales(raw.get("locales"), known_locales)
    locales = _read_locales(raw, known_locales)
    yield from _texts(("title",), raw.get("title"), locales)
    yield from _email(("contact_email",), raw.get("contact_email"))
    for i, address in enumerate(_list(raw.get("notify"))):
        yield from _email(("notify", i), address)
    yield from _statements(_list(raw.get("statements")), locales)
    for i, resource in enumerate(_list(raw.get("resources"))):
        if isinstance(resource, Mapping):
            yield from _texts(("resources", i, "title"), resource.get("title"), locales)
            yield from _url(("resources", i, "url"), resource.get("url"))
    identity = raw.get("identity")
    if isinstance(identity, Mapping):
        yield from _url(("identity", "privacy_url"), identity.get("privacy_url"))
    yield from _initiators(_list(raw.get("initiators")))
    yield from _times(raw)
    index = raw.get("index")
    for key in ("goal", "contact_days"):
        if key in raw and (not isinstance(raw[key], int) or isinstance(raw[key], bool)):
            yield (key,), _sentence((key,), "int", raw[key])
    if "index" in raw and not isinstance(index, bool):
        yield ("index",), _sentence(("index",), "bool", index)
    yield from _characters((), raw)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _locales(value: Any, known: Sequence[str]) -> Iterator[Found]:
    tags = [tag for tag in _list(value) if isinstance(tag, str)]
    for i, tag in enumerate(tags):
        if tag not in known:
            yield ("locales", i), f"there are no texts in {_shown(tag)}; expected one of {', '.join(known)}"
        elif tag in tags[:i]:
            yield ("locales", i), f"{_shown(tag)} stands here twice"


def _texts(path: Path, table: Any, locales: Sequence[str]) -> Iterator[Found]:
    """A `.LOCALE` table: a text for each of the letter's languages, and nothing that is no language."""
    if not isinstance(table, Mapping):
        return
    for locale in locales:
        if locale not in table:
            yield (*path, locale), _sentence((*path, locale), "missing", None)
    for key, text in table.items():
        if not _LANGUAGE_TAG.fullmatch(key):
            yield (
                (*path, key),
                "unknown language; a key that is meant for the whole letter must stand above any [table]",
            )
        elif isinstance(text, str) and path[-1] != "text" and len(text.strip().splitlines()) > 1:
            yield (*path, key), f"expected {LINE}, not {len(text.strip().splitlines())} lines"


def _email(path: Path, value: Any) -> Iterator[Found]:
    if isinstance(value, str):
        try:
            emails.read(value)
        except emails.BadEmail:
            yield path, _sentence(path, "email", value)


def _url(path: Path, value: Any) -> Iterator[Found]:
    if isinstance(value, str) and read_url(value) is None:
        yield path, _sentence(path, "url", value)


def _statements(statements: Sequence[Any], locales: Sequence[str]) -> Iterator[Found]:
    codes: dict[str, int] = {}
    covered: dict[str, int] = {}
    for i, statement in enumerate(statements):
        if not isinstance(statement, Mapping):
            continue
        path: Path = ("statements", i)
        code = statement.get("code")
        if isinstance(code, str) and codes.setdefault(code, i) != i:
            yield (*path, "code"), f"{_shown(code)} is the code of two statements; each needs its own"
        for j, country in enumerate(_list(statement.get("countries"))):
            here: Path = (*path, "countries", j)
            if not isinstance(country, str):
                continue
            if country != "*" and country not in CODES:
                yield here, _sentence(here, "country", country)
            elif (first := covered.setdefault(country, i)) != i:
                what = '"*" (all the rest)' if country == "*" else country
                yield here, f"{what} is in statement {first + 1} already; a country has one statement"
            elif country in statement["countries"][:j]:
                yield here, f"{_shown(country)} stands here twice"
        yield from _texts((*path, "text"), statement.get("text"), locales)
        yield from _texts((*path, "list_title"), statement.get("list_title"), locales)


_NAME_FAULTS = {
    "empty": "an empty name",
    "too_long": "a name of more than 200 characters",
    "control": "a name with invisible control characters",
    "link": "a web address instead of a name",
    "punctuation": "nothing but punctuation",
}


def name_fault(error: BadText) -> str:
    """What is wrong with a name, for a person at the command line."""
    return _NAME_FAULTS[error.code]


def _initiators(names: Sequence[Any]) -> Iterator[Found]:
    seen: set[str] = set()
    for i, given in enumerate(names):
        if not isinstance(given, str):
            continue
        try:
            folded = fold(read_name(given))
        except BadText as error:
            yield ("initiators", i), f"expected {EXPECTED['initiators[]']}, not {name_fault(error)}"
            continue
        if folded in seen:
            yield ("initiators", i), f"{_shown(given)} stands here twice"
        seen.add(folded)


def _times(raw: Mapping[str, Any]) -> Iterator[Found]:
    read: dict[str, datetime] = {}
    for key in ("opens_at", "closes_at"):
        if key not in raw:
            continue
        value = raw[key]
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                pass
        if not isinstance(value, datetime):
            yield (key,), f"expected {TIME}, not {_shown(raw[key])}"
        elif value.utcoffset() is None:
            yield (
                (key,),
                f"add the offset from UTC: {value.isoformat()} could mean any time zone; expected {TIME}",
            )
        else:
            read[key] = value
    if len(read) == 2 and read["closes_at"] <= read["opens_at"]:
        yield ("closes_at",), "expected a time after opens_at"


def _characters(path: Path, value: Any) -> Iterator[Found]:
    if isinstance(value, str):
        if has_forbidden_characters(value):
            yield path, "remove the control characters"
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _characters((*path, str(key)), inner)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _characters((*path, i), inner)


def _notes(settings: LetterSettings) -> Iterator[str]:
    """What is no mistake, and may still not be what was meant."""
    identity = settings.identity
    given = {"legal_name": identity.legal_name, "postal_address": identity.postal_address,
             "privacy_url": identity.privacy_url}  # fmt: skip
    lacking = [key for key, value in given.items() if not value]
    if lacking and len(lacking) < len(given):
        yield f"identity: without {' and '.join(lacking)} no consent box is shown for the initiators"
    tables = [("title", settings.title)]
    for statement in settings.statements:
        tables.append((f'statements "{statement.code}": text', statement.text))
        tables.append((f'statements "{statement.code}": list_title', statement.list_title))
    for key, table in tables:
        for locale in table.keys() - set(settings.locales):
            yield f"{key}.{locale} is not used: {locale} is not among the letter's locales"
