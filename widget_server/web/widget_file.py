"""The widget as files: the library, what it loads on demand, and one file for each partner with its configuration.

One thing must stay true: what a letter or a partner wrote reaches the file as a JSON string in which no `<`
and no line separator is left, so that nothing in it can end the script.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import rcssmin
import rjsmin

from widget_server.i18n import LOCALES, Texts
from widget_server.web.open_ended import OpenEnded, open_ended
from widget_server.web.scripts import Script, file_hash
from widget_server.web.styles import static_folder

_KEPT = 500


def script_json(value: Any) -> str:
    """`value` as JSON that is safe within a script wherever that script ends up."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


@dataclass(frozen=True, slots=True)
class Library:
    """`static/widget.js` and `static/widget.css`, minified: a function that waits for its arguments. `more` is
    `static/more.js`, which it loads on demand."""

    function: str
    css: str
    more: Script

    @classmethod
    def read(cls, texts: Texts) -> Library:
        said = {
            locale: texts.area("widget.later", locale)
            | {
                "uncovered": texts.area("field.country", locale)["uncovered"],
                "initiator": texts("page.initiator", locale),
            }
            for locale in LOCALES
        }
        more = _up_to("more.js", "{};") + script_json({"css": _style("more.css"), "texts": said}) + ";\n"
        return cls(_up_to("widget.js", "{ api"), _style("widget.css"), Script.of("more", more.encode()))

    def alone(self, public_url: str) -> bytes:
        """The library without a configuration: it fetches `GET /v1/widget/TOKEN`."""
        return self.with_configuration({"api": public_url}).removesuffix(b",") + b");\n"

    def with_configuration(self, document: dict[str, Any]) -> bytes:
        """One partner's file up to the counts, which `tail` adds."""
        return f"{self.function}{script_json(document)},{script_json(self.css)},{script_json(self.more.path)},".encode()


def _style(name: str) -> str:
    style: str = rcssmin.cssmin((static_folder() / name).read_text("utf-8"))
    return style


def _up_to(name: str, mark: str) -> str:
    """`static/NAME`, minified, up to the last `mark`: there stands what the server puts in its place."""
    source, found, _ = (static_folder() / name).read_text("utf-8").rpartition(mark)
    if not found:
        raise ValueError(f"static/{name} has no {mark}")
    return _fewer_tokens(rjsmin.jsmin(source).strip())


def _fewer_tokens(script: str) -> str:
    """`let` for `const` and no trailing commas: the same program, and 60 bytes less once it is compressed."""
    return re.sub(r",(?=[)\]}])", "", re.sub(r"\bconst\b", "let", script))


def tail(total: int) -> bytes:
    """The end of a partner's file. Only what the widget shows: these bytes are sent uncompressed."""
    return f'{{"total":{total}}});\n'.encode()


@dataclass(frozen=True, slots=True)
class _Held:
    stands_for: Any
    file: OpenEnded


class Held:
    """Compressed files by name, each for as long as what it stands for is the same; the oldest go first."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, _Held] = OrderedDict()
        self._making: dict[str, asyncio.Lock] = {}

    async def get(self, name: str, stands_for: Any, make: Callable[[], Awaitable[bytes]]) -> OpenEnded:
        """The file `name`, made anew where `stands_for` differs; one maker at a time, in a thread."""
        held = self._files.get(name)
        if held is None or held.stands_for != stands_for:
            async with self._making.setdefault(name, asyncio.Lock()):
                held = self._files.get(name)
                if held is None or held.stands_for != stands_for:
                    held = _Held(stands_for, await asyncio.to_thread(open_ended, await make()))
                    self._files[name] = held
            self._making.pop(name, None)
        self._files.move_to_end(name)
        while len(self._files) > _KEPT:
            self._files.popitem(last=False)
        return held.file


@dataclass(frozen=True, slots=True)
class WidgetFiles:
    """What one server has made so far. `alone` and `hash` are the library without a configuration."""

    library: Library
    alone: bytes
    hash: str
    held: Held = field(default_factory=Held)


def widget_files(public_url: str, texts: Texts) -> WidgetFiles:
    """Reads and minifies the library, once at start."""
    library = Library.read(texts)
    alone = library.alone(public_url)
    return WidgetFiles(library, alone, file_hash(alone))
