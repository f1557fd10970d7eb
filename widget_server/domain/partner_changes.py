"""What staff may set of a partner, read from text: every wrong value at once, nothing set if there is one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from widget_server.domain import emails
from widget_server.domain.letter_rules import name_fault
from widget_server.domain.letters import SLUG
from widget_server.domain.names import BadText, clean, has_forbidden_characters
from widget_server.domain.names import name as read_name
from widget_server.domain.partners import read_origin
from widget_server.domain.refusals import Problems
from widget_server.domain.urls import read_url

KEYS = (
    "name", "origins", "locale", "strict_origins", "contact",
    "legal_name", "postal_address", "privacy_url", "contact_email", "phone",
)  # fmt: skip

AN_ORIGIN = "expected a scheme and a host, such as https://www.example.org, without a path"
_BOOLEANS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_MAX_LINE = 400


class _Wrong(ValueError):
    """Its text is the sentence for the reader."""


def read_changes(given: Mapping[str, str], locales: Sequence[str]) -> dict[str, Any]:
    """Values by column. An empty one clears what may be empty. Raises `Problems`, each `KEY: what is
    expected`.
    """
    changes: dict[str, Any] = {}
    problems: list[str] = []
    for key, text in given.items():
        try:
            changes[key] = _read(key, text.strip(), locales)
        except _Wrong as error:
            problems += [f"{key}: {sentence}" for sentence in str(error).split("\n")]
    if problems:
        raise Problems(problems)
    return changes


def slug_fault(text: str) -> str | None:
    """What is wrong with a slug, or None."""
    if SLUG.fullmatch(text):
        return None
    return f'"{text}" is no slug: expected lower-case letters, digits and dashes, at most 64'


def read_pairs(pairs: Iterable[str]) -> dict[str, str]:
    """`KEY=VALUE` as given at the command line. Raises `Problems`."""
    given: dict[str, str] = {}
    problems: list[str] = []
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            problems.append(f'"{pair}": expected KEY=VALUE, such as locale=fr')
        elif key in given:
            problems.append(f"{key}: given twice")
        else:
            given[key] = value
    if problems:
        raise Problems(problems)
    return given


def _read(key: str, text: str, locales: Sequence[str]) -> Any:
    if key == "name":
        try:
            return read_name(text)
        except BadText as error:
            raise _Wrong(f"expected a name of 1 to 200 characters, not {name_fault(error)}") from error
    if key == "origins":
        return _origins(text)
    if key == "strict_origins":
        if text.lower() not in _BOOLEANS:
            raise _Wrong(f'expected true or false, not "{text}"')
        return _BOOLEANS[text.lower()]
    if key not in KEYS:
        raise _Wrong(f"unknown key; known here: {', '.join(KEYS)}")
    if not text:
        return None
    if key == "locale":
        if text not in locales:
            raise _Wrong(f'expected one of the letter\'s languages ({", ".join(locales)}), not "{text}"')
        return text
    if key in ("contact", "contact_email"):
        try:
            return emails.read(text).address
        except emails.BadEmail as error:
            raise _Wrong(f'expected an e-mail address such as name@example.org, not "{text}"') from error
    if key == "privacy_url":
        url = read_url(text)
        if url is None:
            raise _Wrong(f'expected a web address that starts with https:// or http://, not "{text}"')
        return url
    if len(text) > _MAX_LINE or has_forbidden_characters(text):
        raise _Wrong(f"expected at most {_MAX_LINE} characters, without control characters")
    return clean(text)


def _origins(text: str) -> list[str]:
    """Separated by commas or blanks, each once, in the order given."""
    parts = [part for part in re.split(r"[,\s]+", text) if part]
    wrong = [part for part in parts if read_origin(part) is None]
    if wrong:
        raise _Wrong("\n".join(f'"{part}" is no origin; {AN_ORIGIN}' for part in wrong))
    if not parts:
        raise _Wrong(f"needed; {AN_ORIGIN}")
    return list(dict.fromkeys(origin for part in parts if (origin := read_origin(part))))
