"""Every text that a person reads, in English and Canadian French; numbers, dates and countries as each writes them.

Catalogues are `locale/LOCALE/AREA.toml`; a text is named `AREA.key`. A table with `one` and `other` is a plural,
chosen by the value `count`. One thing must stay true: every locale has the same texts with the same values (a test).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_decimal

from widget_server.domain.typography import french

LOCALES = ("en", "fr")
_BABEL = {"en": "en_CA", "fr": "fr_CA"}

Entry = str | Mapping[str, str]


def _flatten(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Entry]]:
    for key, value in table.items():
        name = f"{prefix}.{key}"
        if isinstance(value, str) or set(value) == {"one", "other"}:
            yield name, value
        else:
            yield from _flatten(value, name)


@cache
def _read(locale: str) -> dict[str, Entry]:
    catalogue: dict[str, Entry] = {}
    for file in sorted((resources.files("widget_server") / "locale" / locale).iterdir(), key=lambda f: f.name):
        if file.name.endswith(".toml"):
            catalogue.update(_flatten(tomllib.loads(file.read_text("utf-8")), file.name.removesuffix(".toml")))
    if locale == "fr":
        catalogue = {
            key: french(text) if isinstance(text, str) else {k: french(v) for k, v in text.items()}
            for key, text in catalogue.items()
        }
    return catalogue


class Texts:
    """The catalogues. Calling it gives one text: `texts("web.signed", "fr", count=3)`."""

    def __init__(self) -> None:
        self._catalogues = {locale: _read(locale) for locale in LOCALES}

    def __call__(self, key: str, locale: str, **values: Any) -> str:
        """The text `key`, with `{value}`s filled in. A locale that we do not have reads English.

        Values are put in as they are: escaping belongs to whoever writes HTML. Numbers are written in the locale.
        Raises KeyError for a text or a value that does not exist: a bug, found by the tests.
        """
        known = locale if locale in self._catalogues else "en"
        entry = self._catalogues[known][key]
        if not isinstance(entry, str):
            entry = entry["one" if plural_form(known, values["count"]) == "one" else "other"]
        if not values:
            return entry
        return entry.format_map(
            {k: number(v, known) if isinstance(v, int) and not isinstance(v, bool) else v for k, v in values.items()}
        )

    def area(self, prefix: str, locale: str) -> dict[str, Entry]:
        """Every text below `prefix.`, unfilled, under the rest of its name: for a reader elsewhere, the widget."""
        known = locale if locale in self._catalogues else "en"
        start = f"{prefix}."
        return {k.removeprefix(start): v for k, v in self._catalogues[known].items() if k.startswith(start)}

    def keys(self, locale: str) -> dict[str, Entry]:
        return dict(self._catalogues[locale])


@lru_cache
def _babel(locale: str) -> Locale:
    return Locale.parse(_BABEL.get(locale, "en_CA"))


def plural_form(locale: str, count: int) -> str:
    """`one` or `other` (CLDR): 0 is "one" in French, "other" in English."""
    return str(_babel(locale).plural_form(count))


def number(value: int, locale: str) -> str:
    """1234 → "1,234" or "1 234" (with a no-break space)."""
    return format_decimal(value, locale=_babel(locale))


def date(value: datetime, locale: str) -> str:
    """ "June 20, 2026", "20 juin 2026", "1er juillet 2026"."""
    written = format_date(value, format="long", locale=_babel(locale))
    return re.sub(r"^1 ", "1er ", written) if locale == "fr" else written


def date_and_time(value: datetime, locale: str) -> str:
    """ "June 20, 2026, 13:05 UTC", "20 juin 2026 à 13 h 05 UTC"."""
    if locale != "fr":
        return f"{date(value, locale)}, {value:%H:%M} UTC"
    minutes = f"\u00a0{value:%M}" if value.minute else ""
    return f"{date(value, locale)} à {value.hour}\u00a0h{minutes} UTC"


@lru_cache
def countries(locale: str) -> dict[str, str]:
    """ISO 3166-1 alpha-2 code → name, in the locale's alphabetical order."""
    from widget_server.domain.countries import CODES
    from widget_server.domain.names import fold

    names = _babel(locale).territories
    return dict(sorted(((code, names[code]) for code in CODES), key=lambda item: fold(item[1])))


def country(code: str, locale: str) -> str:
    return countries(locale).get(code, code)
