"""The form for whoever has no script: the same fields as the widget's, drawn on the server.

One thing must stay true: what was typed comes back as it was typed, and no box comes ticked that was not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from widget_server.domain.ids import new_id, read_id
from widget_server.domain.letters import Letter, Statement
from widget_server.domain.partners import Partner, read_source
from widget_server.domain.sign_form import HONEYPOT
from widget_server.domain.tokens import Attribution, Shown, seal_attribution, seal_shown
from widget_server.i18n import Entry, countries
from widget_server.web.site import Site

Control = Literal["text", "email", "url", "select", "textarea", "checkbox"]
KINDS = ("individual", "organization")

FIELDS: Mapping[str, tuple[Control, str]] = {
    "country": ("select", "country"),
    "name": ("text", "name"),
    "organization": ("text", "organization"),
    "role": ("text", "organization-title"),
    "organization_website": ("url", "url"),
    "email": ("email", "email"),
    "city": ("text", "address-level2"),
    "postal_code": ("text", "postal-code"),
    "comment": ("textarea", "off"),
    "authorized": ("checkbox", ""),
    "public": ("checkbox", ""),
    "contact_opt_in": ("checkbox", ""),
    "partner_opt_in": ("checkbox", ""),
}
"""Each field's native control and autocomplete token (WCAG 1.3.5), as the form asks: what is signed first."""

_NEEDED = {
    "individual": frozenset({"name", "email", "country"}),
    "organization": frozenset({"organization", "email", "country", "authorized"}),
}
_ONLY = {"organization_website": "organization", "authorized": "organization", "public": "individual"}


@dataclass(frozen=True, slots=True)
class Caption:
    """The words beside a control. `kind` says when they are shown: for one kind, or empty for both."""

    kind: str
    text: str
    optional: bool


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    control: Control
    autocomplete: str
    only: str
    captions: tuple[Caption, ...]
    hints: tuple[Caption, ...]
    value: str
    sends: str
    checked: bool
    error: str

    @property
    def described_by(self) -> str:
        ids = [
            *([f"{self.name}-hint"] if self.hints else []),
            *([f"{self.name}-error"] if self.error else []),
        ]
        return " ".join(ids)


@dataclass(frozen=True, slots=True)
class Form:
    """All that the template `form.html` draws. `errors` are in the form's order."""

    hidden: Mapping[str, str]
    kind: str
    fields: tuple[Field, ...]
    statements: tuple[Statement, ...]
    covered: tuple[str, ...]
    others: tuple[str, ...]
    errors: tuple[Mapping[str, str], ...]
    honeypot: str = HONEYPOT

    @property
    def fields_drawn(self) -> frozenset[str]:
        return frozenset(field.name for field in self.fields) | {"kind"}

    def error(self, field: str) -> str:
        return next((error["message"] for error in self.errors if error["field"] == field), "")


def partner_token(site: Site, letter: Letter, partner: Partner) -> str:
    """The attribution token that a partner's snippet carries today."""
    return seal_attribution(site.seals, Attribution(letter.slug, partner.slug, partner.version))


async def draw(
    site: Site,
    letter: Letter,
    partner: Partner,
    token: str,
    locale: str,
    values: Mapping[str, str] | None = None,
    errors: Sequence[Mapping[str, str]] = (),
) -> Form:
    """The form, empty or as it was sent. Raises `Unavailable` when its consent wording cannot be kept."""
    typed = values or {}
    consents = await site.consents.current(letter, partner)
    boxes = {box.field: box.text for box in consents.boxes(locale)}
    words = site.texts.area("widget.form", locale)
    messages = {error["field"]: error["message"] for error in reversed(errors)}
    fields = [
        _field(name, letter, words, boxes, typed, messages.get(name, ""))
        for name in FIELDS
        if _asked(name, letter, boxes)
    ]
    named, rest = _countries(letter, locale)
    shown = Shown(letter.id, letter.version, consents.version)
    hidden = {
        "token": token,
        # Kept after an error: nothing was stored under it, and a second click still sends the same signature.
        "id": read_id(typed.get("id", "")) or new_id(),
        "shown": seal_shown(site.seals, shown),
        "locale": locale,
        "page": f"{site.public_url}/letters/{letter.slug}",
        "source": read_source(typed.get("source")) or "",
    }
    if typed.get("replaces"):  # the address that is being mended may be wrong once more
        hidden["replaces"] = typed["replaces"]
    kind = typed.get("kind", "")
    return Form(
        hidden=hidden,
        kind=kind if kind in KINDS else "individual",
        fields=tuple(fields),
        statements=letter.settings.statements,
        covered=named,
        others=rest,
        errors=tuple(sorted(errors, key=lambda error: _place(error["field"]))),
    )


def _place(field: str) -> int:
    """Where an error stands in the summary: as the form reads, from top to bottom."""
    order = ["kind", *FIELDS]
    return order.index(field) if field in order else len(order)


def _asked(name: str, letter: Letter, boxes: Mapping[str, str]) -> bool:
    if name.endswith("_opt_in"):
        return name in boxes
    return getattr(letter.settings.fields, name, "optional") != "hidden"


def _field(
    name: str,
    letter: Letter,
    words: Mapping[str, Entry],
    boxes: Mapping[str, str],
    typed: Mapping[str, str],
    error: str,
) -> Field:
    control, autocomplete = FIELDS[name]
    sends = "false" if name == "public" else "true"
    needed = {kind: _is_needed(name, kind, letter) for kind in KINDS}
    kinds = [_ONLY[name]] if name in _ONLY else list(KINDS)
    captions = [
        Caption(kind, caption_of(words, kind, name, boxes), control != "checkbox" and not needed[kind])
        for kind in kinds
    ]
    hints = [Caption(kind, caption_of(words, kind, f"hint_{name}", {}), False) for kind in kinds]
    return Field(
        name=name,
        control=control,
        autocomplete=autocomplete,
        only=_ONLY.get(name, ""),
        captions=_merged(captions),
        hints=tuple(hint for hint in _merged(hints) if hint.text),
        value=typed.get(name, ""),
        sends=sends,
        checked=control == "checkbox" and typed.get(name) == sends,
        error=error,
    )


def _is_needed(name: str, kind: str, letter: Letter) -> bool:
    if name == "role" and kind == "organization":
        return False
    return name in _NEEDED[kind] or getattr(letter.settings.fields, name, "") == "required"


def caption_of(words: Mapping[str, Entry], kind: str, name: str, boxes: Mapping[str, str]) -> str:
    found = boxes.get(name) or words.get(f"{kind}_{name}") or words.get(name) or ""
    return found if isinstance(found, str) else found["other"]


def _merged(captions: Sequence[Caption]) -> tuple[Caption, ...]:
    """One caption for both kinds where they say the same."""
    first = captions[0]
    if all((other.text, other.optional) == (first.text, first.optional) for other in captions):
        return (Caption("", first.text, first.optional),)
    return tuple(captions)


def _countries(letter: Letter, locale: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The countries that statements name, in the letter's order; and the rest, where one covers it."""
    mentioned = [code for statement in letter.settings.statements for code in statement.countries]
    named = tuple(code for code in dict.fromkeys(mentioned) if code != "*")
    return named, tuple(code for code in countries(locale) if code not in named) if "*" in mentioned else ()
