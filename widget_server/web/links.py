"""The links in our mails, followed: whose signature, of which letter, in which language, and whether they still hold.

One thing must stay true: a link that we did not seal, or sealed for something else, is answered alike whatever is
wrong with it, and following a link changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from widget_server.domain.letters import Letter
from widget_server.domain.links import PATHS, Link, LinkPurpose, open_link, seal_link, takes_confirmations
from widget_server.domain.partners import Partner
from widget_server.domain.refusals import Unknown
from widget_server.domain.retention import WITHDRAWN
from widget_server.domain.signatures import Signature
from widget_server.domain.tokens import BadToken
from widget_server.domain.typography import typeset
from widget_server.flows.look import Seen, look, what_was_signed
from widget_server.store.signatures import find_signature
from widget_server.web.place import Place, page_values, place_through
from widget_server.web.site import Site, site_of


@dataclass(frozen=True, slots=True)
class Followed:
    """What a link leads to. `over`: it holds no longer, so nothing of the signature may be shown or changed by it.
    `asked`: the language that the reader chose, if not the signature's own."""

    purpose: LinkPurpose
    token: str
    link: Link
    over: bool
    letter: Letter
    partner: Partner
    seen: Seen
    place: Place
    asked: str | None

    @property
    def signature(self) -> Signature:
        """The one that the link names, as its signer may see it."""
        return self.seen.signature

    @property
    def locale(self) -> str:
        return self.place.locale

    def path(self, rest: str = "", **query: str | None) -> str:
        """An address below the link's own, in the language of this page."""
        given = {key: value for key, value in {**query, "locale": self.asked}.items() if value}
        return self.plain_path(rest) + (f"?{urlencode(given)}" if given else "")

    def plain_path(self, rest: str = "") -> str:
        return PATHS[self.purpose].format(token=self.token) + rest


def _opened(request: Request, purpose: LinkPurpose) -> Link:
    try:
        return open_link(site_of(request).seals, purpose, request.path_params["token"])
    except BadToken as error:
        raise Unknown("link_broken") from error


async def follow(request: Request, purpose: LinkPurpose) -> Followed | None:
    """What the link in the path leads to; None once that signature is gone. Raises `Unknown`."""
    site = site_of(request)
    token = request.path_params["token"]
    link = _opened(request, purpose)
    signature = await find_signature(site.db, link.signature_id)
    letter = None if signature is None else await site.directory.letter_by_id(signature.letter_id)
    if signature is None or letter is None:
        return None
    partner = await site.directory.partner_by_id(signature.partner_id) or await site.directory.house(letter)
    asked = request.query_params.get("locale")
    asked = asked if asked in letter.locales and asked != signature.locale else None
    return Followed(
        purpose=purpose,
        token=token,
        link=link,
        over=link.is_over(site.now()),
        letter=letter,
        partner=partner,
        seen=await look(site.db, letter, signature),
        place=place_through(site, letter, partner, asked or letter.locale(signature.locale)),
        asked=asked,
    )


async def followed(request: Request, purpose: LinkPurpose) -> Followed:
    """The same. Raises `Unknown` for a signature that is gone, too."""
    found = await follow(request, purpose)
    if found is None:
        letter = await letter_named(request, purpose)
        raise Unknown("signature_gone", letter_slug=None if letter is None else letter.slug)
    return found


async def letter_named(request: Request, purpose: LinkPurpose) -> Letter | None:
    """The letter that the link itself names, whether or not the signature is still there. Raises `Unknown`."""
    letter_id = _opened(request, purpose).letter_id
    return None if letter_id is None else await site_of(request).directory.letter_by_id(letter_id)


def link_path(site: Site, followed: Followed, purpose: LinkPurpose, signature_id: str, *, fresh: bool = False) -> str:
    """The path of another link, sealed now. It holds as long as the one that was followed, unless it is `fresh`:
    nobody keeps a way in for ever by going round."""
    at = site.now() if fresh else followed.link.issued_at
    path = PATHS[purpose].format(token=seal_link(site.seals, purpose, signature_id, at, followed.letter.id))
    return path + (f"?{urlencode({'locale': followed.asked})}" if followed.asked else "")


def may_confirm(site: Site, followed: Followed) -> bool:
    return takes_confirmations(followed.letter, site.now())


async def page_about(
    request: Request,
    followed: Followed,
    template: str,
    *,
    status: int = 200,
    shown: Signature | None = None,
    **values: Any,
) -> Response:
    """A page in the language of its link, about the signature that it names, or about the one that is `shown`.

    Templates are told besides: `kept_until`, when one that was taken back is erased; `may_sign`: the letter is open.
    """
    site = site_of(request)
    signature = shown or followed.signature
    signed = await what_was_signed(site.db, followed.letter, signature)
    return site.pages.respond(
        template,
        followed.locale,
        status=status,
        headers={"x-robots-tag": "noindex"},
        **await page_values(site, followed.place),
        here=followed,
        signed=replace(signed, statement=typeset(signed.statement, signed.locale)),
        signature=signature,
        kept_until=None if signature.withdrawn_at is None else signature.withdrawn_at + WITHDRAWN,
        may_sign=followed.letter.status(site.now()) == "open",
        **values,
    )


def see(path: str) -> Response:
    """On to another page, which is asked for by GET."""
    return RedirectResponse(path, status_code=303, headers={"cache-control": "no-store", "x-robots-tag": "noindex"})
