"""The letter: its settings as written in `letter.toml`, its wording, and the status that time gives it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

State = Literal["draft", "open", "paused", "closed"]
"""What a coordinator last said."""
Status = Literal["draft", "scheduled", "open", "paused", "closed"]
"""What the public meets, once opening and closing times have had their say."""
FieldUse = Literal["hidden", "optional", "required"]

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$")]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=400)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]
ByLocale = dict[str, Line]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Statement(_Strict):
    """What signers from `countries` declare (ISO 3166-1 alpha-2, or `*` for the rest)."""

    code: Slug
    countries: tuple[str, ...] = Field(min_length=1)
    text: dict[str, Text]
    list_title: ByLocale


class Resource(_Strict):
    title: ByLocale
    url: str | None = None


class Fields(_Strict):
    postal_code: FieldUse = "hidden"
    city: FieldUse = "hidden"
    comment: FieldUse = "hidden"
    role: FieldUse = "optional"


class Identity(_Strict):
    """Who the initiators are, as consent law wants a sender to be named."""

    legal_name: Line | None = None
    postal_address: Line | None = None
    privacy_url: str | None = None
    privacy_officer: Line | None = None
    phone: Line | None = None


class LetterSettings(_Strict):
    """`letter.toml`, key for key (contract, section 4)."""

    slug: Slug
    locales: tuple[str, ...] = Field(min_length=1)
    title: ByLocale
    contact_email: str
    statements: tuple[Statement, ...] = Field(min_length=1)
    confirmation: Literal["email", "none"] = "email"
    organizations: Literal["review", "domain", "listed"] = "review"
    order: Literal["arrival", "alphabetical"] = "arrival"
    lists: Literal["mixed", "apart"] = "mixed"
    initiators: tuple[Line, ...] = ()
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    goal: int | None = Field(default=None, ge=1)
    contact_days: int = Field(default=180, ge=1, le=3650)
    notify: tuple[str, ...] = ()
    fields: Fields = Fields()
    identity: Identity = Identity()
    index: bool = True
    resources: tuple[Resource, ...] = ()

    def statement_for(self, country: str) -> Statement | None:
        """The statement that signers from `country` make, or None where none covers it."""
        rest = None
        for statement in self.statements:
            if country in statement.countries:
                return statement
            if "*" in statement.countries:
                rest = statement
        return rest

    @property
    def codes(self) -> tuple[str, ...]:
        """The statements' codes, in the letter's order."""
        return tuple(statement.code for statement in self.statements)

    def statement(self, code: str) -> Statement | None:
        return next((s for s in self.statements if s.code == code), None)


@dataclass(frozen=True, slots=True)
class Wording:
    """What a signer reads, in one language: Markdown, but for the statements, which are plain text."""

    title: str
    intro: str
    body: str
    statements: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Counts:
    """Confirmed signatures; tests, quarantined ones and repeats are none."""

    individuals: int = 0
    organizations: int = 0
    by_statement: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return self.individuals + self.organizations

    def public(self, codes: Sequence[str] = ()) -> dict[str, Any]:
        """The shape of the public contract; `codes` are the letter's statements, named even when at 0."""
        return {
            "total": self.total,
            "individuals": self.individuals,
            "organizations": self.organizations,
            "by_statement": {**dict.fromkeys(codes, 0), **self.by_statement},
        }


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter as stored. `version` numbers its current wording, `wording` has it by locale.

    `revision` rises with every change that a reader could see. `signer_key` keys the hash by which a repeat is known.
    `outcome` is Markdown by locale, shown once closed. `closed_at`: when a coordinator closed it.
    """

    id: int
    slug: str
    state: State
    settings: LetterSettings
    version: int
    wording: Mapping[str, Wording]
    outcome: Mapping[str, str]
    signer_key: bytes
    revision: int
    created_at: datetime
    closed_at: datetime | None = None

    @property
    def locales(self) -> Sequence[str]:
        return self.settings.locales

    @property
    def default_locale(self) -> str:
        return self.settings.locales[0]

    def locale(self, *wanted: str | None) -> str:
        """The first of `wanted` that the letter has (`fr-CA` finds `fr`), else its default."""
        for tag in wanted:
            for candidate in (tag, (tag or "").partition("-")[0].partition("_")[0]):
                if candidate and candidate.lower() in self.settings.locales:
                    return candidate.lower()
        return self.default_locale

    def status(self, now: datetime) -> Status:
        if self.state != "open":
            return self.state
        if self.settings.closes_at is not None and now >= self.settings.closes_at:
            return "closed"
        if self.settings.opens_at is not None and now < self.settings.opens_at:
            return "scheduled"
        return "open"

    def closed_since(self, now: datetime) -> datetime | None:
        """When it closed, by command or by its closing time; None while it is not closed."""
        if self.status(now) != "closed":
            return None
        times = [self.closed_at if self.state == "closed" else None, self.settings.closes_at]
        return min((at for at in times if at is not None and at <= now), default=self.created_at)
