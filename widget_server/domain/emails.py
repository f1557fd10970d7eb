"""E-mail addresses: as typed for writing to, canonical for deciding who has signed already.

One thing must stay true: mail goes to the address as typed; the canonical form is compared, never shown or written to.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

import email_validator

from widget_server.data import read_toml

MAX_LENGTH = 254  # RFC 5321, 4.5.3.1.3, as read by RFC 3696 erratum 1690


@dataclass(frozen=True, slots=True)
class Provider:
    """How a mail provider reads the part before the @: `home` stands for all its domains, `ignores` says which
    characters do not matter."""

    home: str
    ignores: str


@cache
def providers() -> dict[str, Provider]:
    """By domain, from `data/mail_providers.toml`."""
    return {
        domain: Provider(entry["domains"][0], entry["ignores"])
        for entry in read_toml("mail_providers.toml").values()
        for domain in entry["domains"]
    }


class BadEmail(ValueError):
    """`code` is one of: empty, too_long, email."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Email:
    """`address` is for writing to (NFC, domain lower-cased); `canonical` is for comparing."""

    address: str
    canonical: str

    @property
    def domain(self) -> str:
        return self.canonical.rpartition("@")[2]


@lru_cache(maxsize=4096)
def read_domain(domain: str) -> str:
    """A domain's ASCII form (IDNA 2008), checked for shape. Raises `BadEmail`."""
    try:
        found = email_validator.validate_email(f"a@{domain}", check_deliverability=False, test_environment=True)
    except email_validator.EmailNotValidError as error:
        raise BadEmail("email") from error
    return (found.ascii_domain or found.domain).lower()


_ATOM = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~.")


def read(text: str) -> Email:
    """Reads an address. Its domain is not looked up. Raises `BadEmail`."""
    typed = text.strip()
    if not typed:
        raise BadEmail("empty")
    if len(typed) > MAX_LENGTH:
        raise BadEmail("too_long")
    local, at, domain = typed.rpartition("@")
    if not at or not local or not domain or not typed.isprintable() or len(local.encode()) > 64:
        raise BadEmail("email")  # 64 octets: RFC 5321, 4.5.3.1.1
    plain = _ATOM.issuperset(local) and local[0] != "." and local[-1] != "." and ".." not in local
    if plain:  # the common case: an ASCII dot-atom (RFC 5322, 3.2.3); email-validator takes the rest
        ascii_domain = read_domain(domain)
        address = f"{local}@{domain.lower() if domain.isascii() else ascii_domain}"
    else:
        try:
            found = email_validator.validate_email(typed, check_deliverability=False, test_environment=True)
        except email_validator.EmailNotValidError as error:
            raise BadEmail("email") from error
        local, ascii_domain = found.local_part, (found.ascii_domain or found.domain).lower()
        address = found.normalized
    return Email(address, _canonical(local, ascii_domain))


def for_mail(address: str) -> str:
    """An address as mail servers take it: its domain in ASCII (IDNA 2008). Raises `BadEmail`."""
    local, _, domain = read(address).address.rpartition("@")
    return f"{local}@{read_domain(domain)}"


def _canonical(local: str, domain: str) -> str:
    name = local.casefold().partition("+")[0] or local.casefold()
    provider = providers().get(domain)
    if provider is None:
        return f"{name}@{domain}"
    plain = "".join(c for c in name if c not in provider.ignores)
    return f"{plain or name}@{provider.home}"
