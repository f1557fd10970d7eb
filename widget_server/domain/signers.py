"""Who has signed already: a keyed hash of what makes a signer the same one.

One thing must stay true: the key is the letter's own and stays with it, so that rotating the server's keys makes
nobody sign twice.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import blake2b

from widget_server.domain.names import fold
from widget_server.domain.signatures import Kind


def signer_hash(key: bytes, kind: Kind, canonical_email: str, organization: str | None) -> str:
    """Keyed BLAKE2 (RFC 7693, 2.9), 43 characters. One address may sign as a person and for each organization."""
    who = f"{kind}\0{canonical_email}" + (f"\0{fold(organization or '')}" if kind == "organization" else "")
    return urlsafe_b64encode(blake2b(who.encode(), digest_size=32, key=key).digest())[:43].decode("ascii")
