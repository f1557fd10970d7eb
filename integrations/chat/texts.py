"""The words of the messages, from `texts.toml`.

One thing must stay true: a value is put in as it is; keeping it from being markup is the renderer's (`escaping.py`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any

LOCALES = ("en", "fr")

_TEXTS: Mapping[str, Mapping[str, Any]] = tomllib.loads(
    (resources.files(__package__) / "texts.toml").read_text("utf-8")
)


def say(key: str, locale: str, **values: Any) -> str:
    """A text of the catalogue; with `count`, in the plural that it asks for."""
    entry = _TEXTS[locale][key]
    if isinstance(entry, dict):
        count = values["count"]
        entry = entry["one" if count == 1 or (locale == "fr" and count == 0) else "other"]
    written = {name: number(v, locale) if isinstance(v, int) else v for name, v in values.items()}
    return str(entry.format_map(written))


def number(value: int, locale: str) -> str:
    """1234 as "1,234" or "1 234"."""
    return f"{value:,}" if locale == "en" else f"{value:,}".replace(",", "\u00a0")
