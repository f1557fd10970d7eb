"""GET /install/SEALED: the page of a partner's webmaster. Snippets to copy, a preview to colour, whether the embed is
live, and the partner's own numbers, all with no password.

One thing must stay true: the page's own address is the key to it, so it is never sent anywhere: not as a referrer, not
as the page of a test signature (the preview is a frame that is told no referrer), and not to a search engine.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from widget_server.domain.embeddings import COLOURS, Embedding
from widget_server.domain.install_pages import open_install
from widget_server.domain.letters import Letter
from widget_server.domain.partner_numbers import DAYS
from widget_server.domain.partners import Partner
from widget_server.domain.refusals import Refusal, Unknown
from widget_server.domain.sightings import Sighting, is_named
from widget_server.domain.tokens import BadToken
from widget_server.domain.typography import typeset
from widget_server.i18n import LOCALES
from widget_server.store.partner_numbers import partner_numbers
from widget_server.store.sightings import sightings_of
from widget_server.web.languages import locale_of
from widget_server.web.letter_form import partner_token
from widget_server.web.place import LANGUAGES
from widget_server.web.site import site_of
from widget_server.web.styles import static_folder

_STRANGERS_TOLD = 5
_PAIRS = (
    ("accent-text", "accent", 4.5),
    ("text", "bg", 4.5),
    ("accent", "bg", 4.5),
    ("field-text", "field-bg", 4.5),
    ("error", "bg", 4.5),
    ("border", "bg", 3.0),
)
"""Which colours must stand out from which, and by how much (WCAG 2.2, 1.4.3 and 1.4.11)."""


class Gone(Refusal):
    status = 410


async def page(request: Request) -> Response:
    site = site_of(request)
    letter, partner = await _of(request)
    locale = locale_of(request)
    status = letter.status(site.now())
    token = partner_token(site, letter, partner)
    embedding = Embedding(site.public_url, letter, partner, token, letter.locale(partner.locale))
    seen = await sightings_of(site.db, partner.id)
    library = site.scripts["widget"]
    shown = letter.locale(locale)
    policies = site.pages.policies["content-security-policy"]
    return site.pages.respond(
        "install.html",
        locale,
        headers={"content-security-policy": f"{policies}; frame-src 'self' {site.public_url}"},
        title=typeset(letter.wording[shown].title, shown),
        title_locale=shown,
        letter=letter,
        partner=partner,
        letter_status=status,
        embedding=embedding,
        pinned=embedding.pinned(library.path, library.integrity),
        preview=status != "draft",
        colours=_colours(),
        pairs=_PAIRS,
        script=f"/{site.scripts['install'].path}",
        counts=await site.directory.counts(letter),
        numbers=await partner_numbers(site.db, partner.id, site.now() - timedelta(days=DAYS)),
        days=DAYS,
        seen=[(sighting, is_named(partner, sighting.origin)) for sighting in seen],
        command=_naming(letter, partner, seen),
        others=[(code, LANGUAGES[code]) for code in LOCALES if code != locale],
    )


async def _of(request: Request) -> tuple[Letter, Partner]:
    """Whose page it is. Raises `Unknown` for an address that is not one of ours, `Gone` for a revoked partner's."""
    site = site_of(request)
    try:
        letter_slug, partner_slug = open_install(site.seals, request.path_params["sealed"])
    except BadToken as error:
        raise Unknown("install_unknown") from error
    letter = await site.directory.letter(letter_slug)
    partner = None if letter is None else await site.directory.partner(letter.id, partner_slug)
    if letter is None or partner is None:
        raise Unknown("install_unknown")
    if partner.revoked_at is not None:
        raise Gone("install_revoked")
    return letter, partner


def _naming(letter: Letter, partner: Partner, seen: Sequence[Sighting]) -> str | None:
    """The line with which a coordinator adds the origins that are not the partner's yet; None where there are none."""
    strangers = [sighting.origin for sighting in seen if not is_named(partner, sighting.origin)][:_STRANGERS_TOLD]
    if not strangers:
        return None
    origins = shlex.quote(f"origins={' '.join([*partner.origins, *strangers])}")
    return f"undersigned partner set {shlex.quote(letter.slug)} {shlex.quote(partner.slug)} {origins}"


@dataclass(frozen=True, slots=True)
class Colour:
    """A custom property and what it is by default, on a light and on a dark page."""

    name: str
    light: str
    dark: str


@lru_cache
def _colours() -> Sequence[Colour]:
    """As `static/widget.css` has them, so that the pickers start where the widget does. Read once."""
    found: dict[str, list[str]] = {}
    css = (static_folder() / "widget.css").read_text("utf-8")
    for name, value in re.findall(r"var\(--undersigned-([a-z-]+), #([0-9a-f]{3}(?:[0-9a-f]{3})?)\)", css):
        found.setdefault(name, []).append("#" + (value if len(value) == 6 else "".join(digit * 2 for digit in value)))
    return [Colour(name, found[name][0], found[name][1]) for name in COLOURS if name in found]


ROUTES = [Route("/install/{sealed}", page)]
