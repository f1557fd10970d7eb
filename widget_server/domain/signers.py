"""Who has signed already: keyed hashes of what makes a signer, and a mailbox, the same one.

One thing must stay true: the key is the letter's own and stays with it, so that rotating the server's keys makes
nobody sign twice.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import blake2b

from widget_server.domain.organizations import organization_key
from widget_server.domain.signatures import Kind


def signer_hash(key: bytes, kind: Kind, canonical_email: str, organization: str | None) -> str:
    """Keyed BLAKE2 (RFC 7693, 2.9), 43 characters. One address may sign as a person and for each organization."""
    who = f"{kind}\0{canonical_email}"
    if kind == "organization":
        who += f"\0{organization_key(organization or '')}"
    return _hashed(key, who)


def address_hash(key: bytes, canonical_email: str) -> str:
    """The same for a mailbox, whoever it signs for: 43 characters."""
    return _hashed(key, f"address\0{canonical_email}")


def mail_key(key: bytes, purpose: str, whose: str) -> str:
    """For counting mails of one purpose to one mailbox or signer, by their hash: 43 characters."""
    return _hashed(key, f"mail\0{purpose}\0{whose}")


def _hashed(key: bytes, text: str) -> str:
    return urlsafe_b64encode(blake2b(text.encode(), digest_size=32, key=key).digest())[:43].decode("ascii")
