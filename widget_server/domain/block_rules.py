"""Block rules: domains and addresses that are set aside, with wildcards, and those that are let through all the same.

    spam.example     addresses there            *@spam.example   the same
    *.spam.example   addresses below it         jane*@x.example  some of them
    noreply@*        this name, at any domain

One thing must stay true: looking an address up costs the same few microseconds whether there are ten rules or ten
thousand, and an `allow` rule wins over everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from fnmatch import translate
from functools import cache
from string import ascii_lowercase, digits
from unicodedata import normalize

from widget_server.data import read_lines
from widget_server.domain import emails
from widget_server.domain.organizations import well_known

_LOCAL = re.compile(r"[\w!#$%&'*+/=?^`{|}~.-]{1,64}")
_DOMAIN = re.compile(r"[a-z0-9*?_-]{1,63}(?:\.[a-z0-9*?_-]{1,63})*")
_WILD = re.compile(r"[*?]")
_LETTERS = f"{ascii_lowercase}{digits}-."


@dataclass(frozen=True, slots=True)
class BlockRule:
    """One rule of the operator's own. No letter: for all. `pattern` is as `read_pattern` gives it."""

    id: int
    letter_id: int | None
    pattern: str
    allow: bool
    reason: str | None
    actor: str
    created_at: datetime


class BadPattern(ValueError):
    """No pattern; the message says why."""


def read_pattern(text: str) -> str:
    """A pattern in its one spelling: lower case, the domain in ASCII. Raises `BadPattern`."""
    pattern = normalize("NFC", text.strip()).casefold()
    if not pattern or len(pattern) > emails.MAX_LENGTH:
        raise BadPattern("write a domain or an address, such as spam.example, *.spam.example or jane*@spam.example")
    if not re.search(r"[^*?@.]", pattern):
        raise BadPattern("this would fit every address")
    local, at, domain = pattern.rpartition("@")
    if at and not _LOCAL.fullmatch(local):
        raise BadPattern("what stands before the @ is no part of an address")
    domain = _ascii(domain)
    if not _DOMAIN.fullmatch(domain):
        raise BadPattern(f"{domain or 'nothing'} is no domain")
    if "." not in domain and "*" not in domain:
        raise BadPattern(f"{domain} has no dot in it: write a whole domain, such as spam.example")
    return domain if local in ("", "*") else f"{local}@{domain}"


def _ascii(domain: str) -> str:
    """A domain as addresses are compared by: IDNA 2008, wildcards as they are."""
    if domain.isascii():
        return domain
    below, rest = ("*.", domain[2:]) if domain.startswith("*.") else ("", domain)
    try:
        return below + emails.for_mail(f"a@{rest}").rpartition("@")[2]
    except emails.BadEmail as error:
        raise BadPattern(f"{domain} is no domain, or has a wildcard in a part with letters beyond ASCII") from error


class _Patterns:
    """Patterns sorted by form, so that nearly all of them are looked up and not tried."""

    __slots__ = ("_addresses", "_at", "_domains", "_globs", "_locals", "_parents")

    def __init__(self, patterns: Iterable[str], throwaway: frozenset[str] = frozenset()) -> None:
        """`throwaway`: domains that stand for themselves and all below them."""
        domains, parents, addresses, locals_ = set[str](), set[str](), set[str](), set[str]()
        at: dict[str, list[str]] = {}
        globs: list[str] = []
        for pattern in patterns:
            local, has_local, domain = pattern.rpartition("@")
            if not _WILD.search(pattern):
                (addresses if has_local else domains).add(pattern)
            elif not has_local and domain.startswith("*.") and not _WILD.search(domain[2:]):
                parents.add(domain[2:])
            elif domain == "*" and not _WILD.search(local):
                locals_.add(local)
            elif not _WILD.search(domain):
                at.setdefault(domain, []).append(local)
            else:
                globs.append(pattern if has_local else f"*@{domain}")
        self._domains, self._parents = throwaway | domains, throwaway | parents
        self._addresses, self._locals = addresses, locals_
        self._at = {domain: _any_of(found) for domain, found in at.items()}
        self._globs = _any_of(globs) if globs else None

    def fit(self, local: str, domain: str) -> bool:
        return (
            domain in self._domains
            or local in self._locals
            or f"{local}@{domain}" in self._addresses
            or any(parent in self._parents for parent in _above(domain))
            or (domain in self._at and self._at[domain].match(local) is not None)
            or (self._globs is not None and self._globs.match(f"{local}@{domain}") is not None)
        )


def _any_of(globs: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(translate, sorted(globs))))


def _above(domain: str) -> Iterator[str]:
    """`a.b.example.org` → `b.example.org`, `example.org`, `org`."""
    while domain:
        domain = domain.partition(".")[2]
        yield domain


@cache
def shipped() -> _Patterns:
    """The rules that come with the software. Reading them takes some milliseconds: do it before anybody waits."""
    from disposable_email_domains import blocklist  # 10,000 names: not at every start of a command

    throwaway = frozenset(blocklist).difference(slip for name in well_known() for slip in _slips(name))
    return _Patterns(map(read_pattern, read_lines("blocked_addresses.txt")), throwaway)


def _slips(name: str) -> Iterator[str]:
    """What one slip of the finger makes of a domain: a letter too few, one too many, another one, or two swapped.
    Whoever slips there is a person, and mends it, or never confirms."""
    for at in range(len(name) + 1):
        before, after = name[:at], name[at:]
        yield before + after[1:]
        yield before + after[1:2] + after[:1] + after[2:]
        for letter in _LETTERS:
            yield before + letter + after
            yield before + letter + after[1:]


class Rulebook:
    """The shipped rules and the operator's own, ready to be asked."""

    def __init__(self, rules: Iterable[BlockRule] = ()) -> None:
        sorted_out: dict[tuple[int | None, bool], list[str]] = {}
        for rule in rules:
            sorted_out.setdefault((rule.letter_id, rule.allow), []).append(rule.pattern)
        self._own = {key: _Patterns(patterns) for key, patterns in sorted_out.items()}

    def blocks(self, letter_id: int, email: emails.Email) -> bool:
        """Whether a signature with this address, as typed or in its canonical form, is to be set aside."""
        spellings = _spellings(email)
        blocked = _any_fits(shipped(), spellings) or self._say(letter_id, spellings, allow=False)
        return blocked and not self._say(letter_id, spellings, allow=True)

    def _say(self, letter_id: int, spellings: Iterable[tuple[str, str]], *, allow: bool) -> bool:
        own = (self._own.get((scope, allow)) for scope in (None, letter_id))
        return any(_any_fits(patterns, spellings) for patterns in own if patterns is not None)


def _any_fits(patterns: _Patterns, spellings: Iterable[tuple[str, str]]) -> bool:
    return any(patterns.fit(local, domain) for local, domain in spellings)


def _spellings(email: emails.Email) -> tuple[tuple[str, str], ...]:
    """The address as typed and as compared, each as its two parts."""
    local, _, domain = email.canonical.rpartition("@")
    typed, _, typed_domain = email.address.rpartition("@")
    if not typed_domain.isascii():
        typed_domain = domain
    typed = typed.casefold()
    return ((local, domain),) if (typed, typed_domain) == (local, domain) else ((typed, typed_domain), (local, domain))
