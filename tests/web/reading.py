"""What the tests of our own pages share: a page taken apart, a form as a browser would send it."""

from __future__ import annotations

from html.parser import HTMLParser

import httpx

from tests.conftest import Clock, Live
from widget_server.flows.letter_status import Verb, change_letter_status

EVIL = """<script>alert(1)</script> & "Co" 'x'"""
PAGE = {"accept": "text/html,application/xhtml+xml"}


class Elements(HTMLParser):
    """Every start tag of a page with its attributes, and the text in between."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        asked = {name.rstrip("_").replace("_", "-"): value for name, value in wanted.items()}
        return [a for name, a in self.tags if name == tag and asked.items() <= a.items()]

    def field(self, name: str) -> str:
        (found,) = [a for _, a in self.tags if a.get("name") == name and a.get("type") != "radio"]
        return found.get("value", "")


async def fresh(live: Live) -> None:
    await live.site.directory.refresh(now_please=True)


async def status(live: Live, clock: Clock, verb: Verb) -> None:
    await change_letter_status(live.site.db, "letter", verb, now=clock(), actor="test")
    await fresh(live)


async def drawn(http: httpx.AsyncClient, path: str = "/fr/letters/letter") -> dict[str, str]:
    """What the form on the page would send, untouched."""
    page = Elements((await http.get(path)).text)
    names = ("token", "id", "shown", "locale", "page", "source")
    return {name: page.field(name) for name in names} | {"kind": "individual", "hp_contact_2": ""}
