"""A destination's configuration: what is sealed at rest, and how its secrets change.

One thing must stay true: a new secret never makes the old one invalid at once; both sign until the overlap
is over.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import isfinite
from typing import Any
from urllib.parse import urlsplit

from widget_server.contract import Integration, Problem

OVERLAP = timedelta(hours=24)
ALL_DETAILS = ("contact_details", "all")
_OLD_SECRETS_KEPT = 10
_SECRET_BYTES = 32
_SHOWN_END = 4


@dataclass(frozen=True, slots=True)
class Secret:
    """A signing secret (`whsec_…`), in force until `until`, or until it is replaced."""

    value: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a destination is made of. `secrets`: newest first; none for kinds that do not sign."""

    url: str
    options: Mapping[str, str]
    secrets: Sequence[Secret] = ()

    @property
    def all_details(self) -> bool:
        """Whether contact details were asked for without opt-in."""
        option, value = ALL_DETAILS
        return self.options.get(option) == value

    def in_force(self, now: datetime) -> list[str]:
        return [secret.value for secret in self.secrets if secret.until is None or secret.until > now]

    def rotated(self, now: datetime, overlap: timedelta = OVERLAP) -> Configuration:
        """With a new secret in front; the ones in force stay so for `overlap`."""
        old = [
            Secret(secret.value, min(secret.until or now + overlap, now + overlap))
            for secret in self.secrets
            if secret.until is None or secret.until > now
        ]
        return replace(self, secrets=(new_secret(), *old[:_OLD_SECRETS_KEPT]))

    def as_json(self) -> dict[str, Any]:
        return {
            "url": self.url,
            "options": dict(self.options),
            "secrets": [[s.value, s.until.isoformat() if s.until else None] for s in self.secrets],
        }


def read_configuration(value: Mapping[str, Any]) -> Configuration:
    """From the form that `as_json` gives."""
    return Configuration(
        value["url"],
        value["options"],
        tuple(Secret(secret, datetime.fromisoformat(until) if until else None) for secret, until in value["secrets"]),
    )


def option_problems(kind: Integration, options: Mapping[str, str]) -> list[Problem]:
    """What is wrong with options whatever they mean: unknown, missing, not among the choices, no number."""
    known = {option.name: option for option in kind.options}
    names = ", ".join(known) or "none"
    found = [
        Problem(name, f"kind {kind.kind} has no such option; its options: {names}")
        for name in options
        if name not in known
    ]
    for option in known.values():
        value = options.get(option.name)
        if not value:
            if option.required:
                found.append(Problem(option.name, f"needed: {option.help}"))
        elif option.choices and value not in option.choices:
            found.append(Problem(option.name, f"one of {', '.join(option.choices)}"))
        elif option.form == "number" and not _is_number(value):
            found.append(Problem(option.name, f"a number: {option.help}"))
    return found


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def new_secret() -> Secret:
    """32 random bytes, as Standard Webhooks writes a symmetric key."""
    return Secret(f"whsec_{base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode('ascii')}")


def masked_url(url: str) -> str:
    """A URL that is itself a secret: its scheme and host, and the last characters to tell it by."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/…{url[-_SHOWN_END:]}"
