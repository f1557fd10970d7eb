"""In which language to answer: as the address asks, else as the browser does, else the letter's first."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request

from widget_server.domain.letters import Letter
from widget_server.i18n import LOCALES

_LONGEST_HEADER = 500


def accepted(header: str) -> list[str]:
    """The language tags of an `Accept-Language` header (RFC 9110, 12.5.4), best first."""
    weighed: list[tuple[float, str]] = []
    for part in header[:_LONGEST_HEADER].split(","):
        tag, _, parameter = part.partition(";")
        try:
            weight = float(parameter.strip().removeprefix("q=")) if parameter.strip() else 1.0
        except ValueError:
            continue
        if tag.strip() and weight > 0:
            weighed.append((-weight, tag.strip()))
    return [tag for _, tag in sorted(weighed, key=lambda pair: pair[0])]


def _asked(request: Request) -> list[str]:
    prefix = request.url.path.split("/", 2)[1]
    return [
        *request.query_params.getlist("locale"),
        *([prefix] if prefix in LOCALES else []),
        *accepted(request.headers.get("accept-language", "")),
    ]


def _first(known: Sequence[str], wanted: Sequence[str]) -> str:
    for tag in wanted:
        for candidate in (tag.lower(), tag.lower().partition("-")[0]):
            if candidate in known:
                return candidate
    return known[0]


def locale_of(request: Request, letter: Letter | None = None) -> str:
    """`?locale=`, else the prefix of the path (`/fr/…`), else `Accept-Language`, else the first there is.

    Of the letter's locales; without a letter, of those that we have texts in.
    """
    return _first(LOCALES if letter is None else letter.locales, _asked(request))
