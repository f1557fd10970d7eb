"""What assistive technology is told, kept in tests/golden/widget/.

Set UNDERSIGNED_RENEW_GOLDEN=1 to write the files anew, and read what changed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.async_api import Locator, Page

FOLDER = Path(__file__).resolve().parent.parent / "golden" / "widget"

_ADDRESS = re.compile(r"http(?:://|%3A%2F%2F)127\.0\.0\.1(?::|%3A)\d+")
_TOKEN = re.compile(r"(?<=via=)[\w.-]+|(?<=via%3D)[\w.-]+")
_COUNTDOWN = re.compile(r"\(\d+:\d\d\)")
# Two hundred and fifty countries, by names that the browser gives: what matters is which ones come first.
_COUNTRIES = re.compile(r'((?: +- option "[^\n]*\n){4})(?: +- option [^\n]*\n)+')


def _plain(text: str) -> str:
    text = _COUNTDOWN.sub("(0:00)", _TOKEN.sub("TOKEN", _ADDRESS.sub("https://letters.example", text)))
    return _COUNTRIES.sub(r"\1", text).rstrip() + "\n"


def compare(name: str, text: str) -> None:
    """`text` is what stands in the file of that name."""
    file = FOLDER / name
    if os.environ.get("UNDERSIGNED_RENEW_GOLDEN"):
        FOLDER.mkdir(parents=True, exist_ok=True)
        file.write_text(_plain(text), "utf-8")
    assert file.exists(), f"{file} is not there: UNDERSIGNED_RENEW_GOLDEN=1 writes it"
    assert _plain(text) == file.read_text("utf-8"), f"{file}: read what changed; UNDERSIGNED_RENEW_GOLDEN=1 writes it"


async def outline(widget: Locator) -> str:
    """Roles, names and states, nested as they are: every engine says the same."""
    if await widget.locator("[name=country]").count():  # its names come in turns, after the form
        await widget.locator("[name=country] option").nth(200).wait_for(state="attached")
    return str(await widget.aria_snapshot())


async def spoken(page: Page) -> str:
    """Every control and heading as Chromium's own accessibility tree has it, in reading order, one a line."""
    devtools = await page.context.new_cdp_session(page)
    tree = await devtools.send("Accessibility.getFullAXTree")
    nodes = {node["nodeId"]: node for node in tree["nodes"]}

    def below(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield node
        for child in node.get("childIds", ()):
            if child in nodes:
                yield from below(nodes[child])

    lines = []
    for node in below(tree["nodes"][0]):
        role = _value(node, "role")
        if node.get("ignored") or role not in ("textbox", "combobox", "radio", "checkbox", "button", "link", "heading"):
            continue
        states = {one["name"]: one["value"].get("value") for one in node.get("properties", ())}
        said = [role, f'"{_value(node, "name")}"']
        if description := _value(node, "description"):
            said.append(f'described "{description}"')
        said += [
            state
            for state in ("required", "invalid", "checked", "expanded", "disabled", "focused")
            if states.get(state) not in (None, False, "false")
        ]
        lines.append(" ".join(said))
    return "\n".join(lines)


def _value(node: dict[str, Any], name: str) -> str:
    return str(node.get(name, {}).get("value", "")).strip()
