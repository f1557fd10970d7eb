"""The address of a partner's own page for its webmaster: whoever has it needs no password.

One thing must stay true: it is sealed for this purpose alone. The public token in a snippet does not open it, and it
does not sign.
"""

from __future__ import annotations

from widget_server.domain.letters import Letter
from widget_server.domain.partners import Partner
from widget_server.domain.tokens import BadToken, Seals


def install_url(public_url: str, seals: Seals, letter: Letter, partner: Partner) -> str:
    """Good until the partner is revoked; a new token for its snippet leaves it as it is."""
    return f"{public_url}/install/{seals.seal('install', [letter.slug, partner.slug])}"


def open_install(seals: Seals, sealed: str) -> tuple[str, str]:
    """The letter's and the partner's slug. Raises `BadToken`."""
    match seals.open("install", sealed):
        case [str(letter), str(partner)]:
            return letter, partner
        case _:
            raise BadToken("forged")
