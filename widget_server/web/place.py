"""Where a letter's pages are, in each language, and what all of them show.

One thing must stay true: the canonical address says nothing about who sent whom; only links between pages do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.requests import Request

from widget_server.domain import markdown
from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner, read_source
from widget_server.domain.refusals import NotAllowed
from widget_server.domain.typography import typeset
from widget_server.flows.directory import Credit
from widget_server.i18n import LOCALES
from widget_server.web.languages import locale_of
from widget_server.web.letter_form import partner_token
from widget_server.web.letters_api import has_preview, public_letter
from widget_server.web.site import Site, site_of

PREFIXES = ("", *(f"/{locale}" for locale in LOCALES))
"""A letter's pages are at `/letters/…`, where the browser decides the language, and at `/fr/letters/…`."""

LANGUAGES = {"en": "English", "fr": "Français"}
_DESCRIPTION_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Place:
    """A letter in one language. `via` is the token of the partner who sent the reader here, if any."""

    public_url: str
    letter: Letter
    locale: str
    via: str | None = None
    source: str | None = None
    preview: str | None = None

    def path(self, rest: str = "", locale: str | None = None, **query: str | None) -> str:
        """A path of this letter's pages that keeps who is credited, and the preview."""
        given = {"via": self.via, "source": self.source, "preview": self.preview, **query}
        asked = urlencode({key: value for key, value in given.items() if value})
        return f"/{locale or self.locale}/letters/{self.letter.slug}{rest}" + (f"?{asked}" if asked else "")

    def address(self, rest: str = "", locale: str | None = None) -> str:
        """The canonical address of a page."""
        return f"{self.public_url}/{locale or self.locale}/letters/{self.letter.slug}{rest}"

    def alternates(self, rest: str = "") -> list[tuple[str, str]]:
        """`hreflang` and address; at `x-default` the reader's browser decides."""
        default = f"{self.public_url}/letters/{self.letter.slug}{rest}"
        return [*((code, self.address(rest, code)) for code in self.letter.locales), ("x-default", default)]

    @property
    def languages(self) -> list[tuple[str, str]]:
        """The other languages and their names in themselves."""
        return [(code, LANGUAGES.get(code, code)) for code in self.letter.locales if code != self.locale]

    @property
    def share(self) -> str:
        """The address to pass on; it credits the partner who brought the reader."""
        return self.address() + (f"?{urlencode({'via': self.via})}" if self.via else "")


async def place_of(request: Request) -> tuple[Place, Credit]:
    """The letter's page that is asked for, and who is credited there. Raises `Unknown`."""
    site = site_of(request)
    letter = await public_letter(request)
    query = request.query_params
    credit = await credited(site, letter, query.get("via"))
    place = Place(
        site.public_url,
        letter,
        locale_of(request, letter),
        via=None if credit.partner.is_house else query.get("via"),
        source=read_source(query.get("source")) or read_source(query.get("utm_source")),
        preview=query.get("preview") if has_preview(request, site, letter) else None,
    )
    return place, credit


async def credited(site: Site, letter: Letter, via: str | None) -> Credit:
    """Whom a link credits. A forged, revoked or another letter's token is none, and credits the house."""
    if via:
        try:
            credit = await site.directory.credit(via)
        except NotAllowed:
            pass
        else:
            if credit.letter.id == letter.id:
                return credit
    return Credit(letter, await site.directory.house(letter))


def place_through(site: Site, letter: Letter, partner: Partner, locale: str | None) -> Place:
    """The letter's pages as that partner's readers meet them: links there credit the partner while it takes part."""
    credited = not partner.is_house and partner.revoked_at is None
    via = partner_token(site, letter, partner) if credited else None
    return Place(site.public_url, letter, letter.locale(locale), via=via)


async def plain_place(request: Request, letter: Letter) -> Place:
    """The letter's pages as a reader meets them whom nobody sent, in the language that they ask for."""
    site = site_of(request)
    return place_through(site, letter, await site.directory.house(letter), locale_of(request, letter))


def frame(place: Place | None) -> dict[str, Any]:
    """What a page that says one thing is given, to say it in the letter's frame, where the letter is known."""
    if place is None:
        return {"place": None}
    title = typeset(place.letter.wording[place.locale].title, place.locale)
    return {"place": place, "settings": place.letter.settings, "title": title}


async def page_values(site: Site, place: Place) -> dict[str, Any]:
    """What every page about a letter is given: where it is, its settings, its title, its counts."""
    wording = place.letter.wording[place.locale]
    return {
        "place": place,
        "settings": place.letter.settings,
        "title": typeset(wording.title, place.locale),
        "description": _shortened(re.sub(r"[ \n]+", " ", markdown.plain(wording.intro or wording.body, place.locale))),
        "counts": (await site.directory.counts(place.letter)).public(place.letter.settings.codes),
    }


def html(text: str, locale: str) -> Markup:
    return Markup(markdown.html(text, locale))  # noqa: S704  sanitized there, and only there


def _shortened(text: str) -> str:
    """At most `_DESCRIPTION_LENGTH` characters, cut between words."""
    if len(text) <= _DESCRIPTION_LENGTH:
        return text
    return text[:_DESCRIPTION_LENGTH].rpartition(" ")[0].rstrip(" ,;:–—-") + "…"
