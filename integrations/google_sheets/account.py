"""A Google service account: its key file, and the access token that a signed statement buys.

One thing must stay true: the private key signs and goes nowhere.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from integrations.people import an_object, facts_of
from widget_server.contract import Kept, NotAuthorized, Tools, judge_api

SCOPE = "https://www.googleapis.com/auth/spreadsheets"
_NEEDED = ("client_email", "private_key", "token_uri")
_LASTS = timedelta(hours=1)
_EARLY = timedelta(minutes=5)


class BadKeyFile(ValueError):
    """What is given is not the key file of a service account. Its text says why."""


@dataclass(frozen=True, slots=True)
class Account:
    email: str
    key_id: str
    key: RSAPrivateKey
    token_uri: str

    @classmethod
    def read(cls, text: str) -> Account:
        """Raises `BadKeyFile`."""
        try:
            found = json.loads(text)
        except ValueError:
            raise BadKeyFile("the JSON key file of a service account, whole: give it as @FILE") from None
        if not isinstance(found, dict) or found.get("type") != "service_account":
            raise BadKeyFile('a key file of a service account has "type": "service_account" in it')
        missing = [name for name in _NEEDED if not isinstance(found.get(name), str)]
        if missing:
            raise BadKeyFile(f"the key file has no {', '.join(missing)}")
        try:
            key = serialization.load_pem_private_key(found["private_key"].encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise BadKeyFile("its private_key cannot be read") from None
        if not isinstance(key, RSAPrivateKey):
            raise BadKeyFile("its private_key is not an RSA key")
        return cls(found["client_email"], str(found.get("private_key_id", "")), key, found["token_uri"])

    def statement(self, now: datetime) -> str:
        """The signed JWT (developers.google.com/identity/protocols/oauth2/service-account)."""
        issued = int(now.timestamp())
        claims = {
            "iss": self.email,
            "scope": SCOPE,
            "aud": self.token_uri,
            "iat": issued,
            "exp": issued + int(_LASTS.total_seconds()),
        }
        signed = f"{_part({'alg': 'RS256', 'typ': 'JWT', 'kid': self.key_id})}.{_part(claims)}"
        return f"{signed}.{_url_safe(self.key.sign(signed.encode(), PKCS1v15(), hashes.SHA256()))}"

    async def token(self, kept: Kept, tools: Tools, *, refused: bool = False) -> Kept:
        """What is to be kept, with an access token that is good: as it is, unless it is old, another account's or has
        just been refused."""
        ours = not refused and kept.get("account") == self.email
        if ours and tools.now() + _EARLY < datetime.fromisoformat(kept["until"]):
            return kept

        async def bought(_: Kept) -> Kept:
            return await self._bought(tools)

        return await tools.renew(kept, bought)

    async def _bought(self, tools: Tools) -> Kept:
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": self.statement(tools.now()),
        }
        response = await tools.client.post(
            self.token_uri,
            content=urlencode(form).encode(),
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
        if response.status_code in (400, 401, 403):
            raise NotAuthorized("key_refused", "Google refuses this account's key", **facts_of(response))
        answer = an_object(judge_api(response, now=tools.now()), "access_token")
        until = tools.now() + timedelta(seconds=float(answer.get("expires_in") or _LASTS.total_seconds()))
        return {"account": self.email, "access_token": str(answer["access_token"]), "until": until.isoformat()}


def _part(value: Mapping[str, Any]) -> str:
    return _url_safe(json.dumps(value, separators=(",", ":")).encode())


def _url_safe(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
