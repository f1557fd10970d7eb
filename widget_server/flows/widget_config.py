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
from widget_server.domain.typography import typeset
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
    every = _said(texts, letter)
    for locale, said in every.items():
        said.update(_only_asked(texts.area("widget.form", locale), letter))
        said.update(texts.area(f"widget.{thanks}", locale))
        said.update({box.field: box.text for box in consents.boxes(locale)})
        said["statements"] = {code: typeset(text, locale) for code, text in letter.wording[locale].statements.items()}
    return _about(public_url, letter, token, every) | {
        "shown": seal_shown(seals, Shown(letter.id, letter.version, consents.version)),
        "fields": {kind: " ".join(asked(letter.settings.fields, kind, boxes)) for kind in kinds},
        "statements": [
            {"code": statement.code, "countries": list(statement.countries)} for statement in letter.settings.statements
        ],
        "countries": COUNTRIES,
        "review": letter.settings.organizations != "listed",
    }


def notice_configuration(public_url: str, texts: Texts, letter: Letter, token: str, notice: Notice) -> dict[str, Any]:
    """For a letter that cannot be signed here: why, and the way to its page."""
    every = _said(texts, letter)
    came_of_it = notice == "closed" and bool(letter.outcome)
    for locale, said in every.items():
        said["notice"] = _notice(texts, letter, notice, locale)
        if came_of_it:
            said["page"] = texts("page.notice.outcome", locale)
    document = _about(public_url, letter, token, every) | {"notice": notice}
    if notice == "revoked":
        document["link"] = document["url"]
    if came_of_it:
        document["link"] += "#outcome"
    return document


def _said(texts: Texts, letter: Letter) -> dict[str, dict[str, Any]]:
    """What every widget of this letter says, by locale, the default first."""
    return {
        locale: {"title": typeset(letter.wording[locale].title, locale), **texts.area("widget.all", locale)}
        for locale in letter.locales
    }


def _about(public_url: str, letter: Letter, token: str, every: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """`words` names the texts once for all locales: a further language costs 60 bytes less."""
    url = f"{public_url}/letters/{letter.slug}"
    words = list(every[letter.default_locale])
    return {
        "api": public_url,
        "token": token,
        "slug": letter.slug,
        "url": url,
        "link": f"{url}?via={token}",
        "goal": letter.settings.goal,
        "words": " ".join(words),
        "texts": {locale: [said[word] for word in words] for locale, said in every.items()},
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
