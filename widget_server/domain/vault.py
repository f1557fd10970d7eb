"""Secrets at rest: URLs, options and signing secrets of destinations, sealed with the settings' secret keys.

One thing must stay true: the newest key seals and every key opens, so that a key can be rotated without
losing anything.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class Unsealable(ValueError):
    """Sealed with a key that is no longer among the settings' keys, or damaged."""


class Vault:
    """Seals anything that JSON can say. `keys` are the settings' secret keys, newest first."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("at least one secret key is needed")
        self._fernet = MultiFernet([Fernet(_derived(key)) for key in keys])

    def seal(self, value: Any) -> str:
        return self._fernet.encrypt(json.dumps(value, ensure_ascii=False).encode()).decode("ascii")

    def open(self, sealed: str) -> Any:
        """What was sealed. Raises `Unsealable`."""
        try:
            return json.loads(self._fernet.decrypt(sealed))
        except InvalidToken as error:
            raise Unsealable("sealed with a key that is not among UNDERSIGNED_SECRET_KEYS") from error


def _derived(key: str) -> bytes:
    # A key of its own for this purpose: what one seals must not open as another's (attribution tokens use the
    # same).
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"undersigned.vault")
    return base64.urlsafe_b64encode(hkdf.derive(key.encode()))
