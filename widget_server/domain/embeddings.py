"""The other ways to the letter from a partner's site, each crediting the partner: the pinned library, a frame, a plain
link, and only the list or the count.

One thing must stay true: what a letter or a partner wrote stays text or an attribute's value in all of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode

from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.snippet import height, invitation, snippet

COLOURS = ("accent", "accent-text", "text", "bg", "field-bg", "field-text", "border", "error", "focus")
"""The custom properties that say a colour, without what all of them begin with."""
PREFIX = "--undersigned-"
FRAME_MARK = "data-undersigned-frame"
CLASS = "undersigned-form"

_COLOUR = re.compile(r"#?([0-9a-fA-F]{6})")
_LENGTH = re.compile(r"[0-9]{1,2}")
_FRAME_EDGE = 2
"""Pixels that the frame's document adds: room for the form's border."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """Everything that the ways have in common. `locale` is the language that the partner's site speaks."""

    public_url: str
    letter: Letter
    partner: Partner
    token: str
    locale: str

    @property
    def height(self) -> int:
        return height(self.letter, self.partner)

    @property
    def frame_height(self) -> int:
        return self.height + _FRAME_EDGE

    @property
    def frame_address(self) -> str:
        return f"{self.public_url}/embed/{self.token}"

    @property
    def link(self) -> str:
        """The letter's own page; where oEmbed is spoken, the form in place of this address."""
        return f"{self.public_url}/letters/{self.letter.slug}?via={self.token}"

    @property
    def script(self) -> str:
        """The one line that a site needs once, wherever the form stands."""
        return f'<script async src="{escape(f"{self.public_url}/w/{self.token}.js")}"></script>'

    def snippet(self) -> str:
        return snippet(self.public_url, self.letter, self.partner, self.token, self.locale)

    def placeholder(self, view: str | None = None) -> str:
        """What content systems let through: a block with a link in it. A list or a count takes what room it needs."""
        shown = f' data-view="{view}"' if view else f' style="min-height:{self.height}px"'
        return f'<div data-undersigned="{escape(self.token)}"{shown}>\n  {self.anchor()}\n</div>'

    def anchor(self) -> str:
        said = escape(invitation(self.letter, self.locale), quote=False)
        return f'<a href="{escape(self.link)}">{said}</a>'

    def pinned(self, path: str, integrity: str) -> str:
        """The library of one version, which no later one can change. It takes a second request, and no fixes."""
        address = escape(f"{self.public_url}/{path}")
        return (
            f"{self.placeholder()}\n"
            f'<script async src="{address}" integrity="{escape(integrity)}" crossorigin="anonymous"></script>'
        )

    def classed(self) -> str:
        """For hosts whose policy refuses inline styles: the height is in `rule`."""
        inline = f' style="min-height:{self.height}px"'
        return self.snippet().replace(inline, f' class="{CLASS}"', 1)

    def rule(self) -> str:
        return f".{CLASS} {{\n  min-height: {self.height}px;\n}}"

    def view(self, view: str) -> str:
        return f"{self.placeholder(view)}\n{self.script}"

    def frame(self) -> str:
        """Where scripts are stripped; with the second line, where that is allowed, the height follows the content."""
        return (
            f'<iframe {FRAME_MARK} src="{escape(self.frame_address)}" title="{self._title()}"\n'
            f'  allow="web-share; clipboard-write" style="width:100%;height:{self.frame_height}px;border:0"></iframe>\n'
            f'<script async src="{escape(f"{self.public_url}/embed.js")}"></script>'
        )

    def sized_frame(self, width: int, height: int, query: Mapping[str, str]) -> str:
        """For oEmbed: as WordPress would have it, which keeps no style and no other attribute."""
        address = self.frame_address + (f"?{urlencode(query)}" if query else "")
        return (
            f'<iframe {FRAME_MARK} src="{escape(address)}" width="{width}" height="{height}" title="{self._title()}"'
            f' frameborder="0" allow="web-share; clipboard-write"></iframe>'
        )

    def _title(self) -> str:
        return escape(invitation(self.letter, self.locale))


def read_look(given: Mapping[str, str]) -> dict[str, str]:
    """Custom properties out of an address: colours as six hexadecimal digits, the radius in pixels. What is malformed
    is left out."""
    look = {}
    for name in COLOURS:
        if colour := _COLOUR.fullmatch(given.get(name, "")):
            look[PREFIX + name] = f"#{colour[1].lower()}"
    if _LENGTH.fullmatch(given.get("radius", "")):
        look[f"{PREFIX}radius"] = f"{int(given['radius'])}px"
    return look
