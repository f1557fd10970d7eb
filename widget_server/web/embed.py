"""GET /embed/TOKEN: the widget as a page for an <iframe>; GET /embed.js: what has the frame follow its height.

One thing must stay true: the page is the widget and nothing else, it may be framed by any page (by a strict partner's
own origins alone), and nobody's data is in it.
"""

from __future__ import annotations

from base64 import b64encode
from functools import lru_cache
from hashlib import sha256

import brotli
import rjsmin
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from widget_server.domain.embeddings import read_look
from widget_server.domain.partners import Partner, read_source
from widget_server.domain.refusals import Refusal
from widget_server.domain.snippet import invitation
from widget_server.web.encodings import accepted
from widget_server.web.languages import locale_of
from widget_server.web.scripts import Script, answer
from widget_server.web.site import Site, site_of
from widget_server.web.styles import static_folder
from widget_server.web.widget import FEW_MINUTES, note, told_by
from widget_server.web.widget_file import script_json

VIEWS = ("form", "list", "count")
HIDEABLE = ("title", "counter", "share")
# What page is around it a frame cannot see, and most are light, whatever the visitor prefers.
_SCHEMES = {"auto": "light dark", "light": "light", "dark": "dark"}
_STYLE = "body{margin:0;padding:1px;display:flow-root;font-family:system-ui,sans-serif}body>a,main{margin:1em}"


async def frame(request: Request) -> Response:
    """The widget with what the address says of it: `source`, `lang`, `view`, `theme`, `hide`, `test`, and its look."""
    site = site_of(request)
    token = request.path_params["token"]
    try:
        told = await told_by(site, token)
    except Refusal as refusal:
        return _nothing(request, refusal)
    note(request, told)
    query = request.query_params
    partner = None if told.credit is None else told.credit.partner
    locale = told.letter.locale(query.get("lang"), None if partner is None else partner.locale)
    theme = query.get("theme") if query.get("theme") in _SCHEMES else None
    hide = [part for part in HIDEABLE if part in query.get("hide", "").split()]
    attributes = {
        "data-source": read_source(query.get("source")),
        "data-view": query.get("view") if query.get("view") in VIEWS else None,
        "data-theme": theme,
        "data-hide": " ".join(hide) or None,
        "data-test": "" if "test" in query else None,
    }
    look = "".join(f"{name}:{value};" for name, value in read_look(query).items())
    return _page(
        request,
        locale,
        partner=partner,
        css=_STYLE + (f":root{{{look}}}" if look else ""),
        token=token,
        title=invitation(told.letter, locale),
        link=f"{site.public_url}/letters/{told.letter.slug}" + (f"?via={token}" if partner else ""),
        attributes=attributes,
        scheme=_SCHEMES[theme or "light"],
    )


def _nothing(request: Request, refusal: Refusal) -> Response:
    """No form, and why: small, since it stands in somebody's frame."""
    site, locale = site_of(request), locale_of(request)
    return _page(
        request,
        locale,
        status=refusal.status,
        cache_control="no-store",
        title=site.texts("page.embed.nothing", locale),
        message=site.texts(f"refusal.{refusal.code}", locale),
    )


def _page(
    request: Request,
    locale: str,
    *,
    title: str,
    css: str = _STYLE,
    status: int = 200,
    cache_control: str = FEW_MINUTES,
    partner: Partner | None = None,
    token: str = "",
    scheme: str = _SCHEMES["light"],
    **values: object,
) -> Response:
    site = site_of(request)
    body = site.pages.render(
        "embed.html", locale, title=title, css=Markup(css), token=token, scheme=scheme,  # noqa: S704  read_look's and ours
        script=Markup(_frame_script()), **values,  # noqa: S704
    ).encode()  # fmt: skip
    headers = {
        **site.pages.policies,
        "content-security-policy": _policy(site, css, partner),
        # For hosts that isolate themselves: such a page takes in only frames that say both.
        "cross-origin-embedder-policy": "require-corp",
        "cross-origin-resource-policy": "cross-origin",
        "cache-control": cache_control,
        "content-language": locale,
        "content-type": "text/html; charset=utf-8",
        "vary": "accept-encoding",
    }
    if accepted(request.headers.get("accept-encoding", "")) == "br":
        return Response(_packed(body), status, {**headers, "content-encoding": "br"})
    return Response(body, status, headers)


def _policy(site: Site, css: str, partner: Partner | None) -> str:
    """Without `frame-ancestors`, any page may frame it: see docs/decisions. In a sandbox 'self' is nobody, so that our
    address is named."""
    parts = [
        "default-src 'none'",
        f"script-src 'self' {site.public_url} {_hash(_frame_script())}",
        f"style-src {_hash(css)}",
        f"connect-src 'self' {site.public_url}",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    if partner is not None and partner.strict_origins:
        parts.append(f"frame-ancestors 'self' {' '.join(partner.origins)}".rstrip())
    return "; ".join(parts)


@lru_cache
def _packed(body: bytes) -> bytes:
    """The pages asked for most are compressed once: the same for everybody who asks alike."""
    return bytes(brotli.compress(body, mode=brotli.MODE_TEXT))


@lru_cache
def _frame_script() -> str:
    """`static/frame.js`, minified. Read once."""
    return str(rjsmin.jsmin((static_folder() / "frame.js").read_text("utf-8"))).strip()


@lru_cache
def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode('ascii')}'"


def embed_script(public_url: str) -> Script:
    """`static/embed.js`, minified, with our origin in it."""
    source = rjsmin.jsmin((static_folder() / "embed.js").read_text("utf-8")).strip()
    call, mark, _ = source.rpartition('("")')
    if not mark:
        raise ValueError("static/embed.js does not end in a call")
    return Script.of("embed", f"{call}({script_json(public_url)});\n".encode())


async def embed_file(request: Request) -> Response:
    scripts = site_of(request).scripts
    hash_ = scripts["embed"].hash
    return answer(request, await scripts.get("embed", hash_), hash_, FEW_MINUTES)


ROUTES = [Route("/embed/{token}", frame), Route("/embed.js", embed_file)]
