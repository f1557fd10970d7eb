"""/signatures/TOKEN: a signer's own page, where they see, correct, hide, consent, take back and erase.

One thing must stay true: what stands in the address of a page says nothing about anybody, and each change is a POST.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from widget_server.domain.refusals import Invalid
from widget_server.flows.change_consents import change_consents
from widget_server.flows.correct import correct, show_name
from widget_server.flows.erase import erase_own
from widget_server.flows.own_data import NOTED, TYPED, data_of
from widget_server.flows.withdraw import withdraw
from widget_server.web import signer_data
from widget_server.web.consent_form import choices, consent_boxes, may_write
from widget_server.web.correction_form import corrections
from widget_server.web.forms import pressed, sent
from widget_server.web.links import Followed, follow, followed, link_path, may_confirm, page_about, see
from widget_server.web.notes import Question, ask, erased_page, over
from widget_server.web.place import LANGUAGES
from widget_server.web.problems import field_messages
from widget_server.web.site import site_of

DONE = ("corrected", "shown", "hidden", "consents", "withdrawn", "unchanged", "reworded")
"""What a page may say of the change that led to it: texts `signer.done.NAME`."""


async def show(request: Request) -> Response:
    """GET: all of it."""
    return await _page(request, await followed(request, "signer"))


async def _page(
    request: Request,
    here: Followed,
    *,
    typed: Mapping[str, str] | None = None,
    errors: Sequence[Mapping[str, str]] = (),
) -> Response:
    if here.over:
        return await over(request, here)
    site, shown = site_of(request), here.seen.shown
    stands = here.seen.standing in ("pending", "confirmed", "repeated")
    waits = here.seen.standing == "pending" and may_confirm(site, here)
    done = request.query_params.get("done")
    kept = await data_of(site.db, site.directory, here.letter, shown)
    return await page_about(
        request,
        here,
        "signer.html",
        status=422 if errors else 200,
        shown=shown,
        stands=stands,
        form=corrections(site, here.letter.settings, shown, here.locale, typed, errors) if stands else None,
        boxes=await consent_boxes(site, here) if stands else [],
        confirm=link_path(site, here, "confirm", here.signature.id) if waits else "",
        kept=kept | {"contact_opt_in": any(one.contact_opt_in for one in here.seen.mine)},
        may_write=await may_write(site, here),
        others=[(one, link_path(site, here, "signer", one.id)) for one in here.seen.others],
        news=done if done in DONE else None,
        typed_facts=TYPED,
        noted_facts=NOTED,
        languages=LANGUAGES,
    )


async def back(request: Request) -> Response:
    """GET of what can only be posted: back to where its form is."""
    return see((await followed(request, "signer")).path())


async def correct_it(request: Request) -> Response:
    fields = await sent(request)
    site, here = site_of(request), await followed(request, "signer")
    if here.over:
        return await over(request, here)
    try:
        changed = await correct(site.turns, here.letter, here.signature.id, fields)
    except Invalid as error:
        messages = field_messages(error.errors, site.texts, here.locale)
        return await _page(request, here, typed=fields, errors=messages)
    return see(here.path(done="corrected" if changed else "unchanged"))


async def show_or_hide(request: Request) -> Response:
    fields = await sent(request)
    here = await followed(request, "signer")
    if here.over:
        return await over(request, here)
    public = {"true": True, "false": False}.get(fields.get("public", ""))
    if public is None:
        return see(here.path(done="unchanged"))
    await show_name(site_of(request).turns, here.letter, here.signature.id, public=public)
    return see(here.path(done="shown" if public else "hidden"))


async def consent(request: Request) -> Response:
    fields = await sent(request)
    site, here = site_of(request), await followed(request, "signer")
    if here.over:
        return await over(request, here)
    chosen = choices(await consent_boxes(site, here), fields, here, f"{site.public_url}/signatures")
    if chosen is None:
        return see(here.path(done="reworded"))
    changed = await change_consents(site.turns, here.letter, here.signature.id, chosen, "page")
    return see(here.path(done="consents" if changed else "unchanged"))


def asking(what: Question) -> Callable[[Request], Awaitable[Response]]:
    """GET of a page that asks whether to do it."""

    async def handler(request: Request) -> Response:
        here = await followed(request, "signer")
        return await over(request, here) if here.over else await ask(request, here, what, back=here.path())

    return handler


async def take_back(request: Request) -> Response:
    await pressed(request)
    here = await followed(request, "signer")
    if here.over:
        return await over(request, here)
    await withdraw(site_of(request).turns, here.letter, here.signature.id)
    return see(here.path(done="withdrawn"))


def erasing(what: Question) -> Callable[[Request], Awaitable[Response]]:
    """POST: it is withdrawn, uncounted and gone; so it stays, however often that is asked."""

    async def handler(request: Request) -> Response:
        await pressed(request)
        here = await follow(request, "signer")
        if here is not None and here.over:
            return await over(request, here)
        if here is not None:
            turns, id_ = site_of(request).turns, here.signature.id
            await erase_own(turns, here.letter, id_, only_this=what == "not_me")
        return await erased_page(request, "signer", here, what)

    return handler


_FORMS = {"correct": correct_it, "name": show_or_hide, "consents": consent}
_QUESTIONS: dict[str, tuple[Question, Callable[[Request], Awaitable[Response]]]] = {
    "withdraw": ("withdraw", take_back),
    "erase": ("erase", erasing("erase")),
    "not-me": ("not_me", erasing("not_me")),
}

ROUTES = [
    Route("/signatures/{token}", show, methods=["GET"]),
    Route("/signatures/{token}/data", signer_data.page, methods=["GET"]),
    Route("/signatures/{token}/data.json", signer_data.file, methods=["GET"]),
    *(Route(f"/signatures/{{token}}/{path}", form, methods=["POST"]) for path, form in _FORMS.items()),
    *(Route(f"/signatures/{{token}}/{path}", back, methods=["GET"]) for path in _FORMS),
    *(Route(f"/signatures/{{token}}/{path}", does, methods=["POST"]) for path, (_, does) in _QUESTIONS.items()),
    *(Route(f"/signatures/{{token}}/{path}", asking(what), methods=["GET"]) for path, (what, _) in _QUESTIONS.items()),
]
