"""Our own pages: templates filled in one language, sent with the policies that hold for all of them.

One thing must stay true: whatever people wrote is escaped. Templates escape by themselves, and only what
`Markup` says is markup stays it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from babel.lists import format_list
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from widget_server import i18n
from widget_server.domain.typography import typeset
from widget_server.i18n import Texts
from widget_server.web.languages import locale_of
from widget_server.web.styles import style_path

_BABEL = {"en": "en_CA", "fr": "fr_CA"}


def content_security_policy(public_url: str) -> str:
    """Nothing from anywhere else. Our public address is named beside 'self': the widget posts to it even
    where a visitor reached the page under another of our names."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"connect-src 'self' {public_url}",
            "img-src 'self' data:",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


class Words:
    """The texts in one language, for a template: `t("page.key")`, `t.rich("page.key", link=markup)`."""

    def __init__(self, texts: Texts, locale: str) -> None:
        self._texts = texts
        self.locale = locale

    def __call__(self, key: str, **values: Any) -> str:
        return self._texts(key, self.locale, **values)

    def rich(self, key: str, **values: Any) -> Markup:
        """A text with markup in its values; the text itself, and any other value, is escaped."""
        return Markup(escape(self._texts(key, self.locale))).format(**values)  # noqa: S704  escaped right here

    def number(self, value: int) -> str:
        return i18n.number(value, self.locale)

    def date(self, value: datetime) -> str:
        return i18n.date_and_time(value, self.locale)

    def day(self, value: datetime) -> str:
        return i18n.date(value, self.locale)

    def typeset(self, text: str, locale: str = "") -> str:
        """What the letter's authors wrote, in this language if not in another."""
        return typeset(text, locale or self.locale)

    def country(self, code: str) -> str:
        return i18n.country(code, self.locale)

    def named(self, codes: Sequence[str]) -> str:
        """The countries' names, as a list in words."""
        return self.listed([self.country(code) for code in codes if code != "*"])

    def listed(self, names: Sequence[str]) -> str:
        """Names as a list in words: A, B and C."""
        return format_list(list(names), locale=_BABEL.get(self.locale, "en_CA"))

    def address(self, email: str) -> Markup:
        """In bold, broken on a narrow screen where its parts meet."""
        parts = escape(email).replace("@", Markup("@<wbr>")).replace(".", Markup(".<wbr>"))
        return Markup('<strong class="signer-address">{0}</strong>').format(parts)

    def mail(self, address: str) -> Markup:
        return Markup('<a href="mailto:{0}">{0}</a>').format(address)

    def link(self, url: str) -> Markup:
        """A link that shows where it leads; only text where that is no web address."""
        safe = url.startswith(("https://", "http://"))
        return Markup('<a href="{0}" rel="noopener">{0}</a>').format(url) if safe else escape(url)


class Pages:
    """Renders `templates/*.html`. A value that a template misses is an error, never an empty place. `policies`: the
    headers that hold for whatever a browser may show of ours."""

    def __init__(self, texts: Texts, public_url: str) -> None:
        self._texts = texts
        self._environment = Environment(
            loader=PackageLoader("widget_server"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(public_url=public_url, style=style_path)
        self.policies = {
            "content-security-policy": content_security_policy(public_url),
            "referrer-policy": "same-origin",
            "x-content-type-options": "nosniff",
            "permissions-policy": "camera=(), geolocation=(), microphone=()",
        }

    def render(self, template: str, locale: str, **values: Any) -> str:
        words = Words(self._texts, locale)
        return self._environment.get_template(template).render(t=words, locale=locale, **values)

    def respond(
        self,
        template: str,
        locale: str,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Response:
        """A page with its policies. It is kept by nobody unless `headers` says otherwise."""
        told = {**self.policies, "cache-control": "no-store", "content-language": locale, **(headers or {})}
        return HTMLResponse(self.render(template, locale, **values), status_code=status, headers=told)

    def message(
        self,
        request: Request,
        status: int,
        message: str,
        locale: str | None = None,
        frame: Mapping[str, Any] = MappingProxyType({"place": None}),
    ) -> Response:
        """A page that says one thing: nothing here, not now, our mistake. In the reader's language, and in the `frame`
        of a letter where one is known."""
        locale = locale or locale_of(request)
        key = {404: "page.error.missing", 429: "page.error.busy", 503: "page.error.busy"}.get(
            status, "page.error.internal" if status >= 500 else "page.error.refused"
        )
        heading = self._texts(key, locale)
        return self.respond("message.html", locale, status=status, **frame, heading=heading, message=message)
