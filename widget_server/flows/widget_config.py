"""What the widget is told: one partner's configuration, with every text in every locale of the letter.

One thing must stay true: the widget holds no text and no rule of its own, so whatever it says or asks stands
here.
"""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from typing import Any, Literal

from widget_server.domain.consents import Consents
from widget_server.domain.countries import CODES
from widget_server.domain.form_fields import asked
from widget_server.domain.letters import Letter
from widget_server.domain.signatures import Kind
from widget_server.domain.tokens import Seals, Shown, seal_shown
from widget_server.i18n import Entry, Texts, date

COUNTRIES = " ".join(
    first + "".join(code[1] for code in codes) for first, codes in groupby(sorted(CODES), key=lambda code: code[0])
)
"""Every country code, grouped by first letter ("ADEF" is AD, AE and AF): half the bytes of a plain list."""

Notice = Literal["scheduled", "paused", "closed", "revoked"]
"""Why there is no form."""

_ON_DEMAND = ("role", "city", "postal_code", "comment")


def open_configuration(
    public_url: str, seals: Seals, texts: Texts, letter: Letter, token: str, consents: Consents
) -> dict[str, Any]:
    """For a letter that can be signed: everything that the form needs."""
    boxes = [box.field for box in consents.boxes(letter.default_locale)]
    kinds: tuple[Kind, ...] = ("individual", "organization")
    thanks = "confirmed" if letter.settings.confirmation == "none" else "pending"
    document = _about(public_url, texts, letter, token)
    for locale, said in document["texts"].items():
        said.update(_only_asked(texts.area("widget.form", locale), letter))
        said.update(texts.area(f"widget.{thanks}", locale))
        if letter.settings.organizations != "listed":
            said.update(texts.area("widget.review", locale))
        said.update({box.field: box.text for box in consents.boxes(locale)})
        said["uncovered"] = texts.area("field.country", locale)["uncovered"]
        said["statements"] = dict(letter.wording[locale].statements)
    return document | {
        "shown": seal_shown(seals, Shown(letter.id, letter.version, consents.version)),
        "fields": {kind: " ".join(asked(letter.settings.fields, kind, boxes)) for kind in kinds},
        "statements": [
            {"code": statement.code, "countries": list(statement.countries)} for statement in letter.settings.statements
        ],
        "countries": COUNTRIES,
    }


def notice_configuration(public_url: str, texts: Texts, letter: Letter, token: str, notice: Notice) -> dict[str, Any]:
    """For a letter that cannot be signed here: why, and the way to its page."""
    document = _about(public_url, texts, letter, token) | {"notice": notice}
    for locale, said in document["texts"].items():
        said["notice"] = _notice(texts, letter, notice, locale)
    if notice == "revoked":
        document["link"] = document["url"]
    return document


def _about(public_url: str, texts: Texts, letter: Letter, token: str) -> dict[str, Any]:
    url = f"{public_url}/letters/{letter.slug}"
    said: dict[str, dict[str, Any]] = {
        locale: {"title": letter.wording[locale].title, **texts.area("widget.all", locale)} for locale in letter.locales
    }
    return {
        "api": public_url,
        "token": token,
        "slug": letter.slug,
        "url": url,
        "link": f"{url}?via={token}",
        "locales": list(letter.locales),
        "goal": letter.settings.goal,
        "texts": said,
    }


def _only_asked(said: dict[str, Entry], letter: Letter) -> dict[str, Entry]:
    """Without the labels of fields that this letter hides."""
    hidden = tuple(name for name in _ON_DEMAND if getattr(letter.settings.fields, name) == "hidden")
    return {key: text for key, text in said.items() if not key.endswith(hidden)}


def _notice(texts: Texts, letter: Letter, notice: Notice, locale: str) -> str:
    opens_at: datetime | None = letter.settings.opens_at
    if notice != "scheduled":
        return texts(f"widget.notice.{notice}", locale)
    if opens_at is None:
        return texts("widget.notice.scheduled_sometime", locale)
    return texts("widget.notice.scheduled", locale, date=date(opens_at, locale))
