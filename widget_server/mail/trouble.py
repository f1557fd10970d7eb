"""What can go wrong on the way out, and what of it a log may show.

One thing must stay true: no address is in it, although mail servers quote addresses.

The codes: `smtp_NNN` (what the server answered), `smtp_unreachable`, `smtp_timeout`, `smtp_no_reply` (the connection
broke half-way; in phase `data` the mail may have arrived), `smtp_auth`, `smtp_tls`, `smtp_utf8` (it takes no address
with such letters), `smtp_protocol` (what it answered is no SMTP), `mail_folder`.
"""

from __future__ import annotations

import re
from typing import Literal

from widget_server.contract import Temporary

Phase = Literal["connect", "mail", "rcpt", "data"]
"""How far a mail has come: until the server would listen, then the commands of RFC 5321."""

NO_WAY = "no way out"
"""How the record of such an attempt begins, after its code; the phase follows in brackets."""

_BLANK = "…"
_READ = 2000
"""So much of an answer is looked at; half of it is kept, so that no address is cut where it would not be known."""
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"]+@[^\s<>()\[\],;:\"]+")


class NoWayOut(Temporary):
    """No mail can leave just now, this one or another."""

    def __init__(
        self, code: str, phase: Phase, why: str = "", *, status_code: int | None = None, response: str = ""
    ) -> None:
        self.phase = phase
        super().__init__(code, f"{NO_WAY} ({phase}) {why}".rstrip(), status_code=status_code, response=response)


def shown(text: str, *secrets: str) -> str:
    """What a server said, on one line, without `secrets` (an address, a user) and anything that looks like an
    address."""
    line = text[:_READ].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    line = "".join(c if c.isprintable() else " " for c in line)
    line = _ADDRESS.sub(_BLANK, line)
    for secret in sorted(_pieces(secrets), key=len, reverse=True):
        line = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", _BLANK, line, flags=re.IGNORECASE)
    return " ".join(line.split())


def _pieces(secrets: tuple[str, ...]) -> set[str]:
    """Whatever of an address says whose it is: both sides of the @, the first with and without its tag, the second in
    both spellings."""
    found: set[str] = set()
    for secret in secrets:
        local, at, domain = secret.rpartition("@")
        found |= {secret, local, local.partition("+")[0], domain}
        if at:
            found.add(_unicode(domain))
    return {piece for piece in found if piece}


def _unicode(domain: str) -> str:
    try:
        return domain.encode("ascii").decode("idna")
    except UnicodeError:
        return domain
