"""The letter's own page: text, statements, form and public lists; and what a form without script is answered.

One thing must stay true: everything works without a script, and nobody keeps a page with a form: two signers
with the id of the same drawing would be one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from widget_server.domain.ids import new_id
from widget_server.domain.letters import Letter
from widget_server.domain.refusals import Unavailable
from widget_server.domain.typography import typeset
from widget_server.flows.directory import Credit
from widget_server.flows.sign import Signed
from widget_server.store.signatories import ListPage
from widget_server.web.letter_form import FIELDS, draw, partner_token
from widget_server.web.oembed import discovery
from widget_server.web.place import PREFIXES, html, page_values, place_of, place_through
from widget_server.web.site import Site, site_of

INLINE_NAMES = 500
"""How many names of each list the page shows before it links to the rest."""
SENT_AGAIN = ("token", "shown", "kind", "locale", "page", "source", "test")
"""What a form sends besides its fields, and once more when the address is mended."""


async def letter(request: Request) -> Response:
    """GET /letters/SLUG."""
    site = site_of(request)
    place, credit = await place_of(request)
    found, locale = place.letter, place.locale
    status = found.status(site.now())
    form = None
    if status in ("open", "draft"):
        token = place.via or partner_token(site, found, credit.partner)
        form = await draw(site, found, credit.partner, token, locale, {"source": place.source or ""})
    codes = found.settings.codes
    return site.pages.respond(
        "letter.html",
        locale,
        **await page_values(site, place),
        **_wording(found, locale),
        letter_status=status,
        form=form,
        script=f"/{site.scripts['letter'].path}",
        lists={code: await names(site, found, code, locale) for code in codes},
        now=site.now(),
        oembed=discovery(request, place),
    )


def _wording(letter: Letter, locale: str) -> dict[str, Any]:
    wording = letter.wording[locale]
    return {
        "intro": html(wording.intro, locale),
        "body": html(wording.body, locale),
        "outcome": html(letter.outcome.get(locale, ""), locale),
        "statements": statements(letter, locale),
    }


def statements(letter: Letter, locale: str) -> dict[str, str]:
    return {code: typeset(text, locale) for code, text in letter.wording[locale].statements.items()}


@dataclass(frozen=True, slots=True)
class Names:
    """The first names of a list as markup, how many they are, and whether there are more."""

    markup: Markup
    number: int
    more: bool


async def names(site: Site, letter: Letter, statement: str, locale: str) -> Names:
    """One statement's list, made once for each revision."""
    apart = letter.settings.lists == "apart"

    def make(page: ListPage) -> Names:
        markup = Markup(site.pages.render("names.html", locale, page=page, apart=apart, start=1))  # noqa: S704
        return Names(markup, len(page.entries), page.after is not None)

    return await site.reading.page(letter, statement, None, INLINE_NAMES, form=f"html {locale}", make=make)


async def signed_page(
    request: Request, credit: Credit, locale: str, outcome: Signed, values: Mapping[str, str] | None = None
) -> Response:
    """What a form without script is answered once it is stored: thanks, the count, a link to share.

    `values` is what was sent: with it, the page says where the name appears, and while the address is not confirmed, it
    shows that address, to mend a typo at once.
    """
    site = site_of(request)
    place = place_through(site, credit.letter, credit.partner, locale)
    counts = outcome.counts.public(credit.letter.settings.codes)
    return site.pages.respond(
        "signed.html",
        place.locale,
        status=201 if outcome.new else 200,
        **await page_values(site, place) | {"counts": counts},
        pending=outcome.status == "pending",
        repeated=not outcome.new,
        appears=_appears(credit.letter, values or {}),
        mend=_mend(values or {}, outcome.replaces),
        statement=statements(credit.letter, place.locale)[outcome.statement],
    )


def _mend(values: Mapping[str, str], replaces: str | None) -> Mapping[str, str] | None:
    """All that was sent, for a form that sends it again with another address; None where that is not possible."""
    if replaces is None or not values.get("email"):
        return None
    again = {name: values[name] for name in (*SENT_AGAIN, *FIELDS) if values.get(name)}
    return {**again, "id": new_id(), "replaces": replaces}


def _appears(letter: Letter, values: Mapping[str, str]) -> str:
    """The text that says where the name appears, or nothing where we do not know."""
    match values.get("kind"):
        case "organization":
            return "listed" if letter.settings.organizations == "listed" else "review"
        case "individual":
            return "hidden" if values.get("public") == "false" else "listed"
        case _:
            return ""


async def form_again(
    request: Request,
    credit: Credit,
    locale: str,
    values: Mapping[str, str],
    errors: Sequence[Mapping[str, str]],
    status: int,
    message: str,
) -> Response:
    """The form as it was sent, with what is wrong: in a summary, and beside each field.

    Once the letter is closed there is no form to send again, and the page says only that.
    """
    site = site_of(request)
    place = place_through(site, credit.letter, credit.partner, locale)
    found = place.letter
    form = None
    if found.status(site.now()) != "closed":
        token = values.get("token", "")
        if credit.partner.is_house:
            token = partner_token(site, found, credit.partner)
        try:
            form = await draw(site, found, credit.partner, token, place.locale, values, errors)
        except Unavailable:
            return refusal_page(request, place.locale, status, message)
    return site.pages.respond(
        "sign.html",
        place.locale,
        status=status,
        **await page_values(site, place),
        form=form,
        statements=statements(found, place.locale),
        message=message,
    )


def refusal_page(request: Request, locale: str, status: int, message: str) -> Response:
    """A page that says no where there is no letter to show it with."""
    return site_of(request).pages.message(request, status, message, locale)


ROUTES = [Route(prefix + "/letters/{slug}", letter) for prefix in PREFIXES]
