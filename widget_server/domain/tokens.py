"""What we seal: attribution tokens, previews, what a signer was shown. Each under a salt of its own.

One thing must stay true: a token made for one purpose opens nothing else, and the first key seals while all verify.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from itsdangerous import BadData, URLSafeSerializer

Purpose = Literal[
    "attribution", "preview", "shown", "replaces", "cursor", "install", "confirm", "signer", "unsubscribe"
]

_SIGNATURE_LENGTH = 43  # unpadded base64 of an HMAC-SHA-256
_SHAPE = re.compile(r"\.?[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class BadToken(ValueError):
    """`code`: `malformed` (cut short, or no token at all) or `forged` (not sealed by us)."""

    def __init__(self, code: Literal["malformed", "forged"]) -> None:
        super().__init__(code)
        self.code = code


class Seals:
    """Seals and opens. `keys` are the settings' secret keys, newest first."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("at least one secret key is needed")
        self._oldest_first = list(reversed(keys))  # itsdangerous signs with the last
        self._serializers: dict[str, URLSafeSerializer] = {}

    def _serializer(self, purpose: Purpose) -> URLSafeSerializer:
        found = self._serializers.get(purpose)
        if found is None:
            found = self._serializers[purpose] = URLSafeSerializer(
                self._oldest_first,
                salt=f"undersigned.{purpose}",
                signer_kwargs={"key_derivation": "hmac", "digest_method": sha256},
            )
        return found

    def seal(self, purpose: Purpose, value: Any) -> str:
        """A URL-safe string that says `value` (anything JSON can say)."""
        sealed = self._serializer(purpose).dumps(value)
        return sealed if isinstance(sealed, str) else sealed.decode("ascii")

    def open(self, purpose: Purpose, token: str) -> Any:
        """What `token` says. Raises `BadToken`; the comparison takes constant time."""
        if not _SHAPE.fullmatch(token) or len(token.rpartition(".")[2]) != _SIGNATURE_LENGTH:
            raise BadToken("malformed")
        try:
            return self._serializer(purpose).loads(token)
        except (BadData, ValueError) as error:
            raise BadToken("forged") from error


@dataclass(frozen=True, slots=True)
class Attribution:
    """What an attribution token says: this letter, this partner, this version of its token."""

    letter: str
    partner: str
    version: int


def seal_attribution(seals: Seals, attribution: Attribution) -> str:
    return seals.seal("attribution", [attribution.letter, attribution.partner, attribution.version])


def open_attribution(seals: Seals, token: str) -> Attribution:
    """Raises `BadToken`."""
    match seals.open("attribution", token):
        case [str(letter), str(partner), int(version)]:
            return Attribution(letter, partner, version)
        case _:
            raise BadToken("forged")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a signer had before their eyes: a letter's text version and the version of the consent wordings."""

    letter_id: int
    text_version: int
    consent_version: str


def seal_shown(seals: Seals, shown: Shown) -> str:
    return seals.seal("shown", [shown.letter_id, shown.text_version, shown.consent_version])


def open_shown(seals: Seals, token: str | None, letter_id: int) -> Shown | None:
    """What `token` says of this letter, or None: absent, forged and another letter's all count as not shown."""
    try:
        says = seals.open("shown", token or "")
    except BadToken:
        return None
    match says:
        case [int(letter), int(version), str(consent)] if letter == letter_id:
            return Shown(letter, version, consent)
        case _:
            return None
