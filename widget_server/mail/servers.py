"""The mail server that `UNDERSIGNED_SMTP_URL` names.

One thing must stay true: what the URL asks for is done or the mail is not sent; nothing falls back to less security.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

Tls = Literal["none", "starttls", "tls"]

_PORTS: dict[Tls, int] = {"none": 25, "starttls": 587, "tls": 465}
_EXPECTED = (
    "smtp://USER:PASSWORD@HOST:587?starttls=true, smtp://HOST:25 or smtps://USER:PASSWORD@HOST:465,"
    " with %40 for an @ in the user or the password"
)


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mails are handed in. `starttls` means required; without `user` there is no login."""

    host: str
    port: int
    tls: Tls
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def read_mail_server(url: str) -> MailServer:
    """Raises `ValueError` that says what is accepted, and does not repeat the password."""
    try:
        found = _read(urlsplit(url))
    except ValueError:
        found = None
    if found is None:
        raise ValueError(_EXPECTED)
    return found


def public_host(public_url: str) -> str:
    """The host of our public address, in ASCII: for what we call ourselves, and our mails."""
    host = urlsplit(public_url).hostname or "localhost"
    return f"[IPv6:{host}]" if ":" in host else _ascii(host)


def hello(public_url: str) -> str:
    """What we say to a mail server that we are: a name, or an address as a literal (RFC 5321, 4.1.3)."""
    host = public_host(public_url)
    try:
        return f"[{IPv4Address(host)}]"
    except ValueError:
        return host


def _ascii(host: str) -> str:
    return host if host.isascii() else host.encode("idna").decode("ascii")


def _read(parts: SplitResult) -> MailServer | None:
    query = parse_qsl(parts.query, keep_blank_values=True)
    tls = _tls(parts.scheme, dict(query))
    if tls is None or not parts.hostname or parts.path not in ("", "/") or parts.fragment or len(query) > 1:
        return None
    if bool(parts.username) != bool(parts.password):
        return None
    return MailServer(
        host=_ascii(parts.hostname),
        port=parts.port or _PORTS[tls],
        tls=tls,
        user=unquote(parts.username, errors="strict") if parts.username else None,
        password=unquote(parts.password, errors="strict") if parts.password else None,
    )


def _tls(scheme: str, query: dict[str, str]) -> Tls | None:
    asked = query.pop("starttls", "false")
    if query or asked not in ("true", "false") or scheme not in ("smtp", "smtps"):
        return None
    if scheme == "smtps":
        return "tls" if asked == "false" else None
    return "starttls" if asked == "true" else "none"
