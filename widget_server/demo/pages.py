"""The two partners' pages: little sites of their own, on another origin than the server's.

One thing must stay true: what stands in them is the snippet as `partner add` prints it, untouched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

_TYPES = {"css": "text/css", "svg": "image/svg+xml", "js": "text/javascript", "html": "text/html"}
_TEMPLATES = Environment(autoescape=True, undefined=StrictUndefined)


def asset(name: str) -> str:
    """The text of a file in `assets/`."""
    return (resources.files("widget_server.demo") / "assets" / name).read_text("utf-8")


def assets(*names: str) -> list[Route]:
    """A route `/assets/NAME` for each of `names`."""
    return [Route(f"/assets/{name}", _serving(name)) for name in names]


def _serving(name: str) -> _Asset:
    return _Asset(asset(name), _TYPES[name.rpartition(".")[2]])


@dataclass(frozen=True, slots=True)
class _Asset:
    text: str
    media_type: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {"cache-control": "no-cache", "x-content-type-options": "nosniff"}
        await Response(self.text, media_type=self.media_type, headers=headers)(scope, receive, send)


def render(name: str, **values: object) -> str:
    """The page `assets/NAME`, values escaped."""
    return _TEMPLATES.from_string(asset(name)).render(**values)


@dataclass(frozen=True, slots=True)
class Embed:
    """A partner's page: its path on the page server, the snippet as printed, and its webmaster's page."""

    path: str
    template: str
    snippet: str
    install_url: str


def create_pages(embeds: Mapping[str, Embed], letter_urls: Mapping[str, str], inbox_url: str) -> Starlette:
    """The page server. `embeds` and `letter_urls` are by locale, `en` and `fr`."""
    other = {"en": "fr", "fr": "en"}
    shown = {
        embed.path: render(
            embed.template,
            # The snippet is HTML from the server, escaped where it was made: the one thing put in as it is.
            snippet=Markup(embed.snippet),  # noqa: S704
            letter_url=letter_urls[locale],
            other_url=embeds[other[locale]].path,
            inbox_url=f"{inbox_url}?lang={locale}",
        )
        for locale, embed in embeds.items()
    }

    async def page(request: Request) -> Response:
        return HTMLResponse(shown[request.url.path])

    async def start(_: Request) -> Response:
        return RedirectResponse(embeds["en"].path)

    names = [f"{embed.path.strip('/')}.{kind}" for embed in embeds.values() for kind in ("css", "svg")]
    return Starlette(
        routes=[Route("/", start), *(Route(path, page) for path in shown), *assets(*names)],
    )
