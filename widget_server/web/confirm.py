"""/confirm/TOKEN: from the mail to a signature that counts, or that is gone.

One thing must stay true: only a POST changes anything. Mail scanners and previews follow every link there is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from widget_server.domain.listing import evidence, listing_of
from widget_server.domain.refusals import Invalid
from widget_server.domain.signatures import Listing
from widget_server.flows.ask_again import ask_for_link
from widget_server.flows.confirm import confirm
from widget_server.flows.correct import correct
from widget_server.flows.erase import erase_own
from widget_server.web.asking import count_asking
from widget_server.web.correction_form import corrections
from widget_server.web.forms import pressed, sent
from widget_server.web.links import Followed, follow, followed, link_path, may_confirm, page_about, see
from widget_server.web.notes import ask, erased_page, note, over
from widget_server.web.problems import field_messages
from widget_server.web.site import site_of


async def show(request: Request) -> Response:
    """GET: what is signed, the name as it will appear, and one button. For whoever has signed already, what stays."""
    return await _as_it_stands(request, await followed(request, "confirm"))


async def press(request: Request) -> Response:
    """POST: it counts. The body does not matter, and twice does no harm."""
    await pressed(request)
    site = site_of(request)
    here = await followed(request, "confirm")
    waits = _waits(request, here)
    if waits:
        await confirm(site.turns, here.letter, here.signature.id)
        await site.directory.refresh(now_please=True)  # the count that thanks them has theirs in it
        here = await followed(request, "confirm")
    return await _as_it_stands(request, here, just_now=waits)


def _waits(request: Request, here: Followed) -> bool:
    """Whether it can still be confirmed by this link."""
    return not here.over and here.seen.standing == "pending" and may_confirm(site_of(request), here)


def _may_correct(request: Request, here: Followed) -> bool:
    """Whether what it says is to appear: of one that only repeats another, nothing is."""
    return _waits(request, here) and not here.seen.had_signed


async def _as_it_stands(request: Request, here: Followed, *, just_now: bool = False) -> Response:
    site = site_of(request)
    standing = here.seen.standing
    if standing == "pending" and not may_confirm(site, here):
        return await note(request, here, "too_late")
    if here.over:
        return await over(request, here, again=standing == "pending")
    if standing == "pending":
        return await _to_confirm(request, here)
    own = link_path(site, here, "signer", here.signature.id, fresh=True)
    if standing in ("withdrawn", "rejected"):
        return await note(request, here, standing, own=own)
    counts = await site.directory.counts(here.letter)
    return await page_about(
        request,
        here,
        "confirmed.html",
        repeated=standing == "repeated",
        assisted=_hears_of_it(here) if standing == "repeated" else "",
        number=max(1, counts.total + here.seen.uncounted),
        appears=here.seen.shown.listing,
        just_now=just_now,
        own=own,
    )


async def _to_confirm(request: Request, here: Followed) -> Response:
    if here.seen.had_signed:
        stays, ticked = here.seen.first, here.signature.contact_opt_in or here.signature.partner_opt_in
        told = _hears_of_it(here)
        return await page_about(request, here, "confirm_again.html", shown=stays, stays=stays, told=told, ticked=ticked)
    news = "corrected" if request.query_params.get("done") == "corrected" else None
    return await page_about(request, here, "confirm.html", appears=_will_appear(request, here), news=news)


def _hears_of_it(here: Followed) -> str:
    """The partner through whom somebody came who had signed already, unless it brought the first one too."""
    return here.partner.name if here.seen.elsewhere and not here.partner.is_house else ""


def _will_appear(request: Request, here: Followed) -> Listing:
    """Where the list will have it, once it is confirmed."""
    signature = replace(here.signature, address_confirmed_at=site_of(request).now())
    return listing_of(here.letter.settings, signature.kind, public=signature.public, match=evidence(signature))


async def again(request: Request) -> Response:
    """POST: a fresh mail for a link that came too late. The answer does not say whether one goes out."""
    await pressed(request)
    site = site_of(request)
    here = await followed(request, "confirm")
    count_asking(request, here.letter)
    if here.seen.standing == "pending" and may_confirm(site, here):
        await ask_for_link(site.db, here.signature, site.now())
        site.turns.on_commit()
    return await note(request, here, "asked", status=200)


async def back(request: Request) -> Response:
    """GET of what can only be posted: back to where its button is."""
    return see((await followed(request, "confirm")).path())


async def name(request: Request) -> Response:
    """GET: what the list would show, to correct before it counts."""
    here = await followed(request, "confirm")
    return await _name_form(request, here) if _may_correct(request, here) else see(here.path())


async def correct_name(request: Request) -> Response:
    """POST: corrected, or what is wrong with it."""
    fields = await sent(request)
    site = site_of(request)
    here = await followed(request, "confirm")
    if not _may_correct(request, here):
        return see(here.path())
    try:
        changed = await correct(site.turns, here.letter, here.signature.id, fields)
    except Invalid as error:
        return await _name_form(request, here, fields, field_messages(error.errors, site.texts, here.locale))
    return see(here.path(done="corrected" if changed else None))


async def _name_form(
    request: Request,
    here: Followed,
    typed: Mapping[str, str] | None = None,
    errors: Sequence[Mapping[str, str]] = (),
) -> Response:
    form = corrections(site_of(request), here.letter.settings, here.signature, here.locale, typed, errors)
    return await page_about(request, here, "confirm_name.html", status=422 if errors else 200, form=form)


async def not_me(request: Request) -> Response:
    """GET: asks whether somebody else put the address in."""
    here = await followed(request, "confirm")
    return see(here.path()) if here.over else await ask(request, here, "not_me", back=here.path())


async def erase_not_mine(request: Request) -> Response:
    """POST: it is gone, and was never counted or is counted no longer."""
    await pressed(request)
    here = await follow(request, "confirm")
    if here is not None and here.over:
        return await _as_it_stands(request, here)
    if here is not None:
        await erase_own(site_of(request).turns, here.letter, here.signature.id, only_this=True)
    return await erased_page(request, "confirm", here, "not_me")


ROUTES = [
    Route("/confirm/{token}", show, methods=["GET"]),
    Route("/confirm/{token}", press, methods=["POST"]),
    Route("/confirm/{token}/name", name, methods=["GET"]),
    Route("/confirm/{token}/name", correct_name, methods=["POST"]),
    Route("/confirm/{token}/not-me", not_me, methods=["GET"]),
    Route("/confirm/{token}/not-me", erase_not_mine, methods=["POST"]),
    Route("/confirm/{token}/again", back, methods=["GET"]),
    Route("/confirm/{token}/again", again, methods=["POST"]),
]
