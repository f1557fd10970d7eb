"""Partners: who embeds the widget, from which origins, under which identity."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from urllib.parse import urlsplit

HOUSE = "house"

_SOURCE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?|\[[0-9a-fA-F:.]+\]")


@dataclass(frozen=True, slots=True)
class Partner:
    """A partner of one letter. `version` is the token version that its snippet carries today."""

    id: int
    letter_id: int
    slug: str
    name: str
    version: int
    revoked_versions: frozenset[int]
    revoked_at: datetime | None
    origins: tuple[str, ...]
    locale: str | None
    strict_origins: bool
    contact: str | None
    legal_name: str | None
    postal_address: str | None
    privacy_url: str | None
    contact_email: str | None
    phone: str | None
    created_at: datetime

    @property
    def is_house(self) -> bool:
        return self.slug == HOUSE

    @property
    def missing_for_consent(self) -> tuple[str, ...]:
        """What is not said yet of the sender that consent law wants said: name, postal address, privacy page, one more
        way."""
        said = {
            "legal_name": self.legal_name,
            "postal_address": self.postal_address,
            "privacy_url": self.privacy_url,
            "phone or contact_email": self.phone or self.contact_email,
        }
        return tuple(what for what, text in said.items() if not text)

    @property
    def may_ask_consent(self) -> bool:
        """Whether a consent box of its own is offered: the house partner's form is the initiators'."""
        return not (self.is_house or self.missing_for_consent)


@lru_cache(maxsize=1024)
def read_origin(text: str) -> str | None:
    """An origin in its serialized form (RFC 6454, 6.2), or None: scheme, host, port where it is not the usual one."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname
    if (
        parts.scheme not in ("http", "https")
        or not host
        or parts.path not in ("", "/")
        or parts.query
        or parts.fragment
    ):
        return None
    if parts.username is not None or parts.password is not None:
        return None
    try:
        ascii_host = f"[{host}]" if ":" in host else host.encode("idna").decode("ascii") if not host.isascii() else host
    except UnicodeError:
        return None
    labels = [ascii_host] if ascii_host.startswith("[") else ascii_host.split(".")
    if len(ascii_host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return None
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{ascii_host.lower()}" + ("" if port in (None, usual) else f":{port}")


def read_source(text: str | None) -> str | None:
    """A source tag as given, or None where it is malformed: a bad tag is dropped, never an error."""
    return text if text and _SOURCE.fullmatch(text) else None


@lru_cache(maxsize=1024)
def read_page(text: str | None) -> str | None:
    """The embedding page as origin and path, without query and fragment, or None where it is malformed."""
    if not text or len(text) > 2000 or not text.isprintable():
        return None
    try:
        parts = urlsplit(text)
        origin = read_origin(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")
    except ValueError:
        return None
    return f"{origin}{parts.path or '/'}"[:500] if origin else None
