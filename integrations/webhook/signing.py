"""Standard Webhooks 1.0: the headers of one request, signed with every secret in force.

One thing must stay true: the bytes that are signed are the bytes that are sent.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

V1 = "v1"
V1A = "v1a"
BOTH = "both"
SCHEMES = (V1, V1A, BOTH)

_PREFIX = "whsec_"
_PUBLIC_PREFIX = "whpk_"
_SEED_BYTES = 32
_PURPOSE = b"undersigned webhook v1a ed25519"


def signed_headers(id_: str, sent_at: datetime, content: bytes, secrets: Sequence[str], scheme: str) -> dict[str, str]:
    """The three headers. `secrets` newest first; `scheme` is one of `SCHEMES`."""
    timestamp = str(int(sent_at.timestamp()))
    signatures = []
    for secret in secrets:
        if scheme != V1A:
            signatures.append(signature(secret, id_, timestamp, content))
        if scheme != V1:
            signatures.append(signature_a(private_key(secret), id_, timestamp, content))
    return {"webhook-id": id_, "webhook-timestamp": timestamp, "webhook-signature": " ".join(signatures)}


def signature(secret: str, id_: str, timestamp: str, content: bytes) -> str:
    """One entry of `webhook-signature`: version 1, HMAC-SHA256 over id, timestamp and the body as sent."""
    return f"v1,{_written(hmac.digest(_key(secret), _signed(id_, timestamp, content), hashlib.sha256))}"


def signature_a(key: Ed25519PrivateKey, id_: str, timestamp: str, content: bytes) -> str:
    """The same by Ed25519, version 1a: who verifies it cannot make it."""
    return f"v1a,{_written(key.sign(_signed(id_, timestamp, content)))}"


@lru_cache(maxsize=256)  # making one costs more than signing with it
def private_key(secret: str) -> Ed25519PrivateKey:
    """The key pair that belongs to a secret. Derived, so that a new secret is a new pair, and an old one signs for as
    long as its secret does."""
    derived = HKDF(algorithm=hashes.SHA256(), length=_SEED_BYTES, salt=None, info=_PURPOSE).derive(_key(secret))
    return Ed25519PrivateKey.from_private_bytes(derived)


def public_key(secret: str) -> str:
    """What a receiver verifies `v1a` with, as the standard writes it: `whpk_` and 32 bytes in Base64."""
    return _PUBLIC_PREFIX + _written(private_key(secret).public_key().public_bytes_raw())


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(_PREFIX))


def _signed(id_: str, timestamp: str, content: bytes) -> bytes:
    return f"{id_}.{timestamp}.".encode() + content


def _written(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
