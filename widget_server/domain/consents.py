"""Consent to e-mail: which boxes a form offers, what they say, and the version that a signature points to.

One thing must stay true: a box exists only where its sender can be named as the law wants it (name, postal
address, a way to reach them, a published privacy page), and it comes unticked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal

from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner

Purpose = Literal["initiators", "partner"]
"""Who would write: the letter's initiators (`contact_opt_in`) or the embedding partner (`partner_opt_in`)."""

FIELDS: Mapping[Purpose, str] = {"initiators": "contact_opt_in", "partner": "partner_opt_in"}
"""The form field that each purpose's box sends."""

Way = Literal["form", "page", "withdrawal", "unsubscribe", "erasure"]
"""How a consent was given or ended: in the form that was signed, on the signer's own page, by withdrawing, by the
mail program's own button, by erasing."""


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """One consent that was given or ended, kept as proof. `partner_id` is the partner who was credited, and whom the
    purpose `partner` is about; `version` and `locale` say which wording, `shown` whether we know that it was shown."""

    signature_id: str
    letter_id: int
    purpose: Purpose
    partner_id: int
    given: bool
    way: Way
    version: str | None
    shown: bool
    locale: str
    page: str | None
    token_version: int | None
    at: datetime


Texts = Callable[..., str]
Wordings = Mapping[str, Mapping[str, str]]
"""What the boxes say: locale → purpose → text. A purpose that is not offered is absent."""


@dataclass(frozen=True, slots=True)
class ConsentBox:
    """One box of a form: who would write, and the words beside it."""

    purpose: Purpose
    text: str

    @property
    def field(self) -> str:
        return FIELDS[self.purpose]


@dataclass(frozen=True, slots=True)
class Consents:
    """The boxes of one letter and partner as they stand now, and the version under which their wording is
    kept."""

    version: str
    by_locale: Wordings

    def boxes(self, locale: str) -> list[ConsentBox]:
        """The boxes in one language, the initiators' first."""
        said = self.by_locale[locale]
        return [ConsentBox(purpose, said[purpose]) for purpose in FIELDS if purpose in said]


@dataclass(frozen=True, slots=True)
class Sender:
    """Who would write, named as the law wants it. `reach` is an address, a telephone number, or both."""

    purpose: Purpose
    name: str
    address: str
    reach: str


def senders(letter: Letter, partner: Partner) -> list[Sender]:
    """Those whose identity is complete, the initiators first.

    The house partner is none of them: the hosted page is the initiators' own.
    """
    found: list[Sender] = []
    identity = letter.settings.identity
    if identity.legal_name and identity.postal_address and identity.privacy_url:
        reach = _reach(letter.settings.contact_email, identity.phone)
        found.append(Sender("initiators", identity.legal_name, identity.postal_address, reach))
    if partner.may_ask_consent:
        reach = _reach(partner.contact_email, partner.phone)
        found.append(Sender("partner", partner.legal_name or "", partner.postal_address or "", reach))
    return found


def _reach(email: str | None, phone: str | None) -> str:
    return ", ".join(way for way in (email, phone) if way)


def boxes(letter: Letter, partner: Partner, locale: str, texts: Texts) -> list[ConsentBox]:
    """The boxes that the form offers in `locale`."""
    return [
        ConsentBox(
            sender.purpose,
            texts("consent.box", locale, name=sender.name, address=sender.address, reach=sender.reach),
        )
        for sender in senders(letter, partner)
    ]


def wordings(letter: Letter, partner: Partner, texts: Texts) -> dict[str, dict[str, str]]:
    """What the boxes say in every locale of the letter."""
    return {
        locale: {box.purpose: box.text for box in boxes(letter, partner, locale, texts)} for locale in letter.locales
    }


def consent_version(partner_id: int, said: Wordings) -> str:
    """Names exactly these words of exactly this partner: 16 hexadecimal digits."""
    canonical = json.dumps([partner_id, said], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode()).hexdigest()[:16]
