"""Patterns by which staff choose signatures: `*` is any characters, `?` is one. All conditions given hold together.

One thing must stay true: what is kept of a pattern names nobody. An address or a name without a wildcard is one
person's, and a client is known for seven days only.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from widget_server.domain import emails
from widget_server.domain.countries import CODES
from widget_server.domain.names import fold
from widget_server.domain.refusals import Problems
from widget_server.domain.signatures import Signature, Status

Choosable = ("pending", "confirmed")
"""The statuses that can still be rejected."""

_WILDCARD = re.compile(r"([*?])")
_CLIENT = re.compile(r"[A-Za-z0-9_-]{8,22}")


@dataclass(frozen=True, slots=True)
class Given:
    """A pattern as staff typed it. `clients`: keyed hashes, whole or at least their first eight characters."""

    name: str | None = None
    email: str | None = None
    domain: str | None = None
    partner: str | None = None
    country: str | None = None
    clients: Sequence[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    status: Status | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing narrows it; the status alone is no pattern."""
        wanted = (self.name, self.email, self.domain, self.partner, self.country, self.clients, self.since, self.until)
        return all(one is None for one in wanted)

    def problems(self) -> list[str]:
        """Everything that cannot be read, one sentence each."""
        found = []
        if self.name is not None and not any(map(str.isalnum, fold_pattern(self.name))):
            found.append("--name: write some letters or digits; blanks and punctuation are not compared")
        if self.email is not None and not has_wildcard(self.email) and _canonical(self.email) is None:
            found.append("--email: write an address, or a pattern such as *@spam.example")
        if self.domain is not None and not _is_domain(self.domain):
            found.append("--domain: write a domain, such as spam.example or *.spam.example")
        if self.country is not None and self.country not in CODES:
            found.append("--country: write an ISO code, such as CA")
        if any(not _CLIENT.fullmatch(client) for client in self.clients or ()):
            found.append('--client: write an IP address, or eight or more characters as "signatures find" shows them')
        if self.since is not None and self.until is not None and self.since >= self.until:
            found.append("--since: this is not before --until")
        if self.status is not None and self.status not in Choosable:
            found.append("--status: only pending and confirmed signatures can be rejected")
        return found

    def kept(self) -> dict[str, Any]:
        """As the record of a rejection has it."""
        values: dict[str, Any] = {
            "name": None if self.name is None else self.name if has_wildcard(self.name) else "(one name)",
            "email": None if self.email is None else self.email if has_wildcard(self.email) else "(one address)",
            "domain": self.domain,
            "partner": self.partner,
            "country": self.country,
            "client": None if self.clients is None else "(one client)",
            "since": None if self.since is None else self.since.isoformat(),
            "until": None if self.until is None else self.until.isoformat(),
            "status": self.status,
        }
        return {key: value for key, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Pattern:
    """What was given, for one letter, ready to be compared. `partner_id`, `folded_name` and `address_hash` (of a whole
    address) are there where they were given."""

    given: Given
    statuses: Sequence[str]
    partner_id: int | None
    folded_name: str | None
    address_hash: str | None
    _tests: tuple[Callable[[Signature], bool], ...]

    def fits(self, signature: Signature) -> bool:
        return all(test(signature) for test in self._tests)


def read_pattern(given: Given, *, partner_id: int | None, hash_address: Callable[[str], str]) -> Pattern:
    """`hash_address`: from a canonical address. Raises `Problems` with everything that cannot be read."""
    if problems := given.problems():
        raise Problems(problems)
    whole = None if given.email is None or has_wildcard(given.email) else _canonical(given.email)
    address_hash = None if whole is None else hash_address(whole)
    statuses = Choosable if given.status is None else (given.status,)
    tests: list[Callable[[Signature], bool]] = [
        lambda one: not one.test and one.status in statuses,
        lambda one: given.since is None or one.created_at >= given.since,
        lambda one: given.until is None or one.created_at < given.until,
        lambda one: given.country is None or one.country == given.country,
        lambda one: partner_id is None or one.partner_id == partner_id,
        lambda one: given.clients is None or (one.client or "").startswith(tuple(given.clients)),
    ]
    folded = None if given.name is None else fold_pattern(given.name)
    if folded is not None:
        name = _compiled(folded)
        tests.append(lambda one: name.fullmatch(fold(one.display_name)) is not None)
    if whole is not None:
        tests.append(lambda one: one.address_hash == address_hash)
    elif given.email is not None:
        email = _compiled(given.email.strip().casefold())
        tests.append(lambda one: any(email.fullmatch(form) for form in _forms(one.email)))
    if given.domain is not None:
        domain = _compiled(_ascii(given.domain))
        tests.append(lambda one: any(domain.fullmatch(form.rpartition("@")[2]) for form in _forms(one.email)))
    return Pattern(given, statuses, partner_id, folded, address_hash, tuple(tests))


def has_wildcard(text: str) -> bool:
    return _WILDCARD.search(text) is not None


def _is_domain(text: str) -> bool:
    return "@" not in text and ("." in text or has_wildcard(text))


def fold_pattern(text: str) -> str:
    """Folded as names are, with its wildcards: "*Café & co?" → "*cafe co?"."""
    parts = _WILDCARD.split(text)
    folded = []
    for place, part in enumerate(parts):
        if place % 2:
            folded.append(part)
            continue
        # `fold` drops blanks and punctuation at the ends; next to a wildcard they part two words.
        before = " " if place and part and not part[0].isalnum() else ""
        after = " " if place < len(parts) - 1 and part and not part[-1].isalnum() else ""
        word = fold(part)
        folded.append(f"{before}{word}{after}" if word else before and after and " ")
    return "".join(folded).strip()


def _compiled(text: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(text.replace("[", "[[]")))


def _canonical(text: str) -> str | None:
    try:
        return emails.read(text).canonical
    except emails.BadEmail:
        return None


def _forms(email: str | None) -> tuple[str, ...]:
    """An address as it was typed, and as it is compared."""
    if email is None:
        return ()
    canonical = _canonical(email)
    return (email.casefold(),) if canonical is None else (email.casefold(), canonical)


def _ascii(domain: str) -> str:
    """Every label as mail servers write it, wildcards left alone."""
    labels = []
    for label in domain.strip().casefold().split("."):
        try:
            labels.append(emails.read_domain(f"{label}.example").removesuffix(".example"))
        except emails.BadEmail:
            labels.append(label)
    return ".".join(labels)
