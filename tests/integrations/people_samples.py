"""Options for the kinds about people, enough for a destination without problems; every secret is made up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

PETITION = "d91b4b2e-ae0e-4cd3-9ed7-d0ec501b0bc3"
SPREADSHEET = "1AbCdEfGhIjKlMnOpQrStUvWxYz-0123456789_abcd"
ROBOT = "undersigned@letters-1234.iam.gserviceaccount.com"


@lru_cache(maxsize=1)
def robot_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_file(token_uri: str = "https://oauth2.googleapis.com/token") -> str:
    """The key file of a service account, as Google's console gives it."""
    pem = robot_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "letters-1234",
            "private_key_id": "0123456789abcdef",
            "private_key": pem.decode(),
            "client_email": ROBOT,
            "token_uri": token_uri,
        }
    )


PEOPLE: dict[str, Mapping[str, str]] = {
    "action-network": {"key": "0123456789abcdef0123456789abcdef", "petition": PETITION},
    "civicrm": {"api_key": "made-up-api-key", "group": "letter_signers", "petition": "7"},
    "mailchimp": {"key": "0123456789abcdef0123456789abcdef-us21", "list": "a1b2c3d4e5"},
    "hubspot": {"token": "pat-na1-00000000-0000-0000-0000-000000000000"},
    "nationbuilder": {
        "nation": "maples",
        "client_id": "made-up-client",
        "client_secret": "made-up-client-secret",
        "refresh_token": "made-up-refresh-0",
        "petition": "11",
    },
    "google-sheets": {"credentials": key_file(), "spreadsheet": SPREADSHEET},
}
