"""Proof of work: a short sum that a browser does instead of waiting, in ALTCHA's protocol (version 2).

One thing must stay true: nothing about a solution is believed but what we sealed, and it holds for one letter, for
twenty minutes. That it buys one signature only is for the store to see to.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from altcha import Payload, create_challenge, verify_solution
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from widget_server.domain.letters import Letter
from widget_server.store.new_signatures import ProofOfWork

ALGORITHM = "SHA-256"
COST = 1
FEWEST, MOST = 20_000, 50_000
"""How many hashes a solution takes: at most a second or two on an old phone."""
HOLDS = timedelta(minutes=20)
_LONGEST = 2_048


class Work:
    """Sets sums and checks them. `keys` are the settings' secret keys, newest first; `now` gives aware UTC times."""

    def __init__(self, keys: Sequence[str], now: Callable[[], datetime]) -> None:
        if not keys:
            raise ValueError("at least one secret key is needed")
        self._secrets = [_derived(key) for key in keys]
        self._now = now

    def challenge(self, letter: Letter) -> dict[str, Any]:
        """A sum for whoever signs `letter`, as it goes over the wire: `{"parameters", "signature"}`."""
        secret, key_secret = self._secrets[0]
        challenge = create_challenge(
            ALGORITHM,
            COST,
            counter=FEWEST + secrets.randbelow(MOST - FEWEST + 1),
            expires_at=self._now() + HOLDS,
            data={"t": letter.slug},
            hmac_secret=secret,
            hmac_key_secret=key_secret,
        )
        return dict(challenge.to_dict())

    def verified(self, solution: Any, letter: Letter) -> ProofOfWork | None:
        """The work that `solution` proves for `letter`; None for anything that is not one of ours, whole and in
        time."""
        payload = _read(solution)
        if payload is None:
            return None
        parameters = payload.challenge.parameters
        for secret, key_secret in self._secrets:
            if verify_solution(payload, secret, hmac_key_secret=key_secret).verified:
                break
        else:
            return None
        expires_at = datetime.fromtimestamp(parameters.expires_at or 0, UTC)
        ours = (parameters.algorithm, parameters.cost, parameters.data) == (ALGORITHM, COST, {"t": letter.slug})
        if not ours or self._now() >= expires_at:
            return None
        return ProofOfWork(parameters.nonce, expires_at)


def _read(solution: Any) -> Payload | None:
    if not isinstance(solution, str) or not 0 < len(solution) <= _LONGEST:
        return None
    try:
        return Payload.from_base64(solution)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _derived(key: str) -> tuple[bytes, bytes]:
    """Two secrets for this purpose alone, for the challenge and for its solution."""
    hkdf = HKDF(algorithm=SHA256(), length=64, salt=None, info=b"undersigned.work")
    both = hkdf.derive(key.encode())
    return both[:32], both[32:]
