"""The form by which a signer corrects what they signed: only what may be corrected, in the words of the sign form.

One thing must stay true: what was typed comes back as it was typed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from widget_server.domain.letters import LetterSettings
from widget_server.domain.sign_form import correctable, must_stay
from widget_server.domain.signatures import Signature
from widget_server.web.letter_form import FIELDS, Caption, Field, caption_of
from widget_server.web.site import Site


@dataclass(frozen=True, slots=True)
class Corrections:
    """All that the macro `corrections` draws. `errors` are in the form's order."""

    fields: tuple[Field, ...]
    errors: tuple[Mapping[str, str], ...]

    @property
    def drawn(self) -> frozenset[str]:
        return frozenset(field.name for field in self.fields)


def corrections(
    site: Site,
    settings: LetterSettings,
    signature: Signature,
    locale: str,
    typed: Mapping[str, str] | None = None,
    errors: Sequence[Mapping[str, str]] = (),
) -> Corrections:
    """The form with what stands, or with what was typed and is wrong."""
    words = site.texts.area("widget.form", locale)
    messages = {error["field"]: error["message"] for error in reversed(errors)}
    kind = signature.kind
    fields = []
    for name in correctable(settings, kind):
        control, autocomplete = FIELDS[name]
        value = getattr(signature, name) or "" if typed is None else typed.get(name, "")
        hint = caption_of(words, kind, f"hint_{name}", {})
        fields.append(
            Field(
                name=name,
                control=control,
                autocomplete=autocomplete,
                only="",
                captions=(Caption("", caption_of(words, kind, name, {}), not must_stay(name, settings, kind)),),
                hints=(Caption("", hint, False),) if hint else (),
                value=value,
                sends="",
                checked=False,
                error=messages.get(name, ""),
            )
        )
    return Corrections(tuple(fields), tuple(errors))
